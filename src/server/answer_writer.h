// How an answer is spelled: each API has a writer of its own, behind which everything else is the same.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/request.h"
#include "server/answer_text.h"
#include "server/api_error.h"
#include "server/tool_parser.h"

namespace hussar {

struct Usage {
  int32_t prompt_tokens = 0, cached_tokens = 0, completion_tokens = 0;
  int32_t discarded_tokens = 0;  // of answers that failed their schema's check
};

// What a choice shows next: text, then calls, then more of the last call's arguments, which may have begun
// with an earlier piece.
struct ChoicePiece {
  std::string text;
  std::vector<ToolCall> calls;
  std::string arguments;
  std::vector<ShownToken> tokens;  // when log-probabilities are wanted
  std::vector<TokenId> ids;        // committed since the last piece, when they are wanted
};

// Why a choice ended: kStop or kLength. The other reasons are errors and have no answer.
struct ChoiceEnd {
  FinishReason reason = FinishReason::kStop;
  bool called = false;      // the choice has calls
  std::string stop_string;  // the one that ended it, when it is not shown
};

struct WholeChoice {
  std::vector<ChoicePiece> pieces;
  ChoiceEnd end;
};

// One per answer. For a stream: begin(), then add() for each choice as it goes on, end_choice() once each,
// and end() or fail(). Not thread-safe.
class AnswerWriter {
 public:
  virtual ~AnswerWriter() = default;

  // The document of an answer that is not streamed. `ttft_seconds` counts to the first choice's first token.
  virtual std::string whole(std::span<const WholeChoice> choices, const Usage& usage,
                            double ttft_seconds) = 0;

  // These append whole events to `out`. `prompt_tokens` is all that is known of the usage at the beginning.
  virtual void begin(int32_t prompt_tokens, std::string* out) = 0;
  virtual void add(size_t choice, const ChoicePiece& piece, std::string* out) = 0;
  // `ttft_seconds` comes with the last choice that ends.
  virtual void end_choice(size_t choice, const ChoicePiece& rest, const ChoiceEnd& end,
                          std::optional<double> ttft_seconds, std::string* out) = 0;
  virtual void end(const Usage& usage, double ttft_seconds, std::string* out) = 0;
  virtual void fail(const ApiError& error, std::string* out) = 0;

  // What the ids of calls begin with.
  virtual std::string_view call_id_prefix() const = 0;
};

// "call_" and 24 random hexadecimal digits.
std::string random_id(std::string_view prefix);

}  // namespace hussar
