// The shapes of OpenAI's /v1/responses: whole, and as named events of a stream.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/json.h"
#include "server/answer_writer.h"

namespace hussar {

// Of one choice: that API knows no more.
class ResponsesAnswer final : public AnswerWriter {
 public:
  // `settings` are repeated in every response object.
  ResponsesAnswer(std::string model, int64_t created_unix_seconds, JsonObject settings);

  std::string whole(std::span<const WholeChoice> choices, const Usage& usage, double ttft_seconds) override;
  void begin(int32_t prompt_tokens, std::string* out) override;
  void add(size_t choice, const ChoicePiece& piece, std::string* out) override;
  void end_choice(size_t choice, const ChoicePiece& rest, const ChoiceEnd& end,
                  std::optional<double> ttft_seconds, std::string* out) override;
  void end(const Usage& usage, double ttft_seconds, std::string* out) override;
  void fail(const ApiError& error, std::string* out) override;
  std::string_view call_id_prefix() const override { return "call_"; }

 private:
  // The item that the stream is within.
  struct OpenItem {
    enum class Kind { kNone, kMessage, kCall };
    Kind kind = Kind::kNone;
    std::string id;
    std::string text;  // so far: of the message, or the call's arguments
    ToolCall call;
  };

  void event(std::string_view type, JsonObject members, std::string* out);
  void add_text(const std::string& text, std::string* out);
  void open_call(const ToolCall& call, std::string* out);
  void add_arguments(const std::string& arguments, std::string* out);
  void close_item(std::string* out);
  JsonObject item_json(std::string_view status) const;
  JsonObject response(std::string_view status, Json usage) const;
  JsonObject place() const;  // of the open item, as events name it

  const std::string id_, model_;
  const int64_t created_;
  const JsonObject settings_;
  JsonArray output_;  // complete items
  OpenItem open_;
  ChoiceEnd end_;
  Json error_;
  int64_t events_ = 0;
};

}  // namespace hussar
