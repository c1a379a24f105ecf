// What a run of the article's test reads from outside: a model's answer, and the state that an interrupted
// run left. Whatever the bytes, judging ends, and what was read can be written and read again.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "base/utf8.h"
#include "bench/article/conversation.h"
#include "bench/article/json_tasks.h"
#include "bench/article/long_text.h"
#include "bench/article/state.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  for (const hussar::JsonTask* task : {&hussar::article_json_task(), &hussar::keyed_json_tasks()[0]}) {
    const hussar::AnswerVerdict verdict = hussar::judge_answer(*task, text);
    CHECK(verdict.legal_inside || verdict.has(hussar::AnswerFault::kSyntax));
    CHECK(!verdict.ok() || verdict.values_right);
    CHECK(hussar::is_valid_utf8(verdict.detail));
  }
  const hussar::LongTextScores scores = hussar::score_long_text(text, 5000);
  CHECK(scores.length_score >= 0 && scores.length_score <= 100);
  for (const hussar::RepeatedPhrase& phrase : scores.phrases) CHECK(phrase.count >= 2);
  (void)hussar::mentions(text, "星期三|周三");

  size_t whole_bytes = 0;
  const auto state = hussar::read_run_state(text, &whole_bytes);
  if (!state.ok()) return 0;
  CHECK(whole_bytes <= size);
  if (whole_bytes == 0) return 0;
  std::string again = hussar::run_state_head(*state);
  for (const hussar::CellResult& cell : state->cells) again += hussar::run_state_line(cell);
  const auto second = hussar::read_run_state(again, &whole_bytes);
  CHECK(second.ok() && whole_bytes == again.size() && second->cells.size() == state->cells.size());
  return 0;
}
