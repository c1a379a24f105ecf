#include "grammar/compiled_grammar.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "base/check.h"
#include "base/json.h"
#include "grammar/ending.h"
#include "grammar/internal/compiled_grammar_impl.h"
#include "grammar/matcher.h"

namespace hussar {
namespace {

// `text` as a literal of the library's EBNF. Bytes above 0x7f stand for themselves: the text is UTF-8.
std::string ebnf_literal(std::string_view text) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte < 0x20 || byte == 0x7f) {
      out += "\\x";
      out += kDigits[byte >> 4];
      out += kDigits[byte & 15];
    } else {
      out += c;
    }
  }
  return out + '"';
}

std::string choices_as_ebnf(const std::vector<std::string>& choices) {
  std::string out = "root ::= ";
  for (size_t i = 0; i < choices.size(); ++i) out += (i == 0 ? "" : " | ") + ebnf_literal(choices[i]);
  return out;
}

// The grammar as the library's EBNF, or as an expression, and what it doesn't ensure.
struct Source {
  std::string text;
  std::vector<SchemaCheck> checks;
};

Result<Source> schema_source(const std::string& schema) {
  ASSIGN_OR_RETURN(const Json parsed, parse_json(schema, {.bytes_max = schema.size(), .depth_max = 1000}));
  auto planned = plan_schema(parsed, {});
  if (auto* plan = std::get_if<SchemaPlan>(&planned))
    return Source{std::move(plan->grammar), std::move(plan->checks)};
  const auto& refusal = std::get<SchemaRefusal>(planned);
  return Error{refusal.code, refusal.message(), ""};
}

Result<Source> source_of(const GrammarSpec& spec) {
  switch (spec.kind) {
    case GrammarKind::kJsonObject:
      return schema_source(R"({"type":"object"})");
    case GrammarKind::kJsonSchema:
      return schema_source(spec.text);
    case GrammarKind::kChoice:
      return Source{choices_as_ebnf(spec.choices), {}};
    case GrammarKind::kRegex:
    case GrammarKind::kEbnf:
      break;
  }
  return Source{spec.text, {}};
}

// What looks at finished answers, reading the schema as plan_schema() does. It gets the schema as it was
// sent: a parsed one may have lost digits.
Result<std::optional<JsonSchema>> validator_of(const GrammarSpec& spec,
                                               const std::vector<SchemaCheck>& checks) {
  if (checks.empty()) return std::optional<JsonSchema>();
  const bool formats =
      std::ranges::any_of(checks, [](const auto& check) { return check.keyword == "format"; });
  JsonSchema::Options options;
  options.limits.json.bytes_max = std::max(options.limits.json.bytes_max, spec.text.size());
  options.formats = formats ? JsonSchema::Formats::kAssert : JsonSchema::Formats::kAnnotate;
  options.older_drafts = JsonSchema::OlderDrafts::kReadAs2020;
  ASSIGN_OR_RETURN(JsonSchema schema, JsonSchema::compile(spec.text, options));
  return std::optional(std::move(schema));
}

// The library's notation holds more than text: tokens by number, budgets, temperatures, captures, which
// neither the way to an answer's end nor the engine knows. What would be dropped, or could end an answer in
// an error, is refused by name.
Result<void> check_text_only(const xgrammar::Grammar& grammar) {
  using Type = xgrammar::Grammar::Impl::GrammarExprType;
  const auto refused = [](const std::string& what) {
    return Error{ErrorCode::kUnsupported, what + " in a grammar is not supported", ""};
  };
  for (int32_t id = 0; id < grammar->NumRules(); ++id) {
    const auto& rule = grammar->GetRule(id);
    const auto of_rule = [&](const char* what) {
      return refused(std::string(what) + " of rule " + rule.name);
    };
    if (rule.lookahead_assertion_id >= 0) return of_rule("the lookahead (=...)");
    if (rule.max_tokens >= 0) return of_rule("[max_tokens]");
    if (rule.temperature) return of_rule("[temperature]");
    if (rule.is_lazy) return of_rule("[lazy]");
    if (!rule.capture_name.empty() || grammar->GetSuffixStopInfo(id) != nullptr) return of_rule("[capture]");
  }
  for (int32_t id = 0; id < grammar->NumGrammarExprs(); ++id) {
    const Type type = grammar->GetGrammarExpr(id).type;
    if (type == Type::kToken) return refused("Token(...)");
    if (type == Type::kExcludeToken) return refused("ExcludeToken(...)");
    if (type == Type::kTokenTagDispatch) return refused("TokenTagDispatch(...)");
  }
  return {};
}

// Of one check, which others wait for: some ten milliseconds.
constexpr JsonSchema::InstanceLimits kCheckLimits = {.steps_max = 2'000'000};

