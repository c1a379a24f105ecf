#include "bench/lengths.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <vector>

#include "bench/spec_text.h"

namespace hussar {
namespace {

constexpr double kSigmaMax = 10;

Error length_error(std::string_view text) {
  return {ErrorCode::kInvalid,
          "'" + std::string(text) +
              "' is no length; write 512, uniform:128:2048 or lognormal:600:0.8:4096 (median, sigma, most)",
          ""};
}

std::optional<int32_t> read_tokens(std::string_view text) {
  const auto number = read_spec_number(text);
  if (!number || *number < 1 || *number > kTokensMax || *number != std::floor(*number)) return std::nullopt;
  return static_cast<int32_t>(*number);
}

}  // namespace

Lengths Lengths::fixed(int32_t tokens) {
  Lengths lengths;
  lengths.min_ = lengths.max_ = tokens;
  return lengths;
}

Result<Lengths> Lengths::parse(std::string_view text) {
  const std::vector<std::string_view> parts = split_spec(text, ':');
  Lengths lengths;
  if (parts.size() == 1) {
    const auto tokens = read_tokens(parts[0]);
    if (!tokens) return length_error(text);
    return fixed(*tokens);
  }
  if (parts[0] == "uniform" && parts.size() == 3) {
    const auto min = read_tokens(parts[1]), max = read_tokens(parts[2]);
    if (!min || !max || *min > *max) return length_error(text);
    lengths.kind_ = Kind::kUniform;
    lengths.min_ = *min;
    lengths.max_ = *max;
    return lengths;
  }
  if (parts[0] == "lognormal" && (parts.size() == 3 || parts.size() == 4)) {
    const auto median = read_tokens(parts[1]);
    const auto sigma = read_spec_number(parts[2]);
    const auto max = parts.size() == 4 ? read_tokens(parts[3]) : kTokensMax;
    if (!median || !sigma || *sigma > kSigmaMax || !max) return length_error(text);
    lengths.kind_ = Kind::kLognormal;
    lengths.median_ = *median;
    lengths.sigma_ = *sigma;
    lengths.max_ = *max;
    return lengths;
  }
  return length_error(text);
}

int32_t Lengths::draw(Random& random) const {
  switch (kind_) {
    case Kind::kFixed:
      return min_;
    case Kind::kUniform:
      return min_ + static_cast<int32_t>(random.below(static_cast<uint64_t>(max_ - min_) + 1));
    case Kind::kLognormal: {
      const double drawn = std::round(median_ * std::exp(sigma_ * random.normal()));
      return static_cast<int32_t>(std::clamp<double>(drawn, 1, max_));
    }
  }
  return min_;
}

bool Lengths::limit_to(int32_t tokens) {
  if (tokens < least()) return false;
  max_ = std::min(max_, tokens);
  return true;
}

double Lengths::expected() const {
  switch (kind_) {
    case Kind::kFixed:
      return min_;
    case Kind::kUniform:
      return 0.5 * (min_ + max_);
    case Kind::kLognormal:
      return std::min<double>(max_, median_ * std::exp(0.5 * sigma_ * sigma_));
  }
  return min_;
}

std::string Lengths::text() const {
  switch (kind_) {
    case Kind::kFixed:
      return std::to_string(min_);
    case Kind::kUniform:
      return "uniform:" + std::to_string(min_) + ":" + std::to_string(max_);
    case Kind::kLognormal:
      break;
  }
  return "lognormal:" + shortest_text(median_) + ":" + shortest_text(sigma_) + ":" + std::to_string(max_);
}

}  // namespace hussar
