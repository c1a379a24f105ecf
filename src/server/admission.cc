#include "server/admission.h"

#include <charconv>
#include <string>

namespace hussar {
namespace {

constexpr const char* kDeadlineHeader = "X-Request-Deadline-Ms";

}  // namespace

Result<std::optional<int64_t>> read_deadline_header(const HttpRequest& request) {
  const std::string* text = request.header(kDeadlineHeader);
  if (text == nullptr) return std::optional<int64_t>();
  int64_t ms = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), ms);
  if (error != std::errc() || end != text->data() + text->size() || ms < 1 || ms > kDeadlineMsMax) {
    return Error{ErrorCode::kInvalid,
                 std::string(kDeadlineHeader) + " must be a number of milliseconds from 1 to " +
                     std::to_string(kDeadlineMsMax),
                 kDeadlineHeader};
  }
  return std::optional(ms);
}

Result<void> apply_terms(const CompletionRequest& body, const RequestLog& log, Request* request) {
  if (body.deadline_ms && log.deadline_ms && *body.deadline_ms != *log.deadline_ms) {
    return Error{ErrorCode::kInvalid,
                 "deadline_ms and the header X-Request-Deadline-Ms differ: send one of them", "deadline_ms"};
  }
  const std::optional<int64_t> deadline_ms = body.deadline_ms ? body.deadline_ms : log.deadline_ms;
  if (deadline_ms) request->deadline = log.received + std::chrono::milliseconds(*deadline_ms);
  request->priority = static_cast<int32_t>(body.priority.value_or(0));
  return {};
}

}  // namespace hussar
