#include "server/answer_text.h"

#include <algorithm>

#include "base/check.h"
#include "server/server.h"

namespace hussar {

std::string_view answer_bytes(const Tokenizer& tokenizer, TokenId token) {
  if (token < 0 || token >= tokenizer.vocab_size()) return {};  // rows that only pad the model's vocabulary
  const TokenKind kind = tokenizer.kind(token);
  if (kind == TokenKind::kControl || kind == TokenKind::kUnused) return {};
  return tokenizer.token_bytes(token);
}

std::vector<std::string> answer_bytes_table(const Tokenizer& tokenizer) {
  std::vector<std::string> table(static_cast<size_t>(tokenizer.vocab_size()));
  for (TokenId token = 0; token < tokenizer.vocab_size(); ++token) {
    table[static_cast<size_t>(token)] = answer_bytes(tokenizer, token);
  }
  return table;
}

AnswerText::AnswerText(const Tokenizer& tokenizer, std::shared_ptr<const StopAutomaton> stops,
                       int32_t tokens_min, const AnswerTextOptions& options)
    : tokenizer_(tokenizer), tokens_min_(tokens_min), options_(options) {
  CHECK(!stops || options.control_tokens == AnswerTextOptions::Show::kNo);
  if (stops) matcher_.emplace(std::move(stops));
}

std::string_view AnswerText::bytes_to_show(TokenId token) const {
  const bool all = options_.control_tokens == AnswerTextOptions::Show::kYes;
  if (!all || token < 0 || token >= tokenizer_.vocab_size()) return answer_bytes(tokenizer_, token);
  return tokenizer_.token_bytes(token);
}

// Feeds the matcher; up to where the answer can be shown.
int64_t AnswerText::match_end(std::string_view bytes) {
  if (!matcher_ || tokens_ < tokens_min_) {
    matcher_begin_byte_ = fed_bytes_;
    return fed_bytes_;
  }
  const bool hidden = options_.stop_text == AnswerTextOptions::Show::kNo;
  const auto match = matcher_->advance(bytes);
  if (!match) return hidden ? fed_bytes_ - matcher_->held_bytes() : fed_bytes_;
  cut_ = true;
  if (!hidden) return matcher_begin_byte_ + match->end_byte;
  const int64_t begin = matcher_begin_byte_ + match->begin_byte;
  hidden_stop_ = held_.substr(static_cast<size_t>(begin - shown_bytes_),
                              static_cast<size_t>(match->end_byte - match->begin_byte));
  return begin;
}

void AnswerText::add(const TokenEvent& event) {
  const bool ended_by_id = event.finish && event.stop_token >= 0;
  const bool hidden = ended_by_id && options_.stop_text == AnswerTextOptions::Show::kNo;
  if (event.token >= 0 && !hidden && !cut_) {
    const std::string_view bytes = bytes_to_show(event.token);
    if (options_.keep == AnswerTextOptions::Keep::kTextAndTokens) {
      const int64_t begin = fed_bytes_;
      held_tokens_.push_back({begin,
                              begin + static_cast<int64_t>(bytes.size()),
                              {event.token, std::string(bytes), code_points_, event.logprob, event.top}});
    }
    held_ += bytes;
    fed_bytes_ += static_cast<int64_t>(bytes.size());
    code_points_ += std::count_if(bytes.begin(), bytes.end(), [](char c) { return (c & 0xC0) != 0x80; });
    // The token that ended an answer by its id is no part of what stop strings are looked for in.
    const int64_t end = ended_by_id ? fed_bytes_ : match_end(bytes);
    ++tokens_;
    release(end);
  }
  if (event.finish) {
    if (!cut_) release(fed_bytes_);
    piece_.text += detokenizer_.finish();
  }
}

void AnswerText::release(int64_t end_byte) {
  const auto bytes = static_cast<size_t>(end_byte - shown_bytes_);
  piece_.text += detokenizer_.append(std::string_view(held_).substr(0, bytes));
  held_.erase(0, bytes);
  shown_bytes_ = end_byte;
  while (!held_tokens_.empty()) {
    HeldToken& first = held_tokens_.front();
    if (first.end_byte > end_byte) {
      if (!cut_ || first.begin_byte >= end_byte) break;
      first.token.bytes.resize(static_cast<size_t>(end_byte - first.begin_byte));
    }
    piece_.tokens.push_back(std::move(first.token));
    held_tokens_.pop_front();
  }
}

AnswerText::Piece AnswerText::take() {
  Piece piece = std::move(piece_);
  piece_ = {};
  return piece;
}

}  // namespace hussar