// With what is derived from the library's grammar.
Result<std::shared_ptr<const CompiledGrammar>> complete(std::shared_ptr<const GrammarVocabulary> vocabulary,
                                                        xgrammar::CompiledGrammar grammar,
                                                        const GrammarSpec& spec,
                                                        std::vector<SchemaCheck> checks) {
  ASSIGN_OR_RETURN(std::optional<JsonSchema> validator, validator_of(spec, checks));
  constexpr size_t kBytesOfByte = 16;  // of the schema's text, two of which are a value at least
  const size_t validator_bytes = validator ? kBytesOfByte * spec.text.size() : 0;
  auto made = without_throwing([&] {
    EndingTable endings(grammar.GetGrammar(), vocabulary->impl().bytes);
    std::vector<uint32_t> mask(Matcher::mask_words(vocabulary->vocab_size()));
    return std::make_unique<CompiledGrammar::Impl>(
        CompiledGrammar::Impl{std::move(vocabulary), std::move(grammar), std::move(checks),
                              std::move(validator), validator_bytes, std::move(endings), std::move(mask), 0});
  });
  if (!made.ok()) return std::move(made).error();
  CompiledGrammar::Impl* const impl = made->get();
  auto compiled = std::make_shared<const CompiledGrammar>(std::move(*made));

  const int64_t bytes = impl->endings.bytes_of_answer();
  if (bytes >= EndingTable::kNever) return Error{ErrorCode::kInvalid, "no answer can ever be whole", ""};
  if (bytes > CompiledGrammar::kShortestBytesMax) {
    return Error{ErrorCode::kTooLarge,
                 "its shortest answer has " + std::to_string(bytes) + " bytes, which is more than " +
                     std::to_string(CompiledGrammar::kShortestBytesMax),
                 ""};
  }
  ASSIGN_OR_RETURN(Matcher matcher, Matcher::create(compiled));
  RETURN_IF_ERROR(matcher.fill_mask(impl->first_mask));
  impl->tokens_min = static_cast<int32_t>(Ending(compiled).tokens_to_end());
  return compiled;
}

}  // namespace

std::string library_message(std::string_view what) {
  constexpr size_t kBytesMax = 300;
  // "[12:00:00] /path/file.cc:123: message"
  if (what.starts_with('[')) {
    const size_t file = what.find(".cc:");
    const size_t end = file == std::string_view::npos ? file : what.find(": ", file);
    if (end != std::string_view::npos) what.remove_prefix(end + 2);
  }
  std::string out;
  for (const char c : what.substr(0, kBytesMax)) out += c == '\n' || c == '\r' || c == '\t' ? ' ' : c;
  while (!out.empty() && (out.back() == ' ' || out.back() == '.')) out.pop_back();
  return out;
}

Result<std::shared_ptr<const GrammarVocabulary>> GrammarVocabulary::create(
    const std::vector<std::string>& token_bytes, std::vector<TokenId> stop_ids) {
  if (token_bytes.empty()) return Error{ErrorCode::kInvalid, "the vocabulary is empty", ""};
  std::ranges::sort(stop_ids);
  stop_ids.erase(std::unique(stop_ids.begin(), stop_ids.end()), stop_ids.end());
  if (stop_ids.empty()) {
    return Error{ErrorCode::kUnsupported, "the model names no end token, so no grammar can end an answer",
                 ""};
  }
  if (stop_ids.front() < 0 || static_cast<size_t>(stop_ids.back()) >= token_bytes.size()) {
    return Error{ErrorCode::kInvalid, "an end token is outside the vocabulary", ""};
  }
  return without_throwing([&] {
    auto impl = std::make_unique<Impl>(
        Impl{xgrammar::TokenizerInfo(token_bytes, xgrammar::VocabType::RAW, std::nullopt, stop_ids),
             stop_ids,
             {}});
    for (const auto& [id, bytes] : impl->info.GetSortedDecodedVocab()) {
      if (bytes.size() == 1) impl->bytes.set(static_cast<unsigned char>(bytes[0]));
    }
    return std::make_shared<const GrammarVocabulary>(std::move(impl));
  });
}

GrammarVocabulary::GrammarVocabulary(std::unique_ptr<const Impl> impl) : impl_(std::move(impl)) {}
GrammarVocabulary::~GrammarVocabulary() = default;

int32_t GrammarVocabulary::vocab_size() const { return impl_->info.GetVocabSize(); }
const std::vector<TokenId>& GrammarVocabulary::stop_ids() const { return impl_->stop_ids; }

