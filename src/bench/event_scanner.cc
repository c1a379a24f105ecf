#include "bench/event_scanner.h"

#include <charconv>

#include "base/json.h"
#include "bench/json_cursor.h"

namespace hussar {

namespace {

using Kind = JsonCursor::Kind;

class Scanner {
 public:
  Scanner(std::string_view json, AnswerEvent* event) : cursor_(json, kEventDepthMax), event_(event) {}

  ScanEnd scan(std::string* text, std::string_view* wrong_field);

 private:
  using Reader = void (Scanner::*)();
  struct Field {
    std::string_view key;
    Reader read;
  };

  template <size_t kCount>
  void read_object(const Field (&fields)[kCount]);
  bool holds(Kind wanted, std::string_view field);
  void wrong(std::string_view field);
  void read_text(std::string_view field, RawString* text);
  void read_count(std::string_view field, std::optional<int64_t>* count);
  void read_length(std::string_view field, int32_t* length);

  void read_choices();
  void read_choice();
  void read_delta() { read_message(&delta_content_); }
  void read_whole_message() { read_message(&message_content_); }
  void read_message(RawString* content);
  void read_content() { read_text("choices[0].delta.content", content_); }
  void read_reasoning();
  void read_tool_calls();
  void read_choice_text() { read_text("choices[0].text", &choice_text_); }
  void read_finish_reason();
  void read_token_ids() { read_length("choices[0].token_ids", &token_ids_); }
  void read_logprobs();
  void read_logprob_content() { read_length("choices[0].logprobs.content", &logprob_content_); }
  void read_logprob_tokens() { read_length("choices[0].logprobs.tokens", &logprob_tokens_); }
  void read_usage();
  void read_prompt_tokens() { read_count("usage.prompt_tokens", &event_->prompt_tokens); }
  void read_completion_tokens() { read_count("usage.completion_tokens", &event_->completion_tokens); }
  void read_prompt_details();
  void read_cached_tokens() {
    read_count("usage.prompt_tokens_details.cached_tokens", &event_->cached_tokens);
  }
  void read_error();
  void read_object_name();
  void read_top_text() { read_text("text", &top_text_); }
  void read_ttft();
  void show(const RawString& shown, std::string* text);

  JsonCursor cursor_;
  AnswerEvent* const event_;
  std::string_view wrong_field_;
  std::string scratch_;
  // A text's data() is null where it is not there; the more telling of two forms counts.
  RawString message_content_, delta_content_, choice_text_, top_text_;
  RawString* content_ = nullptr;  // of the message that is being read
  int32_t token_ids_ = -1, logprob_tokens_ = -1, logprob_content_ = -1;
};

// Calls the reader of each key that is in `fields`, and skips the others.
template <size_t kCount>
void Scanner::read_object(const Field (&fields)[kCount]) {
  static_assert(kCount <= 32);
  uint32_t seen = 0;  // one bit for each field: a second one is a fault of the document
  RawString key;
  for (cursor_.enter(); cursor_.next_member(&key);) {
    std::string_view name = key.text;
    if (key.escaped) {
      scratch_.clear();
      append_decoded(key, &scratch_);
      name = scratch_;
    }
    size_t index = 0;
    while (index < kCount && fields[index].key != name) ++index;
    if (index == kCount) {
      cursor_.skip();
    } else if ((seen >> index & 1) != 0) {
      cursor_.refuse();
    } else {
      seen |= 1u << index;
      // Not in one expression: GCC 12's sanitizer would check a wrong index.
      const auto read = fields[index].read;
      (this->*read)();
    }
  }
}

void Scanner::wrong(std::string_view field) {
  if (wrong_field_.empty()) wrong_field_ = field;
  cursor_.skip();
}

// True when the value is there to be read; null counts as absent, and what is neither is noted and skipped.
bool Scanner::holds(Kind wanted, std::string_view field) {
  const Kind kind = cursor_.peek();
  if (kind == wanted) return true;
  if (kind == Kind::kNull) {
    cursor_.skip();
  } else {
    wrong(field);
  }
  return false;
}

void Scanner::read_text(std::string_view field, RawString* text) {
  if (holds(Kind::kString, field)) *text = cursor_.read_string();
}

void Scanner::read_count(std::string_view field, std::optional<int64_t>* count) {
  if (!holds(Kind::kNumber, field)) return;
  const std::string_view number = cursor_.read_number();
  int64_t value = 0;
  const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), value);
  if (error == std::errc() && end == number.data() + number.size()) {
    *count = value;
  } else if (wrong_field_.empty()) {
    wrong_field_ = field;
  }
}

void Scanner::read_length(std::string_view field, int32_t* length) {
  if (holds(Kind::kArray, field)) *length = cursor_.skip();
}

void Scanner::read_choices() {
  if (!holds(Kind::kArray, "choices")) return;
  cursor_.enter();
  if (!cursor_.next_element()) return;
  event_->has_choice = true;
  if (cursor_.peek() == Kind::kObject) {
    read_choice();
  } else {
    wrong("choices[0]");
  }
  while (cursor_.next_element()) cursor_.skip();
}

