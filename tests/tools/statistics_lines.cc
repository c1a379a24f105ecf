// Evaluates src/bench/statistics.h for the Python oracle: one JSON array a line in, [name, arguments ...],
// one JSON array of numbers a line out.
#include <cstdio>
#include <iostream>
#include <string>
#include <vector>

#include "base/json.h"
#include "bench/random.h"
#include "bench/special_functions.h"
#include "bench/statistics.h"

namespace {

using namespace hussar;

double number(const Json& json) {
  double value = 0;
  CHECK(json.as_number(&value));
  return value;
}
int64_t integer(const Json& json) {
  CHECK(json.as_int());
  return *json.as_int();
}
std::vector<double> numbers(const Json& json) {
  CHECK(json.as_array());
  std::vector<double> values;
  for (const Json& item : *json.as_array()) values.push_back(number(item));
  return values;
}
std::vector<int64_t> integers(const Json& json) {
  CHECK(json.as_array());
  std::vector<int64_t> values;
  for (const Json& item : *json.as_array()) values.push_back(integer(item));
  return values;
}
Statistic statistic(const Json& json) {
  CHECK(json.as_string());
  const std::string& name = *json.as_string();
  if (name == "p50") return Statistic::kP50;
  if (name == "p90") return Statistic::kP90;
  if (name == "p99") return Statistic::kP99;
  CHECK(name == "mean");
  return Statistic::kMean;
}
JsonArray pair(const Interval& interval) { return {interval.low, interval.high}; }

JsonArray evaluate(const JsonArray& line) {
  CHECK(!line.empty() && line[0].as_string());
  const std::string& name = *line[0].as_string();
  const auto argument = [&](size_t index) -> const Json& {
    CHECK(index < line.size());
    return line[index];
  };
  if (name == "quantile") return {quantile(numbers(argument(1)), number(argument(2)))};
  if (name == "ranks") {
    const RankInterval ranks = quantile_ranks(integer(argument(1)), number(argument(2)), number(argument(3)));
    return {ranks.low, ranks.high};
  }
  if (name == "binomial_cdf")
    return {binomial_cdf(integer(argument(1)), integer(argument(2)), number(argument(3)))};
  if (name == "t_quantile") return {student_t_quantile(number(argument(1)), number(argument(2)))};
  if (name == "normal_quantile") return {normal_quantile(number(argument(1)))};
  if (name == "mean_interval") return pair(mean_interval(numbers(argument(1)), number(argument(2))));
  if (name == "wilson")
    return pair(wilson_interval(integer(argument(1)), integer(argument(2)), number(argument(3))));
  if (name == "clopper_pearson")
    return pair(clopper_pearson(integer(argument(1)), integer(argument(2)), number(argument(3))));
  if (name == "newcombe") {
    return pair(newcombe_difference(integer(argument(1)), integer(argument(2)), integer(argument(3)),
                                    integer(argument(4)), number(argument(5))));
  }
  if (name == "welch")
    return pair(welch_difference(numbers(argument(1)), numbers(argument(2)), number(argument(3))));
  if (name == "bootstrap") {
    return pair(bootstrap_difference(numbers(argument(1)), numbers(argument(2)), statistic(argument(3)),
                                     static_cast<int32_t>(integer(argument(4))),
                                     static_cast<uint64_t>(integer(argument(5))), number(argument(6))));
  }
  if (name == "bootstrap_groups") {
    const std::vector<double> a = numbers(argument(1)), b = numbers(argument(3));
    const std::vector<int64_t> sizes_a = integers(argument(2)), sizes_b = integers(argument(4));
    return pair(bootstrap_difference(GroupedSamples{a, sizes_a}, GroupedSamples{b, sizes_b},
                                     statistic(argument(5)), static_cast<int32_t>(integer(argument(6))),
                                     static_cast<uint64_t>(integer(argument(7))), number(argument(8))));
  }
  if (name == "random") {  // seed, count: raw 64-bit words as two halves each
    Random random(static_cast<uint64_t>(integer(argument(1))));
    JsonArray words;
    for (int64_t i = 0; i < integer(argument(2)); ++i) {
      const uint64_t word = random.next();
      words.push_back(static_cast<int64_t>(word >> 32));
      words.push_back(static_cast<int64_t>(word & 0xFFFFFFFFu));
    }
    return words;
  }
  CHECK_NOTE(false, name.c_str());
  return {};
}

}  // namespace

int main() {
  std::string text;
  while (std::getline(std::cin, text)) {
    const auto line = parse_json(text, JsonLimits{.bytes_max = 64 << 20});
    CHECK(line.ok() && line->as_array());
    std::printf("%s\n", write_json(Json(evaluate(*line->as_array()))).c_str());
  }
  return 0;
}
