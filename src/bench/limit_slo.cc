#include "bench/limit_slo.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "bench/spec_text.h"

namespace hussar {
namespace {

constexpr size_t kTermsMax = 16;
constexpr double kLimitMsMax = 3'600'000;
constexpr SloMetric kTimed[] = {SloMetric::kTtft, SloMetric::kTpot, SloMetric::kItl, SloMetric::kE2e};

Error slo_error(std::string_view term, const std::string& what) {
  return {ErrorCode::kInvalid,
          "'" + std::string(term) + "': " + what + "; write it as ttft_p99=500ms,tpot_p99=50ms,error=0.1%",
          ""};
}

// "99", "99.9", and as the field likes to write it, "999": the fraction above it.
std::optional<double> read_over_fraction(std::string_view text) {
  if (text.size() > 7 || text.find_first_not_of("0123456789.") != std::string_view::npos) return std::nullopt;
  std::string percent(text);
  if (percent.size() > 2 && percent[0] == '9' && percent.find('.') == std::string::npos) {
    percent.insert(2, ".");
  }
  const auto number = read_spec_number(percent);
  if (!number || *number <= 0 || *number >= 100) return std::nullopt;
  // Rounded, so that p99.9 leaves 0.001 and not 0.00099999999999994.
  return std::round((100 - *number) * 1e6) / 1e8;
}

Result<SloTerm> read_error_term(std::string_view term, std::string_view value) {
  const auto fraction = read_spec_fraction(value);
  if (!fraction || *fraction <= 0 || *fraction >= 1) {
    return slo_error(term, "an error rate is above 0% and below 100%");
  }
  return SloTerm{SloMetric::kError, *fraction, 0};
}

Result<SloTerm> read_timed_term(std::string_view term, std::string_view name, std::string_view value) {
  const size_t mark = name.find('_');
  const std::string_view metric_name = name.substr(0, mark);
  const auto metric = std::find_if(std::begin(kTimed), std::end(kTimed),
                                   [&](SloMetric known) { return slo_metric_name(known) == metric_name; });
  if (metric == std::end(kTimed)) return slo_error(term, "the metrics are ttft, tpot, itl, e2e and error");
  if (mark == std::string_view::npos || mark + 1 >= name.size() || name[mark + 1] != 'p') {
    return slo_error(
        term, std::string(metric_name) + " needs a percentile, as " + std::string(metric_name) + "_p99");
  }
  const auto over_fraction = read_over_fraction(name.substr(mark + 2));
  if (!over_fraction || *over_fraction <= 0) {
    return slo_error(term, "a percentile is above 0 and below 100, as p50, p99 or p99.9");
  }
  const auto limit_ms = read_spec_milliseconds(value);
  if (!limit_ms || *limit_ms <= 0 || *limit_ms > kLimitMsMax) {
    return slo_error(term, "a limit is a time with its unit (us, ms or s), at most an hour");
  }
  return SloTerm{*metric, *over_fraction, *limit_ms};
}

}  // namespace

std::string_view slo_metric_name(SloMetric metric) {
  switch (metric) {
    case SloMetric::kTtft:
      return "ttft";
    case SloMetric::kTpot:
      return "tpot";
    case SloMetric::kItl:
      return "itl";
    case SloMetric::kE2e:
      return "e2e";
    case SloMetric::kError:
      return "error";
  }
  return "";
}

std::string SloTerm::text() const {
  std::string text(slo_metric_name(metric));
  if (metric == SloMetric::kError) return text + "=" + shortest_text(over_fraction * 100) + "%";
  const double percentile = std::round((100 - over_fraction * 100) * 1e6) / 1e6;
  return text + "_p" + shortest_text(percentile) + "=" + shortest_text(limit_ms) + "ms";
}

Result<SloSpec> SloSpec::parse(std::string_view text) {
  SloSpec spec;
  for (const std::string_view term : split_spec(text, ',')) {
    const size_t equals = term.find('=');
    if (equals == std::string_view::npos) return slo_error(term, "it has no '='");
    const std::string_view name = term.substr(0, equals), value = term.substr(equals + 1);
    auto read = name == "error" ? read_error_term(term, value) : read_timed_term(term, name, value);
    if (!read.ok()) return std::move(read).error();
    for (const SloTerm& other : spec.terms) {
      const bool same_percentile =
          read->metric == SloMetric::kError || other.over_fraction == read->over_fraction;
      if (other.metric == read->metric && same_percentile) {
        return slo_error(term, "it is given more than once");
      }
    }
    if (spec.terms.size() == kTermsMax) return slo_error(term, "too many limits");
    spec.terms.push_back(*read);
  }
  return spec;
}

std::string SloSpec::text() const {
  std::string text;
  for (const SloTerm& term : terms) text += (text.empty() ? "" : ",") + term.text();
  return text;
}

bool SloSpec::has(SloMetric metric) const {
  return std::any_of(terms.begin(), terms.end(), [&](const SloTerm& term) { return term.metric == metric; });
}

Slo SloSpec::each_request() const {
  Slo slo;
  const auto tighten = [](double limit_ms, double* to) {
    if (*to < 0 || limit_ms < *to) *to = limit_ms;
  };
  for (const SloTerm& term : terms) {
    switch (term.metric) {
      case SloMetric::kTtft:
        tighten(term.limit_ms, &slo.ttft_ms);
        break;
      case SloMetric::kTpot:
        tighten(term.limit_ms, &slo.tpot_ms);
        break;
      case SloMetric::kItl:
        tighten(term.limit_ms, &slo.itl_ms);
        break;
      case SloMetric::kE2e:
        tighten(term.limit_ms, &slo.e2e_ms);
        break;
      case SloMetric::kError:
        break;
    }
  }
  return slo;
}

}  // namespace hussar
