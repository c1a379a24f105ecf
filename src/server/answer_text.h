// From tokens to the text that a client may see: nothing of a stop string, no broken character, no control
// token.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/request.h"
#include "grammar/stop_automaton.h"
#include "text/detokenizer.h"
#include "text/tokenizer.h"

namespace hussar {

// A token of the answer with what log-probabilities were asked for.
struct ShownToken {
  TokenId token;
  std::string
      bytes;  // what it adds to the answer; shorter than the token's own where a stop string begins within it
  int64_t text_offset;  // in code points from the answer's start
  float logprob;
  std::vector<TokenLogprob> top;
};

// What of an answer is shown.
struct AnswerTextOptions {
  enum class Keep { kText, kTextAndTokens };  // tokens when log-probabilities are wanted
  enum class Show { kNo, kYes };
  Keep keep = Keep::kText;
  // Control tokens by their names. REQUIRES: no stop strings, which are looked for without them.
  Show control_tokens = Show::kNo;
  Show stop_text = Show::kNo;  // the stop string or token that ended the answer
};

// One per answer; not thread-safe.
class AnswerText {
 public:
  // `tokens_min` as in Request: stop strings are not looked for in the first ones. `tokenizer` outlives the
  // object.
  AnswerText(const Tokenizer& tokenizer, std::shared_ptr<const StopAutomaton> stops, int32_t tokens_min,
             const AnswerTextOptions& options);

  // The next event, in order; the last one has `finish`.
  void add(const TokenEvent& event);

  // What can be shown and was not taken yet. Tokens come with or after the text that they are part of.
  struct Piece {
    std::string text;
    std::vector<ShownToken> tokens;
  };
  bool has_text() const { return !piece_.text.empty(); }
  Piece take();

  // The stop string that ended the answer, where it is not shown; empty: none did.
  const std::string& hidden_stop() const { return hidden_stop_; }

 private:
  std::string_view bytes_to_show(TokenId token) const;
  int64_t match_end(std::string_view bytes);
  void release(int64_t end_byte);  // shows the bytes up to there

  const Tokenizer& tokenizer_;
  std::optional<StopMatcher> matcher_;
  const int32_t tokens_min_;
  const AnswerTextOptions options_;
  Detokenizer detokenizer_;
  int32_t tokens_ = 0;
  int64_t fed_bytes_ = 0, shown_bytes_ = 0;
  int64_t matcher_begin_byte_ = 0;  // where the matcher's first byte stands
  int64_t code_points_ = 0;         // that begin in the fed bytes
  std::string held_;                // bytes shown_bytes_ .. fed_bytes_
  struct HeldToken {
    int64_t begin_byte, end_byte;
    ShownToken token;
  };
  std::deque<HeldToken> held_tokens_;
  bool cut_ = false;  // a stop string was found: nothing more is shown
  std::string hidden_stop_;
  Piece piece_;
};

}  // namespace hussar
