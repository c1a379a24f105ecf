#include "text/tokenizer_json_parts.h"

#include <string_view>
#include <vector>

#include "text/error_text.h"

namespace hussar {
namespace {

constexpr int32_t kDepthMax = 8;  // of Sequences in Sequences
constexpr size_t kPartsMax = 64;  // in all of them

// The cut of Llama 3 and its heirs as their files spell it; they differ in how many digits make a word.
#define LLAMA3_SPLIT(DIGITS)                                                                          \
  R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|)" DIGITS R"(| ?[^\s\p{L}\p{N}]+[\r\n]*|)" \
  R"(\s*[\r\n]+|\s+(?!\S)|\s+)"
constexpr std::string_view kQwen2Split = LLAMA3_SPLIT(R"(\p{N})");
constexpr std::string_view kLlama3Split = LLAMA3_SPLIT(R"(\p{N}{1,3})");

std::string type_of(const Json& part) {
  const Json* type = part.find("type");
  return type != nullptr && type->as_string() != nullptr ? *type->as_string() : std::string();
}

// The parts of a Sequence, of those in it too, or the one part; none when it is null.
Result<void> flatten(const Json* part, const char* name, const char* list_key, int32_t depth_left,
                     std::vector<const Json*>* parts) {
  if (part == nullptr || part->is_null()) return {};
  const std::string type = type_of(*part);
  if (type.empty()) return json_invalid(std::string(name) + " has no type");
  if (type != "Sequence") {
    if (parts->size() == kPartsMax) return json_unsupported(std::string(name) + " has too many parts");
    parts->push_back(part);
    return {};
  }
  const Json* list = part->find(list_key);
  if (list == nullptr || list->as_array() == nullptr)
    return json_invalid(std::string(name) + "." + list_key + " must be an array");
  if (depth_left == 0) return json_unsupported(std::string(name) + " is nested too deeply");
  for (const Json& item : *list->as_array()) {
    if (item.is_null()) return json_invalid(std::string(name) + "." + list_key + " holds a null");
    RETURN_IF_ERROR(flatten(&item, name, list_key, depth_left - 1, parts));
  }
  return {};
}

// "Split + ByteLevel", with what makes each of them what it is.
std::string describe(const std::vector<const Json*>& parts) {
  std::string text;
  for (const Json* part : parts) text += (text.empty() ? "" : " + ") + shown(*part);
  return text.empty() ? "nothing" : text;
}

enum class Regex { kOwn, kNone };

// `part` is a ByteLevel that leaves the text's begin alone and cuts by its own rule, or not at all.
Result<bool> is_byte_level(const Json& part, Regex wanted) {
  if (type_of(part) != "ByteLevel") return false;
  ASSIGN_OR_RETURN(const bool prefix, read_flag(part, "add_prefix_space", true, "pre_tokenizer.ByteLevel"));
  if (prefix) return json_unsupported("pre_tokenizer.ByteLevel.add_prefix_space is true");
  ASSIGN_OR_RETURN(const bool own, read_flag(part, "use_regex", true, "pre_tokenizer.ByteLevel"));
  return own == (wanted == Regex::kOwn);
}

Result<bool> is_single_digits(const Json& part) {
  if (type_of(part) != "Digits") return false;
  return read_flag(part, "individual_digits", false, "pre_tokenizer.Digits");
}

// The expression of a Split whose matches, and what lies between them, are words; empty when it is none.
Result<std::string_view> split_expression(const Json& part) {
  if (type_of(part) != "Split") return std::string_view();
  ASSIGN_OR_RETURN(const bool invert, read_flag(part, "invert", false, "pre_tokenizer.Split"));
  const Json* behavior = part.find("behavior");
  const Json* pattern = part.find("pattern");
  const Json* regex = pattern == nullptr ? nullptr : pattern->find("Regex");
  const bool isolated = behavior != nullptr && behavior->as_string() != nullptr &&
                        *behavior->as_string() == "Isolated" && !invert;
  if (!isolated || regex == nullptr || regex->as_string() == nullptr) return std::string_view();
  return std::string_view(*regex->as_string());
}

// The one token in front of "$A" in a template's pieces.
Result<std::optional<FirstToken>> read_template(const Json& processor) {
  const Error other =
      json_unsupported("post_processor.single is none of \"$A\" and one special token in front of \"$A\"");
  const Json* single = processor.find("single");
  if (single == nullptr || single->as_array() == nullptr || single->as_array()->empty()) return other;
  const JsonArray& pieces = *single->as_array();
  const Json* sequence = pieces.back().find("Sequence");
  const Json* name = sequence == nullptr ? nullptr : sequence->find("id");
  if (pieces.size() > 2 || name == nullptr || name->as_string() == nullptr || *name->as_string() != "A")
    return other;
  if (pieces.size() == 1) return std::optional<FirstToken>();
  const Json* special = pieces[0].find("SpecialToken");
  const Json* key = special == nullptr ? nullptr : special->find("id");
  if (key == nullptr || key->as_string() == nullptr) return other;
  const Json* tokens = processor.find("special_tokens");
  const Json* token = tokens == nullptr ? nullptr : tokens->find(*key->as_string());
  const Json* ids = token == nullptr ? nullptr : token->find("ids");
  const Json* spellings = token == nullptr ? nullptr : token->find("tokens");
  if (ids == nullptr || ids->as_array() == nullptr || spellings == nullptr ||
      spellings->as_array() == nullptr) {
    return json_invalid("post_processor.special_tokens says nothing of " + quoted(*key->as_string()));
  }
  if (ids->as_array()->size() != 1 || spellings->as_array()->size() != 1) return other;
  const int64_t* id = ids->as_array()->front().as_int();
  const std::string* spelling = spellings->as_array()->front().as_string();
  if (id == nullptr || spelling == nullptr)
    return json_invalid("post_processor.special_tokens has a wrong type");
  return std::optional<FirstToken>({*id, *spelling});
}

}  // namespace

