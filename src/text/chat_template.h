// A chat template: messages to the text that the model was trained on.
#pragma once

#include <ctime>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "text/tokenizer.h"

namespace hussar {

// What a template may cost. A template is a foreign program: it is bounded in everything.
struct TemplateLimits {
  size_t source_bytes_max = 256 << 10;
  int64_t steps_max = 2'000'000;  // expression and statement evaluations
  size_t output_bytes_max = 8 << 20;
  int32_t depth_max = 64;               // nested expressions, macros, and values
  size_t memory_bytes_max = 256 << 20;  // values alive at one time, the converted variables included
};

// Text, and which bytes of it came from the caller's values and not from the template: in those no special
// token is recognised.
struct RenderedText {
  std::string text;
  std::vector<ByteRange> foreign;  // sorted, disjoint
};

// A compiled Jinja template of the dialect that chat templates use. Immutable and thread-safe.
class ChatTemplate {
 public:
  // Errors: kUnsupported or kInvalid with line number and what was met, kTooLarge.
  static Result<ChatTemplate> compile(std::string_view source, const TemplateLimits& limits);

  ChatTemplate(ChatTemplate&&) noexcept;
  ChatTemplate& operator=(ChatTemplate&&) noexcept;
  ~ChatTemplate();

  // Whether the template has a variable of this name, and whether its source holds this text.
  bool mentions(std::string_view variable) const;
  bool spells(std::string_view text) const;

  // `trusted` variables (bos_token, eos_token, add_generation_prompt) count as the template's own text,
  // `foreign` ones (messages, tools) as the caller's; both are objects whose members become variables. One
  // thing of the caller's is trusted: `role` of a member of `messages` when it is one of system, developer,
  // user, assistant, tool, function, because some templates build a token like <|user|> of it. `now` feeds
  // strftime_now, in local time. Thread-safe. Errors: kInvalid (raise_exception's text as it is; a type error
  // with its line), kUnsupported (a method or attribute, by name), kTooLarge (steps, output, depth, memory).
  Result<RenderedText> render(const Json& trusted, const Json& foreign,
                              std::time_t now = std::time(nullptr)) const;

 private:
  struct Impl;
  explicit ChatTemplate(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace hussar
