#include "bench/server_facts.h"

#include <limits>

#include "base/check.h"
#include "bench/refusal_text.h"

namespace hussar {

namespace {

constexpr size_t kAnswerBytesMax = 16 << 20;

// Where a kind of server says its version: a route, and a key of what that answers.
struct Kind {
  std::string_view name;
  std::string_view owner;  // in `owned_by` of its models
  std::string_view route, version_key;
  bool knows_ignore_eos, knows_min_tokens;
};
constexpr Kind kKinds[] = {{"hussar", "hussar", "/health", "version", true, true},
                           {"vllm", "vllm", "/version", "version", true, true},
                           {"sglang", "sglang", "/get_server_info", "version", true, true},
                           {"llama.cpp", "llamacpp", "/props", "build_info", true, false},
                           {"ollama", "library", "/api/version", "version", false, false}};
// A server that hides who it is can still be told by a route that no other kind has.
constexpr std::string_view kTellingKinds[] = {"llama.cpp", "ollama"};

Json parse_answer(const HttpReply& reply) {
  if (reply.end != CallEnd::kDone || reply.status != 200) return nullptr;
  auto json = parse_json(reply.body, {.bytes_max = kAnswerBytesMax});
  return json.ok() ? std::move(*json) : Json();
}

std::string text_of(const Json& object, std::string_view key) {
  const Json* member = object.find(key);
  const std::string* text = member == nullptr ? nullptr : member->as_string();
  return text == nullptr ? std::string() : one_line(*text);
}

// -1 where there is no usable number.
int32_t count_of(const Json* object, std::string_view key) {
  const Json* member = object == nullptr ? nullptr : object->find(key);
  const int64_t* number = member == nullptr ? nullptr : member->as_int();
  if (number == nullptr || *number <= 0 || *number > std::numeric_limits<int32_t>::max()) return -1;
  return static_cast<int32_t>(*number);
}

const Kind* find_kind(std::string_view name) {
  for (const Kind& kind : kKinds) {
    if (kind.name == name) return &kind;
  }
  return nullptr;
}

const Kind* kind_by_name(const Json& entry, std::string_view server_header) {
  const std::string owner = text_of(entry, "owned_by");
  for (const Kind& kind : kKinds) {
    if (kind.owner == owner) return &kind;
  }
  for (const Kind& kind : kKinds) {
    if (equals_ignoring_case(server_header.substr(0, kind.name.size()), kind.name)) return &kind;
  }
  return nullptr;
}

int32_t context_of(const Json& entry, const Json& details) {
  // llama-server shares its context out to slots; one request has what its slot has.
  const Json* settings = details.find("default_generation_settings");
  for (const int32_t tokens : {count_of(settings, "n_ctx"), count_of(&entry, "max_model_len"),
                               count_of(entry.find("meta"), "n_ctx")}) {
    if (tokens > 0) return tokens;
  }
  return -1;
}

TokenizeDialect find_tokenizer(const std::string& model, const Ask& ask) {
  // In this order: llama-server answers a question in the other dialect, too, with no tokens.
  for (const auto dialect : {TokenizeDialect::kPrompt, TokenizeDialect::kContent}) {
    if (read_token_count(dialect, ask("/tokenize", tokenize_body(dialect, model, "a"))) > 0) return dialect;
  }
  return TokenizeDialect::kNone;
}

}  // namespace

ServerFacts find_server_facts(const Json& entry, std::string_view server_header, const std::string& model,
                              const Ask& ask) {
  ServerFacts facts;
  Json details;
  const Kind* kind = kind_by_name(entry, server_header);
  if (kind != nullptr) {
    details = parse_answer(ask(kind->route, ""));
  } else {
    for (const std::string_view name : kTellingKinds) {
      const Kind* candidate = find_kind(name);
      details = parse_answer(ask(candidate->route, ""));
      if (!text_of(details, candidate->version_key).empty()) {
        kind = candidate;
        break;
      }
      details = Json();
    }
  }
  facts.context_tokens = context_of(entry, details);
  if (kind != nullptr) {
    facts.kind = kind->name;
    facts.version = text_of(details, kind->version_key);
    facts.knows_ignore_eos = kind->knows_ignore_eos;
    facts.knows_min_tokens = kind->knows_min_tokens;
  }
  if (facts.kind != "ollama") facts.tokenize = find_tokenizer(model, ask);
  return facts;
}

std::string tokenize_body(TokenizeDialect dialect, const std::string& model, std::string_view text) {
  DCHECK(dialect != TokenizeDialect::kNone);
  if (dialect == TokenizeDialect::kContent)
    return write_json(JsonObject{{"content", text}, {"add_special", false}});
  JsonObject body;
  if (!model.empty()) body.emplace_back("model", model);
  body.emplace_back("prompt", text);
  body.emplace_back("add_special_tokens", false);
  return write_json(body);
}

int32_t read_token_count(TokenizeDialect dialect, const HttpReply& reply) {
  const Json answer = parse_answer(reply);
  if (dialect == TokenizeDialect::kPrompt) {
    const Json* count = answer.find("count");
    const int64_t* number = count == nullptr ? nullptr : count->as_int();
    const bool usable = number != nullptr && *number >= 0 && *number <= std::numeric_limits<int32_t>::max();
    return usable ? static_cast<int32_t>(*number) : -1;
  }
  const Json* tokens = answer.find("tokens");
  const JsonArray* list = tokens == nullptr ? nullptr : tokens->as_array();
  return list == nullptr ? -1 : static_cast<int32_t>(list->size());
}

}  // namespace hussar
