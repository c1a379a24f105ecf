// What a pressure test needs of one JSON document of an answer: an event of a stream, or a whole answer, in
// chat, completions or the article's dialect, as hussar, vLLM, SGLang, llama-server and Ollama write them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace hussar {

struct AnswerEvent {
  bool is_error = false;    // `error` (an object, a text), or "object": "error"
  bool has_choice = false;  // choices[0] is there, or the article's `text`
  bool has_text = false;    // text, reasoning or a tool call that is not empty
  size_t text_bytes = 0;    // of the text alone, decoded
  int32_t tokens = -1;      // entries of token_ids, else of the log-probabilities; -1: neither is there
  std::string finish_reason;
  bool has_usage = false;
  std::optional<int64_t> prompt_tokens, completion_tokens, cached_tokens;
  std::optional<double> ttft_s;
};

enum class ScanEnd {
  kFine,
  kNoJson,     // parse_json says why
  kWrongType,  // a field that is read here holds what it should not
};

inline constexpr int32_t kEventDepthMax = 64;

// Reads choices[0] (delta, message, text, finish_reason, token_ids, logprobs), usage, error and the article's
// text and ttft; null counts as absent. Text is appended to `text` where that is not null. With kWrongType,
// `wrong_field` names the field. Refuses what parse_json would refuse with a depth of kEventDepthMax, but
// sees a key that stands twice only where it is one of those that it reads.
ScanEnd scan_answer_event(std::string_view json, AnswerEvent* event, std::string* text,
                          std::string_view* wrong_field);

}  // namespace hussar
