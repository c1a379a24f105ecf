// How many tokens a request has, in or out: always as many, or drawn.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "bench/random.h"

namespace hussar {

inline constexpr int32_t kTokensMax = 1 << 24;  // of one request

class Lengths {
 public:
  static Lengths fixed(int32_t tokens);

  // "512", "uniform:128:2048" (both ends are drawn too), "lognormal:MEDIAN:SIGMA" or
  // "lognormal:MEDIAN:SIGMA:MAX": sigma is that of the logarithm, longer draws are cut to MAX, none is below
  // 1. Errors: kInvalid, one line that shows how it is written.
  static Result<Lengths> parse(std::string_view text);

  int32_t draw(Random& random) const;
  // No draw is above `tokens` from now on; false where none can be met (a fixed length, or the least one, is
  // above it).
  bool limit_to(int32_t tokens);

  bool is_fixed() const { return kind_ == Kind::kFixed; }
  int32_t least() const { return kind_ == Kind::kLognormal ? 1 : min_; }
  int32_t greatest() const { return max_; }
  double expected() const;   // about: what memory is reckoned with
  std::string text() const;  // as parse() reads it

 private:
  enum class Kind : uint8_t { kFixed, kUniform, kLognormal };
  Kind kind_ = Kind::kFixed;
  int32_t min_ = 1, max_ = 1;  // kFixed: equal
  double median_ = 0, sigma_ = 0;
};

}  // namespace hussar
