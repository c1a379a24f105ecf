// Test support: what scan_answer_event should say, by way of parse_json's tree.
#pragma once

#include <string>
#include <string_view>

#include "base/json.h"
#include "bench/event_scanner.h"

namespace hussar {

struct ReferenceEvent {
  ScanEnd end = ScanEnd::kFine;
  AnswerEvent event;
  std::string text;
  bool duplicate_key = false;  // the one thing that the scanner may see otherwise
};

class EventReference {
 public:
  static ReferenceEvent read(std::string_view json) {
    EventReference reader;
    reader.read_document(json);
    return std::move(reader.out_);
  }

 private:
  void wrong() { out_.end = ScanEnd::kWrongType; }

  // Null where there is none; a value of another type is noted.
  template <typename T>
  const T* member(const Json* object, std::string_view key) {
    const Json* value = object == nullptr ? nullptr : object->find(key);
    if (value == nullptr || value->is_null()) return nullptr;
    const T* typed = std::get_if<T>(&value->value());
    if (typed == nullptr) wrong();
    return typed;
  }
  const Json* object_member(const Json* object, std::string_view key) {
    return member<JsonObject>(object, key) != nullptr ? object->find(key) : nullptr;
  }
  void count(const Json* object, std::string_view key, std::optional<int64_t>* to) {
    if (const int64_t* value = member<int64_t>(object, key)) *to = *value;
  }

  void read_document(std::string_view json) {
    const auto parsed = parse_json(json, {.bytes_max = json.size(), .depth_max = kEventDepthMax});
    if (!parsed.ok()) {
      out_.end = ScanEnd::kNoJson;
      out_.duplicate_key = parsed.error().message.find("stands twice") != std::string::npos;
      return;
    }
    if (parsed->as_object() == nullptr) return wrong();
    read_top(&*parsed);
    if (out_.end == ScanEnd::kFine) return;
    out_.event = {};
    out_.text.clear();
  }

  void read_top(const Json* top) {
    AnswerEvent& event = out_.event;
    if (const Json* error = top->find("error")) {
      const bool* flag = error->as_bool();
      const std::string* text = error->as_string();
      event.is_error =
          !(error->is_null() || (flag != nullptr && !*flag) || (text != nullptr && text->empty()));
    }
    if (const Json* object = top->find("object"); object != nullptr && object->as_string() != nullptr) {
      event.is_error |= *object->as_string() == "error";
    }
    const std::string* shown = read_choices(member<JsonArray>(top, "choices"));
    if (const std::string* text = member<std::string>(top, "text")) {
      event.has_choice = true;
      if (shown == nullptr) shown = text;
    }
    if (shown != nullptr) {
      out_.text = *shown;
      event.text_bytes = shown->size();
      event.has_text |= !shown->empty();
    }
    if (const Json* usage = object_member(top, "usage")) {
      event.has_usage = true;
      count(usage, "prompt_tokens", &event.prompt_tokens);
      count(usage, "completion_tokens", &event.completion_tokens);
      count(object_member(usage, "prompt_tokens_details"), "cached_tokens", &event.cached_tokens);
    }
    if (const Json* ttft = top->find("ttft"); ttft != nullptr && !ttft->is_null()) {
      double seconds = 0;
      if (ttft->as_number(&seconds)) {
        event.ttft_s = seconds;
      } else {
        wrong();
      }
    }
  }

  const std::string* read_choices(const JsonArray* choices) {
    if (choices == nullptr || choices->empty()) return nullptr;
    out_.event.has_choice = true;
    const Json* choice = &choices->front();
    if (choice->as_object() == nullptr) return wrong(), nullptr;
    const std::string* content = nullptr;
    for (const char* key : {"delta", "message"}) {
      const Json* message = object_member(choice, key);
      if (const std::string* text = member<std::string>(message, "content")) content = text;
      for (const char* name : {"reasoning_content", "reasoning"}) {
        const std::string* reasoning = member<std::string>(message, name);
        out_.event.has_text |= reasoning != nullptr && !reasoning->empty();
      }
      const JsonArray* calls = member<JsonArray>(message, "tool_calls");
      out_.event.has_text |= calls != nullptr && !calls->empty();
    }
    const std::string* text = member<std::string>(choice, "text");
    if (const std::string* reason = member<std::string>(choice, "finish_reason")) {
      out_.event.finish_reason = *reason;
    }
    const Json* logprobs = object_member(choice, "logprobs");
    for (const char* key : {"content", "tokens"}) {
      if (const JsonArray* entries = member<JsonArray>(logprobs, key)) {
        out_.event.tokens = static_cast<int32_t>(entries->size());
      }
    }
    if (const JsonArray* ids = member<JsonArray>(choice, "token_ids")) {
      out_.event.tokens = static_cast<int32_t>(ids->size());
    }
    return content != nullptr ? content : text;
  }

  ReferenceEvent out_;
};

// True when both are the same, or where only a key that stands twice keeps them apart.
inline bool agrees(const ReferenceEvent& reference, ScanEnd end, const AnswerEvent& event,
                   std::string_view text) {
  if (reference.duplicate_key) return true;
  if (reference.end != end) return false;
  if (end != ScanEnd::kFine) return true;
  const AnswerEvent& other = reference.event;
  return event.is_error == other.is_error && event.has_choice == other.has_choice &&
         event.has_text == other.has_text && event.text_bytes == other.text_bytes &&
         event.tokens == other.tokens && event.finish_reason == other.finish_reason &&
         event.has_usage == other.has_usage && event.prompt_tokens == other.prompt_tokens &&
         event.completion_tokens == other.completion_tokens && event.cached_tokens == other.cached_tokens &&
         event.ttft_s == other.ttft_s && text == reference.text;
}

}  // namespace hussar
