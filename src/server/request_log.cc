#include "server/request_log.h"

#include <cstdio>

#include "base/log.h"
#include "server/admission.h"

namespace hussar {

namespace {

std::string milliseconds(TimePoint from, TimePoint to) {
  if (to == TimePoint{}) return "";
  char text[32];
  std::snprintf(text, sizeof text, "%.1f", std::chrono::duration<double, std::milli>(to - from).count());
  return text;
}

}  // namespace

void RequestLog::write(Metrics* metrics, int status, std::string_view finish,
                       const RequestTimes* times) const {
  metrics->count_response(route, status);
  if (ticket && times != nullptr)
    ticket->charge_tokens(int64_t{times->prompt_tokens} + times->generated_tokens + times->discarded_tokens);
  // Probes and scrapes come every few seconds and say nothing when all is well.
  const bool asked = (route.starts_with("/v1/") && route != "/v1/models" && route != "/v1/load") ||
                     route == "/tokenize" || route == "/detokenize";
  const bool routine = status == 200 && !asked;
  const LogLevel level = routine ? LogLevel::kDebug : LogLevel::kInfo;
  const std::string total_ms = milliseconds(received, Clock::now());
  if (times == nullptr) {
    log_line(level, "request",
             {{"id", std::to_string(id)},
              {"route", std::string(route)},
              {"status", std::to_string(status)},
              {"peer", peer},
              {"tenant", ticket ? ticket->tenant_name() : ""},
              {"trace_id", trace_id},
              {"total_ms", total_ms}});
    return;
  }
  log_line(level, "request",
           {{"id", std::to_string(id)},
            {"route", std::string(route)},
            {"status", std::to_string(status)},
            {"peer", peer},
            {"tenant", ticket ? ticket->tenant_name() : ""},
            {"trace_id", trace_id},
            {"finish", std::string(finish)},
            {"prompt_tokens", std::to_string(times->prompt_tokens)},
            {"generated_tokens", std::to_string(times->generated_tokens)},
            {"discarded_tokens", times->discarded_tokens > 0 ? std::to_string(times->discarded_tokens) : ""},
            {"queue_ms", milliseconds(received, times->admitted)},
            {"ttft_ms", milliseconds(received, times->first_token)},
            {"total_ms", total_ms}});
}

}  // namespace hussar
