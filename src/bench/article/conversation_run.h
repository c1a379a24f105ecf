// The conversations of a cell: which there are, and what each answer in the records was to.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bench/article/conversation.h"
#include "bench/article/plan.h"
#include "bench/record.h"

namespace hussar {

// The conversations of a cell; always the same ones from the same options.
std::vector<Conversation> conversations_of(const Cell& cell, const ArticleOptions& options);

// "turn/3/17": the 18th turn of the fourth conversation.
std::string turn_label(int32_t conversation, int32_t turn);
struct TurnPlace {
  int32_t conversation = 0, turn = 0;
};
std::optional<TurnPlace> read_turn_label(std::string_view label);

// Answers to turns, from records with their text. An empty answer is one too.
std::vector<TurnAnswer> turn_answers(const std::vector<RequestRecord>& records);

}  // namespace hussar
