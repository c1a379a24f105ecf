#include <cstdio>
#include <iostream>
#include <iterator>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/utf8.h"
#include "cli/commands.h"
#include "cli/model_text.h"
#include "cli/open_model.h"
#include "cli/terminal_text.h"
#include "text/tokenizer.h"

namespace hussar {
namespace {

struct TokenizeOptions {
  std::string model;
  bool ids = false;
  bool special = false;
  std::vector<std::string> words;
};

// A token's bytes as a quoted string; bytes that are no text of their own as hexadecimal.
std::string piece_text(std::string_view bytes) {
  std::string text;
  if (is_valid_utf8(bytes)) {
    append_json_string(bytes, &text);
    return safe_for_terminal(text);
  }
  for (const char byte : bytes) {
    char hex[4];
    std::snprintf(hex, sizeof hex, "%02x ", static_cast<unsigned char>(byte));
    text += hex;
  }
  return text;
}

Result<void> tokenize(const TokenizeOptions& options) {
  std::string text;
  for (size_t i = 0; i < options.words.size(); ++i) text += (i > 0 ? " " : "") + options.words[i];
  if (options.words.empty()) text.assign(std::istreambuf_iterator<char>(std::cin), {});
  if (!is_valid_utf8(text)) return Error{ErrorCode::kInvalid, "the text is not valid UTF-8", ""};
  ASSIGN_OR_RETURN(const ModelFile file, open_model(options.model));
  ASSIGN_OR_RETURN(Vocabulary vocabulary, read_model_vocabulary(file));
  ASSIGN_OR_RETURN(const Tokenizer tokenizer, Tokenizer::create(std::move(vocabulary)));
  const std::vector<TokenId> ids = options.special ? tokenizer.encode(text, {}, Tokenizer::Bos::kAdd)
                                                   : tokenizer.encode_plain(text, Tokenizer::Bos::kAdd);
  for (size_t i = 0; i < ids.size(); ++i) {
    if (options.ids) {
      std::printf("%s%d", i > 0 ? " " : "", ids[i]);
    } else {
      std::printf("%8d  %s\n", ids[i], piece_text(tokenizer.token_bytes(ids[i])).c_str());
    }
  }
  if (options.ids) std::printf("\n");
  return {};
}

}  // namespace

int run_tokenize(const std::vector<std::string>& args) {
  TokenizeOptions options;
  FlagTable flags("tokenize",
                  "Shows the tokens of a text (standard input when none is given): id and piece, one a line.",
                  "hussar tokenize --model model.gguf 'Hello, world'");
  flags.add_positionals("TEXT", &options.words, 4096, "the text; words are joined by a space");
  flags.add_string("--model", &options.model, "MODEL", "a file, a folder, or a pulled name",
                   FlagTable::kRequired);
  flags.add_switch("--ids", &options.ids, "the ids alone, in one line");
  flags.add_switch("--special", &options.special,
                   "special tokens such as <|im_end|> are recognised in the text");
  if (const auto code = parse_or_exit_code(&flags, "tokenize", args)) return *code;
  const auto done = tokenize(options);
  return done.ok() ? 0 : report_error("tokenize", done.error());
}

}  // namespace hussar
