#include "bench/article/cell_status.h"

#include <algorithm>

#include "bench/article/section_parts.h"
#include "bench/format.h"

namespace hussar {
namespace {

void add_part(const Text& part, Text* note) {
  *note = note->en.empty() ? part : joined(*note, part, "; ", "；");
}

Text what_is_missing(const Cell& cell, const CellTarget& wanted, int64_t ok, bool any_unfinished) {
  Text note;
  if (wanted.interrupted) add_part({"interrupted", "被中断"}, &note);
  const std::string count = std::to_string(ok), all = std::to_string(wanted.requests);
  if (wanted.requests >= 0 && ok < wanted.requests) {
    add_part({count + " of " + all + " requests", all + " 个请求中的 " + count + " 个"}, &note);
  }
  if (cell.output_tokens < wanted.output_tokens) {
    const std::string asked = std::to_string(cell.output_tokens), full = std::to_string(wanted.output_tokens);
    add_part(
        {asked + " instead of " + full + " new tokens", "新 token " + asked + " 个，而非 " + full + " 个"},
        &note);
  }
  // A closed loop that ends with its box leaves answers behind in any case; without a count of requests the
  // time itself is what was cut.
  if (wanted.box_s > 0 && (wanted.requests < 0 || any_unfinished)) {
    const std::string time = format_figure(wanted.box_s, "s");
    add_part({"ended after " + time, "在 " + time + " 后结束"}, &note);
  }
  return note;
}

}  // namespace

void set_status(const Cell& cell, const CellTarget& wanted, CellResult* result) {
  if (!result->status.empty()) return;
  const auto& records = result->records;
  const int64_t ok = count_ok(records);
  const auto refused = std::find_if(records.begin(), records.end(), says_does_not_fit);
  const std::string error = first_error(records);
  if (ok == 0 && refused != records.end()) {
    result->status = "does_not_fit";
    result->note = plain(refused->detail);
    return;
  }
  if (ok == 0 && !error.empty()) {
    result->status = "failed";
    result->note = plain(error);
    return;
  }
  const bool any_unfinished = std::any_of(records.begin(), records.end(), [](const RequestRecord& record) {
    return record.outcome == Outcome::kUnfinished;
  });
  result->note = what_is_missing(cell, wanted, ok, any_unfinished);
  result->status = result->note.en.empty() ? "measured" : "cut";
}

Text does_not_fit_note(int64_t prompt_tokens, int64_t output_tokens, int64_t context_tokens) {
  const std::string prompt = std::to_string(prompt_tokens), output = std::to_string(output_tokens),
                    context = std::to_string(context_tokens);
  return {prompt + " + " + output + " tokens exceed the context of " + context,
          prompt + " + " + output + " 个 token 超出上下文 " + context};
}

}  // namespace hussar
