#include "bench/mock_options.h"

#include <algorithm>
#include <charconv>
#include <cmath>

namespace hussar {

namespace {

constexpr std::array<std::string_view, kMockFaultCount> kFaultNames = {
    "none",  "400",     "429",   "500",   "503",      "no-answer",  "stall",      "truncate",
    "reset", "no-done", "error", "empty", "bad-json", "plain-json", "wrong-usage"};

// The whole of `text` as a number.
template <typename Number>
bool parse_number(std::string_view text, Number* number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *number);
  return error == std::errc() && end == text.data() + text.size();
}

}  // namespace

int64_t MockDelay::draw_ns(Random* random) const {
  double ms = mean_ms;
  switch (kind) {
    case Kind::kConstant:
      break;
    case Kind::kUniform:
      ms += (2 * random->uniform() - 1) * spread_ms;
      break;
    case Kind::kNormal:
      ms += random->normal() * spread_ms;
      break;
    case Kind::kLognormal: {
      // The normal distribution below it has such parameters that mean and standard deviation are as asked.
      const double variance = mean_ms > 0 ? std::log1p(spread_ms * spread_ms / (mean_ms * mean_ms)) : 0;
      ms *= std::exp(random->normal() * std::sqrt(variance) - variance / 2);
      break;
    }
    case Kind::kExponential:
      ms *= random->exponential();
      break;
  }
  constexpr double kMsMax = 86'400'000;
  return static_cast<int64_t>(std::clamp(ms, 0.0, kMsMax) * 1e6);
}

const std::vector<std::string>& mock_delay_kinds() {
  static const std::vector<std::string> names = {"constant", "uniform", "normal", "lognormal", "exponential"};
  return names;
}

std::string_view mock_fault_name(MockFault fault) { return kFaultNames[static_cast<size_t>(fault)]; }

Result<MockFault> parse_mock_fault(std::string_view name) {
  for (size_t i = 0; i < kFaultNames.size(); ++i) {
    if (kFaultNames[i] == name) return static_cast<MockFault>(i);
  }
  std::string all;
  for (const std::string_view known : kFaultNames) (all += all.empty() ? "" : ", ") += known;
  return Error{ErrorCode::kInvalid, "there is no fault '" + std::string(name) + "'; known are " + all, ""};
}

Result<MockFaultRates> parse_mock_fault_rates(std::string_view text) {
  MockFaultRates rates{};
  double sum = 0;
  while (!text.empty()) {
    const size_t comma = text.find(',');
    const std::string_view part = text.substr(0, comma);
    text.remove_prefix(comma == std::string_view::npos ? text.size() : comma + 1);
    const size_t equals = part.find('=');
    ASSIGN_OR_RETURN(const MockFault fault, parse_mock_fault(part.substr(0, equals)));
    double rate = 0;
    if (equals == std::string_view::npos || !parse_number(part.substr(equals + 1), &rate) || !(rate >= 0) ||
        rate > 1) {
      return Error{ErrorCode::kInvalid, "'" + std::string(part) + "' is not of the form truncate=0.05", ""};
    }
    rates[static_cast<size_t>(fault)] = rate;
    if (fault != MockFault::kNone) sum += rate;
  }
  // Shares that are written in tenths add up to a little more than they should.
  if (sum > 1 + 1e-9) return Error{ErrorCode::kInvalid, "the faults' shares are more than 1 in all", ""};
  return rates;
}

Result<MockTokens> parse_mock_tokens(std::string_view text) {
  constexpr int64_t kTokensMax = 1'000'000;
  const size_t colon = text.find(':');
  MockTokens tokens;
  bool valid = parse_number(text.substr(0, colon), &tokens.min);
  tokens.max = tokens.min;
  if (colon != std::string_view::npos) valid = valid && parse_number(text.substr(colon + 1), &tokens.max);
  if (valid && tokens.min >= 0 && tokens.max >= tokens.min && tokens.max <= kTokensMax) return tokens;
  return Error{ErrorCode::kInvalid, "'" + std::string(text) + "' is neither of the form 64 nor 32:128", ""};
}

}  // namespace hussar