std::vector<TokenId> GrammarVocabulary::Impl::tokens_of(std::string_view text) const {
  const auto& sorted = info.GetSortedDecodedVocab();
  std::vector<TokenId> tokens;
  while (!text.empty()) {
    // The tokens that begin as the text does, for one byte more each time; the shortest of them comes first.
    auto begin = sorted.begin(), end = sorted.end();
    size_t longest = 0;
    for (size_t size = 1; size <= text.size(); ++size) {
      const auto before = [&](const auto& token, char byte) {
        return token.second.size() < size ||
               static_cast<unsigned char>(token.second[size - 1]) < static_cast<unsigned char>(byte);
      };
      const auto after = [&](char byte, const auto& token) {
        return token.second.size() >= size &&
               static_cast<unsigned char>(byte) < static_cast<unsigned char>(token.second[size - 1]);
      };
      begin = std::lower_bound(begin, end, text[size - 1], before);
      end = std::upper_bound(begin, end, text[size - 1], after);
      if (begin == end) break;
      if (begin->second.size() > size) continue;
      if (longest == 0) tokens.push_back(begin->first);
      tokens.back() = begin->first;
      longest = size;
    }
    CHECK_NOTE(longest > 0, "a byte without a token");
    text.remove_prefix(longest);
  }
  return tokens;
}

CompiledGrammar::CompiledGrammar(std::unique_ptr<const Impl> impl) : impl_(std::move(impl)) {}
CompiledGrammar::~CompiledGrammar() = default;

Result<std::shared_ptr<const CompiledGrammar>> CompiledGrammar::compile(
    const GrammarSpec& spec, std::shared_ptr<const GrammarVocabulary> vocabulary) {
  if (spec.kind == GrammarKind::kChoice && spec.choices.empty()) {
    return Error{ErrorCode::kInvalid, "there is nothing to choose from", ""};
  }
  ASSIGN_OR_RETURN(Source source, source_of(spec));
  const auto parsed = without_throwing([&] {
    return spec.kind == GrammarKind::kRegex ? xgrammar::Grammar::FromRegex(source.text)
                                            : xgrammar::Grammar::FromEBNF(source.text);
  });
  if (!parsed.ok()) return parsed.error();
  if (spec.kind == GrammarKind::kEbnf) RETURN_IF_ERROR(check_text_only(*parsed));
  auto grammar = without_throwing([&] {
    xgrammar::GrammarCompiler compiler(vocabulary->impl().info, /*max_threads=*/1, /*cache_enabled=*/false);
    return compiler.CompileGrammar(*parsed);
  });
  if (!grammar.ok()) return std::move(grammar).error();
  return complete(std::move(vocabulary), std::move(*grammar), spec, std::move(source.checks));
}

Result<std::string> CompiledGrammar::serialise() const {
  return without_throwing([this] { return impl_->grammar.SerializeJSON(); });
}

Result<std::shared_ptr<const CompiledGrammar>> CompiledGrammar::deserialise(
    const std::string& bytes, const GrammarSpec& spec, std::vector<SchemaCheck> checks,
    std::shared_ptr<const GrammarVocabulary> vocabulary) {
  auto read = without_throwing(
      [&] { return xgrammar::CompiledGrammar::DeserializeJSON(bytes, vocabulary->impl().info); });
  if (!read.ok()) return std::move(read).error();
  auto* grammar = std::get_if<xgrammar::CompiledGrammar>(&*read);
  if (grammar == nullptr)
    return Error{ErrorCode::kInvalid, "this is no compiled grammar of the vocabulary", ""};
  return complete(std::move(vocabulary), std::move(*grammar), spec, std::move(checks));
}

int32_t CompiledGrammar::vocab_size() const { return impl_->vocabulary->vocab_size(); }
const std::vector<TokenId>& CompiledGrammar::stop_ids() const { return impl_->vocabulary->stop_ids(); }
const std::vector<SchemaCheck>& CompiledGrammar::checks() const { return impl_->checks; }

Result<void> CompiledGrammar::check(std::string_view answer) const {
  if (!impl_->validator) return {};
  SchemaVerdict verdict = impl_->validator->validate(answer, kCheckLimits);
  if (verdict.is_valid()) return {};
  if (verdict.kind == SchemaVerdict::Kind::kUndecided) return Error{ErrorCode::kTooLarge, verdict.reason, ""};
  if (verdict.keyword.empty()) return Error{ErrorCode::kInvalid, verdict.reason, ""};
  const auto place = [](const std::string& path) { return path.empty() ? "the root" : path; };
  return Error{ErrorCode::kInvalid,
               "'" + verdict.keyword + "' at " + place(verdict.schema_path) + " fails for the value at " +
                   place(verdict.instance_path),
               ""};
}

int32_t CompiledGrammar::tokens_min() const { return impl_->tokens_min; }
std::span<const uint32_t> CompiledGrammar::first_mask() const { return impl_->first_mask; }
size_t CompiledGrammar::memory_bytes() const {
  return impl_->grammar.MemorySizeBytes() + impl_->endings.memory_bytes() +
         impl_->first_mask.size() * sizeof(uint32_t) + impl_->validator_bytes;
}

}  // namespace hussar
