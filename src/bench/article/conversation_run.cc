#include "bench/article/conversation_run.h"

#include <charconv>

namespace hussar {
namespace {

constexpr std::string_view kPrefix = "turn/";

bool take_number(std::string_view* text, int32_t* number) {
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), *number);
  if (error != std::errc() || *number < 0) return false;
  text->remove_prefix(static_cast<size_t>(end - text->data()));
  return true;
}

}  // namespace

std::vector<Conversation> conversations_of(const Cell& cell, const ArticleOptions& options) {
  std::vector<Conversation> conversations;
  for (int32_t i = 0; i < cell.users; ++i) {
    conversations.push_back(make_conversation(cell.language, options.seed * 1000 + static_cast<uint64_t>(i)));
  }
  return conversations;
}

std::string turn_label(int32_t conversation, int32_t turn) {
  return std::string(kPrefix) + std::to_string(conversation) + "/" + std::to_string(turn);
}

std::optional<TurnPlace> read_turn_label(std::string_view label) {
  if (!label.starts_with(kPrefix)) return std::nullopt;
  label.remove_prefix(kPrefix.size());
  TurnPlace place;
  if (!take_number(&label, &place.conversation) || !label.starts_with('/')) return std::nullopt;
  label.remove_prefix(1);
  if (!take_number(&label, &place.turn) || !label.empty()) return std::nullopt;
  return place;
}

std::vector<TurnAnswer> turn_answers(const std::vector<RequestRecord>& records) {
  std::vector<TurnAnswer> answers;
  for (const RequestRecord& record : records) {
    if (record.outcome != Outcome::kOk && record.outcome != Outcome::kEmptyAnswer) continue;
    if (const auto place = read_turn_label(record.label)) {
      answers.push_back({place->conversation, place->turn, record.text});
    }
  }
  return answers;
}

}  // namespace hussar