void Scanner::read_choice() {
  static constexpr Field kFields[] = {
      {"delta", &Scanner::read_delta},         {"message", &Scanner::read_whole_message},
      {"text", &Scanner::read_choice_text},    {"finish_reason", &Scanner::read_finish_reason},
      {"token_ids", &Scanner::read_token_ids}, {"logprobs", &Scanner::read_logprobs}};
  read_object(kFields);
}

void Scanner::read_message(RawString* content) {
  static constexpr Field kFields[] = {{"content", &Scanner::read_content},
                                      {"reasoning_content", &Scanner::read_reasoning},
                                      {"reasoning", &Scanner::read_reasoning},
                                      {"tool_calls", &Scanner::read_tool_calls}};
  content_ = content;
  if (holds(Kind::kObject, "choices[0].delta")) read_object(kFields);
}

void Scanner::read_reasoning() {
  RawString reasoning;
  read_text("choices[0].delta.reasoning_content", &reasoning);
  if (!reasoning.text.empty()) event_->has_text = true;
}

void Scanner::read_tool_calls() {
  if (holds(Kind::kArray, "choices[0].delta.tool_calls") && cursor_.skip() > 0) event_->has_text = true;
}

void Scanner::read_finish_reason() {
  RawString reason;
  read_text("choices[0].finish_reason", &reason);
  append_decoded(reason, &event_->finish_reason);
}

void Scanner::read_logprobs() {
  static constexpr Field kFields[] = {{"content", &Scanner::read_logprob_content},
                                      {"tokens", &Scanner::read_logprob_tokens}};
  if (holds(Kind::kObject, "choices[0].logprobs")) read_object(kFields);
}

void Scanner::read_usage() {
  static constexpr Field kFields[] = {{"prompt_tokens", &Scanner::read_prompt_tokens},
                                      {"completion_tokens", &Scanner::read_completion_tokens},
                                      {"prompt_tokens_details", &Scanner::read_prompt_details}};
  if (!holds(Kind::kObject, "usage")) return;
  event_->has_usage = true;
  read_object(kFields);
}

void Scanner::read_prompt_details() {
  static constexpr Field kFields[] = {{"cached_tokens", &Scanner::read_cached_tokens}};
  if (holds(Kind::kObject, "usage.prompt_tokens_details")) read_object(kFields);
}

// Servers that always write the field mean "none" by null, false or an empty text.
void Scanner::read_error() {
  const Kind kind = cursor_.peek();
  if (kind == Kind::kString) {
    event_->is_error |= !cursor_.read_string().text.empty();
  } else {
    event_->is_error |= kind != Kind::kNull && kind != Kind::kFalse;
    cursor_.skip();
  }
}

void Scanner::read_object_name() {
  if (cursor_.peek() != Kind::kString) {
    cursor_.skip();
  } else if (cursor_.read_string().text == "error") {
    event_->is_error = true;
  }
}

void Scanner::read_ttft() {
  if (!holds(Kind::kNumber, "ttft")) return;
  const std::string_view number = cursor_.read_number();
  const auto parsed = parse_json(number, {.bytes_max = number.size()});
  double seconds = 0;
  if (parsed.ok() && parsed->as_number(&seconds)) event_->ttft_s = seconds;
}

ScanEnd Scanner::scan(std::string* text, std::string_view* wrong_field) {
  static constexpr Field kFields[] = {
      {"object", &Scanner::read_object_name}, {"choices", &Scanner::read_choices},
      {"usage", &Scanner::read_usage},        {"error", &Scanner::read_error},
      {"text", &Scanner::read_top_text},      {"ttft", &Scanner::read_ttft}};
  if (cursor_.peek() == Kind::kObject) {
    read_object(kFields);
  } else {
    wrong("the document");
  }
  if (!cursor_.end()) return ScanEnd::kNoJson;
  if (!wrong_field_.empty()) {
    *wrong_field = wrong_field_;
    return ScanEnd::kWrongType;
  }
  for (const int32_t tokens : {logprob_content_, logprob_tokens_, token_ids_}) {
    if (tokens >= 0) event_->tokens = tokens;
  }
  RawString shown;
  for (const RawString& text_of : {top_text_, choice_text_, delta_content_, message_content_}) {
    if (text_of.text.data() != nullptr) shown = text_of;
  }
  event_->has_choice |= top_text_.text.data() != nullptr;
  event_->has_text |= !shown.text.empty();
  show(shown, text);
  return ScanEnd::kFine;
}

void Scanner::show(const RawString& shown, std::string* text) {
  if (text == nullptr && !shown.escaped) {
    event_->text_bytes = shown.text.size();
    return;
  }
  scratch_.clear();
  std::string* const out = text != nullptr ? text : &scratch_;
  const size_t before = out->size();
  append_decoded(shown, out);
  event_->text_bytes = out->size() - before;
}

}  // namespace

ScanEnd scan_answer_event(std::string_view json, AnswerEvent* event, std::string* text,
                          std::string_view* wrong_field) {
  *event = AnswerEvent();
  return Scanner(json, event).scan(text, wrong_field);
}

}  // namespace hussar
