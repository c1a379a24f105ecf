#include "bench/record.h"

#include <array>

#include "base/check.h"

namespace hussar {

namespace {

constexpr std::array<std::string_view, kOutcomeCount> kOutcomeNames = {
    "ok",       "connect_failed", "connect_timeout", "first_token_timeout", "stall_timeout", "total_timeout",
    "http_4xx", "http_429",       "http_5xx",        "in_band_error",       "truncated",     "empty_answer",
    "bad_json", "usage_mismatch", "cancelled",       "unfinished"};
static_assert(static_cast<int>(Outcome::kUnfinished) + 1 == kOutcomeCount);

constexpr std::array<std::string_view, 3> kTokenSourceNames = {"unknown", "usage", "tokenize"};
static_assert(static_cast<size_t>(TokenSource::kTokenize) + 1 == kTokenSourceNames.size());

}  // namespace

std::string_view outcome_name(Outcome outcome) {
  const auto index = static_cast<size_t>(outcome);
  CHECK(index < kOutcomeNames.size());
  return kOutcomeNames[index];
}

bool is_error(Outcome outcome) {
  return outcome != Outcome::kOk && outcome != Outcome::kCancelled && outcome != Outcome::kUnfinished;
}

std::string_view token_source_name(TokenSource source) {
  const auto index = static_cast<size_t>(source);
  CHECK(index < kTokenSourceNames.size());
  return kTokenSourceNames[index];
}

}  // namespace hussar