Error json_invalid(const std::string& message) { return Error{ErrorCode::kInvalid, message, ""}; }

Error json_unsupported(const std::string& message) {
  return Error{ErrorCode::kUnsupported, message + ", which is not supported", ""};
}

Result<bool> read_flag(const Json& object, const char* key, bool otherwise, const std::string& place) {
  const Json* value = object.find(key);
  if (value == nullptr || value->is_null()) return otherwise;
  if (const bool* flag = value->as_bool()) return *flag;
  return json_invalid(place + "." + key + " must be true or false, not " + shown(*value));
}

Result<bool> read_normalizer(const Json* normalizer) {
  std::vector<const Json*> parts;
  RETURN_IF_ERROR(flatten(normalizer, "normalizer", "normalizers", kDepthMax, &parts));
  for (const Json* part : parts) {
    if (type_of(*part) != "NFC") return json_unsupported("normalizer is " + shown(*part));
  }
  return !parts.empty();
}

Result<std::string> read_pre_tokenizer(const Json* pre_tokenizer) {
  std::vector<const Json*> parts;
  RETURN_IF_ERROR(flatten(pre_tokenizer, "pre_tokenizer", "pretokenizers", kDepthMax, &parts));
  const Error other = json_unsupported("pre_tokenizer is " + describe(parts));
  if (parts.size() == 1) {
    ASSIGN_OR_RETURN(const bool gpt2, is_byte_level(*parts[0], Regex::kOwn));
    if (gpt2) return std::string("gpt-2");
  }
  if (parts.size() != 2) return other;
  ASSIGN_OR_RETURN(const bool digits, is_single_digits(*parts[0]));
  ASSIGN_OR_RETURN(const bool byte_level, is_byte_level(*parts[1], digits ? Regex::kOwn : Regex::kNone));
  ASSIGN_OR_RETURN(const std::string_view split, split_expression(*parts[0]));
  if (byte_level && digits) return std::string("smollm");
  if (byte_level && split == kQwen2Split) return std::string("qwen2");
  if (byte_level && split == kLlama3Split) return std::string("llama-bpe");
  return other;
}

Result<void> check_decoder(const Json* decoder) {
  std::vector<const Json*> parts;
  RETURN_IF_ERROR(flatten(decoder, "decoder", "decoders", kDepthMax, &parts));
  if (parts.size() == 1 && type_of(*parts[0]) == "ByteLevel") return {};
  return json_unsupported("decoder is " + describe(parts));
}

Result<std::optional<FirstToken>> read_post_processor(const Json* post_processor) {
  std::vector<const Json*> parts;
  RETURN_IF_ERROR(flatten(post_processor, "post_processor", "processors", kDepthMax, &parts));
  std::optional<FirstToken> first;
  for (const Json* part : parts) {
    const std::string type = type_of(*part);
    if (type == "ByteLevel") continue;  // it moves offsets, no tokens
    if (type != "TemplateProcessing") return json_unsupported("post_processor is " + shown(*part));
    ASSIGN_OR_RETURN(auto token, read_template(*part));
    if (!token) continue;
    if (first) return json_unsupported("post_processor puts two tokens in front");
    first = std::move(token);
  }
  return first;
}

}  // namespace hussar
