#include "server/trace_context.h"

#include <algorithm>
#include <random>

namespace hussar {
namespace {

constexpr size_t kTraceIdDigits = 32, kSpanIdDigits = 16;
constexpr std::string_view kDigits = "0123456789abcdef";

bool is_hex(std::string_view text) { return text.find_first_not_of(kDigits) == std::string_view::npos; }

bool is_id(std::string_view text) {
  return is_hex(text) && text.find_first_not_of('0') != std::string_view::npos;
}

}  // namespace

std::string TraceContext::text() const { return "00-" + trace_id + "-" + parent_id + "-" + flags; }

std::optional<TraceContext> read_traceparent(std::string_view text) {
  // 00-<32>-<16>-<2>
  constexpr size_t kTrace = 3, kSpan = kTrace + kTraceIdDigits + 1, kFlags = kSpan + kSpanIdDigits + 1;
  constexpr size_t kEnd = kFlags + 2;
  if (text.size() < kEnd) return std::nullopt;
  const std::string_view version = text.substr(0, 2);
  if (!is_hex(version) || version == "ff") return std::nullopt;
  if (text.size() > kEnd && (version == "00" || text[kEnd] != '-')) return std::nullopt;
  if (text[kTrace - 1] != '-' || text[kSpan - 1] != '-' || text[kFlags - 1] != '-') return std::nullopt;
  const std::string_view trace = text.substr(kTrace, kTraceIdDigits),
                         span = text.substr(kSpan, kSpanIdDigits);
  const std::string_view flags = text.substr(kFlags, 2);
  if (!is_id(trace) || !is_id(span) || !is_hex(flags)) return std::nullopt;
  return TraceContext{std::string(trace), std::string(span), std::string(flags)};
}

TraceContext child_of(const TraceContext& parent) {
  TraceContext child = parent;
  std::random_device device;
  do {
    for (char& digit : child.parent_id) digit = kDigits[device() % kDigits.size()];
  } while (!is_id(child.parent_id));
  return child;
}

}  // namespace hussar
