// The shapes of Anthropic's /v1/messages: whole, and as named events of a stream.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/json.h"
#include "server/answer_writer.h"

namespace hussar {

// Of one choice: that API knows no more.
class MessagesAnswer final : public AnswerWriter {
 public:
  explicit MessagesAnswer(std::string model) : id_(random_id("msg_")), model_(std::move(model)) {}

  std::string whole(std::span<const WholeChoice> choices, const Usage& usage, double ttft_seconds) override;
  void begin(int32_t prompt_tokens, std::string* out) override;
  void add(size_t choice, const ChoicePiece& piece, std::string* out) override;
  void end_choice(size_t choice, const ChoicePiece& rest, const ChoiceEnd& end,
                  std::optional<double> ttft_seconds, std::string* out) override;
  void end(const Usage& usage, double ttft_seconds, std::string* out) override;
  void fail(const ApiError& error, std::string* out) override;
  std::string_view call_id_prefix() const override { return "toolu_"; }

 private:
  enum class Block { kNone, kText, kCall };

  void open_block(Block kind, Json block, std::string* out);
  void add_delta(JsonObject delta, std::string* out);
  void close_block(std::string* out);
  JsonObject message(JsonArray content, Json stop_reason, Json stop_sequence, Json usage) const;

  const std::string id_, model_;
  Block block_ = Block::kNone;  // that the stream is within
  int64_t index_ = 0;           // of that block, or of the next one
  ChoiceEnd end_;
};

}  // namespace hussar
