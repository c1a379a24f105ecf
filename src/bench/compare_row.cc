#include "bench/compare_row.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

#include "bench/format.h"

namespace hussar {
namespace {

constexpr uint64_t kSeed = 20251125;  // the same files give the same intervals
constexpr size_t kGroupsMin = 20;     // below, drawing whole requests covers too little: 90 % instead of 95
constexpr double kAnswersPerSliceMin = 2;
constexpr double kVisibleLateness = 0.01;  // of a latency: from there on the scheduled one is shown too
constexpr double kLengthsDiffer = 0.05, kErrorsMatter = 0.01;
constexpr size_t kFiguresMax = 200;  // of one row

enum class Better { kLower, kHigher };

FigureVerdict verdict_of(const Interval& difference, Better better) {
  if (difference.low <= 0 && difference.high >= 0) return FigureVerdict::kNoDifference;
  return (difference.high < 0) == (better == Better::kLower) ? FigureVerdict::kBetter : FigureVerdict::kWorse;
}

// Compares one row's figures.
class RowComparer {
 public:
  RowComparer(const RunRow& a, const RunRow& b, double confidence, ComparedRow* out)
      : a_(a), b_(b), confidence_(confidence), out_(out) {}

  void compare() {
    if (a_.summarised && b_.summarised) {
      add_latencies();
      add_rates();
      add_error_rate();
      add_notes();
    }
    add_scores("extra", Json(a_.extra), Json(b_.extra), 0);
  }

 private:
  struct Percentile {
    Statistic statistic;
    double q;
    const char* name;
    double RunDistribution::*value;
  };
  static constexpr Percentile kP50{Statistic::kP50, 0.5, "p50", &RunDistribution::p50};
  static constexpr Percentile kP90{Statistic::kP90, 0.9, "p90", &RunDistribution::p90};
  static constexpr Percentile kP99{Statistic::kP99, 0.99, "p99", &RunDistribution::p99};

  static const RunDistribution* distribution(const RunRow& row, const std::string& metric) {
    const auto found = row.summary.distributions.find(metric);
    return found == row.summary.distributions.end() ? nullptr : &found->second;
  }
  static const std::vector<double>* samples(const RunRow& row, const std::string& metric) {
    const auto found = row.summary.samples.find(metric);
    return found == row.summary.samples.end() ? nullptr : &found->second;
  }

  // Whether a percentile of so many samples has both ends of its own interval.
  bool enough(size_t count, double q) const {
    const RankInterval ranks = quantile_ranks(static_cast<int64_t>(count), q, confidence_);
    return ranks.low >= 1 && ranks.high <= static_cast<int64_t>(count);
  }

  // A hundred resamples or more beyond each pair of ends.
  int32_t resamples() const { return static_cast<int32_t>(std::ceil(100 / (1 - confidence_))); }

  void add_latencies() {
    struct Metric {
      const char* name;
      const char* title;
      const char* shown_beside;  // only where it differs from this one
    };
    constexpr Metric kMetrics[] = {{"ttft_ms", "TTFT", nullptr},
                                   {"ttft_scheduled_ms", "TTFT (scheduled)", "ttft_ms"},
                                   {"tpot_ms", "TPOT", nullptr},
                                   {"itl_ms", "ITL", nullptr},
                                   {"e2e_ms", "E2E", nullptr},
                                   {"e2e_scheduled_ms", "E2E (scheduled)", "e2e_ms"},
                                   {"normalised_ms_per_token", "E2E / token", nullptr}};
    for (const Metric& metric : kMetrics) {
      if (distribution(a_, metric.name) == nullptr || distribution(b_, metric.name) == nullptr) continue;
      if (metric.shown_beside && !late(a_, metric.name, metric.shown_beside) &&
          !late(b_, metric.name, metric.shown_beside)) {
        continue;
      }
      add_percentile(metric.name, metric.title, kP50);
      // Where the tail is out of reach, a nearer one may not be.
      const bool far = tail_fits(metric.name, kP99) || !tail_fits(metric.name, kP90);
      add_percentile(metric.name, metric.title, far ? kP99 : kP90);
    }
  }

  static bool late(const RunRow& row, const std::string& scheduled, const std::string& actual) {
    const RunDistribution* planned = distribution(row, scheduled);
    const RunDistribution* real = distribution(row, actual);
    if (planned == nullptr || real == nullptr) return false;
    return planned->p50 > real->p50 * (1 + kVisibleLateness) ||
           planned->p99 > real->p99 * (1 + kVisibleLateness);
  }

  bool tail_fits(const std::string& metric, const Percentile& percentile) const {
    const std::vector<double>*a = samples(a_, metric), *b = samples(b_, metric);
    return a != nullptr && b != nullptr && enough(a->size(), percentile.q) && enough(b->size(), percentile.q);
  }

  void add_percentile(const std::string& metric, const std::string& title, const Percentile& percentile) {
    ComparedFigure figure;
    figure.name = metric + "." + percentile.name;
    figure.title = {title + " " + percentile.name};
    figure.unit = "ms";
    figure.a = distribution(a_, metric)->*percentile.value;
    figure.b = distribution(b_, metric)->*percentile.value;
    const std::vector<double>*a = samples(a_, metric), *b = samples(b_, metric);
    if (a != nullptr && b != nullptr) {
      figure.count_a = static_cast<int64_t>(a->size());
      figure.count_b = static_cast<int64_t>(b->size());
      figure.verdict = FigureVerdict::kTooFew;
      if (tail_fits(metric, percentile)) add_bootstrap(metric, percentile, *a, *b, &figure);
    }
    add(std::move(figure));
  }

  void add_bootstrap(const std::string& metric, const Percentile& percentile, const std::vector<double>& a,
                     const std::vector<double>& b, ComparedFigure* figure) const {
    Interval interval;
    const std::vector<int64_t>&sizes_a = a_.summary.itl_group_sizes, &sizes_b = b_.summary.itl_group_sizes;
    if (metric == "itl_ms") {
      figure->method = "bootstrap by request";
      if (sizes_a.size() < kGroupsMin || sizes_b.size() < kGroupsMin) return;
      interval = bootstrap_difference(GroupedSamples{a, sizes_a}, GroupedSamples{b, sizes_b},
                                      percentile.statistic, resamples(), kSeed, confidence_);
    } else {
      figure->method = "bootstrap";
      interval = bootstrap_difference(a, b, percentile.statistic, resamples(), kSeed, confidence_);
    }
    // The figures are those of all samples, the interval that of the kept ones: it is moved to where they
    // differ.
    const double kept = value_of(percentile.statistic, b) - value_of(percentile.statistic, a);
    const double shift = figure->b - figure->a - kept;
    figure->difference = Interval{interval.low + shift, interval.high + shift};
    figure->verdict = verdict_of(*figure->difference, Better::kLower);
  }

  void add_rates() {
    add_rate("qps", "QPS", "1/s", "qps_steady", "qps_slices");
    add_rate("output_tokens_per_s", "Output tokens", "tok/s", "output_tokens_per_s_steady",
             "output_tokens_per_s_slices");
    add_rate("total_tokens_per_s", "All tokens", "tok/s", "total_tokens_per_s_steady", "");
    add_rate("goodput_qps", "Goodput", "1/s", "goodput_qps", "");
  }

  void add_rate(const char* name, const char* title, const char* unit, const char* rate, const char* slices) {
    const auto rate_a = a_.summary.rates.find(rate), rate_b = b_.summary.rates.find(rate);
    if (rate_a == a_.summary.rates.end() || rate_b == b_.summary.rates.end()) return;
    ComparedFigure figure;
    figure.name = name;
    figure.title = {title};
    figure.unit = unit;
    figure.a = rate_a->second;
    figure.b = rate_b->second;
    const std::vector<double>*a = samples(a_, slices), *b = samples(b_, slices);
    if (a != nullptr && b != nullptr && a->size() >= 2 && b->size() >= 2) {
      figure.count_a = static_cast<int64_t>(a->size());
      figure.count_b = static_cast<int64_t>(b->size());
      figure.method = "welch";
      figure.verdict = FigureVerdict::kTooFew;
      if (answers_fill_slices(a_, a->size()) && answers_fill_slices(b_, b->size())) {
        figure.difference = welch_difference(*a, *b, confidence_);
        figure.verdict = verdict_of(*figure.difference, Better::kHigher);
      }
    }
    add(std::move(figure));
  }

  // Slices that hold hardly an answer each are no sums that a t interval could stand on.
  static bool answers_fill_slices(const RunRow& row, size_t slices) {
    const auto rate = row.summary.rates.find("qps_steady");
    return rate != row.summary.rates.end() &&
           rate->second * row.summary.steady_s >= kAnswersPerSliceMin * static_cast<double>(slices);
  }

  void add_error_rate() {
    const RunSummary &a = a_.summary, &b = b_.summary;
    add_proportion("error_rate", {"Error rate"}, a.errors, a.ok + a.errors, b.errors, b.ok + b.errors,
                   Better::kLower);
  }

  void add_proportion(std::string name, Text title, int64_t hits_a, int64_t trials_a, int64_t hits_b,
                      int64_t trials_b, Better better) {
    if (trials_a == 0 || trials_b == 0) return;
    ComparedFigure figure;
    figure.name = std::move(name);
    figure.title = std::move(title);
    figure.unit = "%";
    figure.a = static_cast<double>(hits_a) / static_cast<double>(trials_a);
    figure.b = static_cast<double>(hits_b) / static_cast<double>(trials_b);
    figure.count_a = trials_a;
    figure.count_b = trials_b;
    figure.method = "newcombe";
    figure.difference = newcombe_difference(hits_a, trials_a, hits_b, trials_b, confidence_);
    figure.verdict = verdict_of(*figure.difference, better);
    add(std::move(figure));
  }

  // Scores as they come, at any depth: {"count": trials, "right": hits} is a share, a number a figure of its
  // own.
  void add_scores(const std::string& path, const Json& a, const Json& b, int depth) {
    constexpr int kDepthMax = 8;
    if (depth > kDepthMax || out_->figures.size() >= kFiguresMax) return;
    if (a.as_object() && b.as_object()) {
      if (add_share(path, a, b)) return;
      std::map<std::string_view, const Json*> others;
      for (const auto& [name, value] : *b.as_object()) others.emplace(name, &value);
      for (const auto& [name, value] : *a.as_object()) {
        if (const auto other = others.find(name); other != others.end())
          add_scores(path + "." + name, value, *other->second, depth + 1);
      }
      return;
    }
    if (a.as_array() && b.as_array()) {
      const JsonArray &items = *a.as_array(), &others = *b.as_array();
      for (size_t i = 0; i < std::min(items.size(), others.size()); ++i)
        add_scores(path + "." + item_name(items[i], i), items[i], others[i], depth + 1);
      return;
    }
    ComparedFigure figure;
    if (!a.as_number(&figure.a) || !b.as_number(&figure.b)) return;
    if (std::abs(figure.a) > kResultsNumberMax || std::abs(figure.b) > kResultsNumberMax) return;
    figure.name = path;
    figure.title = {score_title(path)};
    add(std::move(figure));
  }

  bool add_share(const std::string& path, const Json& a, const Json& b) {
    const auto read = [](const Json& share, int64_t* hits, int64_t* trials) {
      const Json *count = share.find("count"), *right = share.find("right");
      if (!count || !right || !count->as_int() || !right->as_int()) return false;
      *trials = *count->as_int();
      *hits = *right->as_int();
      return *hits >= 0 && *hits <= *trials && static_cast<double>(*trials) <= kResultsNumberMax;
    };
    int64_t hits_a = 0, trials_a = 0, hits_b = 0, trials_b = 0;
    if (!read(a, &hits_a, &trials_a) || !read(b, &hits_b, &trials_b)) return false;
    add_proportion(path, {score_title(path)}, hits_a, trials_a, hits_b, trials_b, Better::kHigher);
    return true;
  }

  // Items of a list are called after their first member where that is a number: "turns 8".
  static std::string item_name(const Json& item, size_t index) {
    const JsonObject* members = item.as_object();
    if (members != nullptr && !members->empty() && members->front().second.as_int())
      return members->front().first + " " + std::to_string(*members->front().second.as_int());
    return std::to_string(index);
  }

  static std::string score_title(const std::string& path) {
    std::string title = path.substr(path.find('.') + 1);
    for (size_t at = title.find('.'); at != std::string::npos; at = title.find('.', at))
      title.replace(at, 1, ", ");
    std::replace(title.begin(), title.end(), '_', ' ');
    return title;
  }

  void add_notes() {
    const RunDistribution *out_a = distribution(a_, "output_tokens_each"),
                          *out_b = distribution(b_, "output_tokens_each");
    const auto differ = [](const RunDistribution* a, const RunDistribution* b) {
      return a && b && std::abs(a->mean - b->mean) > kLengthsDiffer * std::max(a->mean, b->mean);
    };
    const auto means = [](const RunDistribution* a, const RunDistribution* b) {
      return std::pair(format_figure(a->mean), format_figure(b->mean));
    };
    if (differ(out_a, out_b)) {
      const auto [a, b] = means(out_a, out_b);
      out_->notes.push_back({"Answers differ in length: " + a + " tokens on average in A, " + b +
                                 " in B. TPOT and ITL compare, E2E and QPS hardly do.",
                             "回答长度不同：A 平均 " + a + " 个 token，B 平均 " + b +
                                 " 个。TPOT 与 ITL 可比，E2E 与 QPS 基本不可比。"});
    }
    const RunDistribution *in_a = distribution(a_, "prompt_tokens_each"),
                          *in_b = distribution(b_, "prompt_tokens_each");
    if (differ(in_a, in_b)) {
      const auto [a, b] = means(in_a, in_b);
      out_->notes.push_back({"Prompts differ in length: " + a + " tokens on average in A, " + b + " in B.",
                             "提示长度不同：A 平均 " + a + " 个 token，B 平均 " + b + " 个。"});
    }
    const auto share = [](const RunSummary& summary) {
      const double all = static_cast<double>(summary.ok + summary.errors);
      return all > 0 ? static_cast<double>(summary.errors) / all : 0;
    };
    if (std::max(share(a_.summary), share(b_.summary)) > kErrorsMatter) {
      out_->notes.push_back(
          {"Latencies are those of successes: a run that refuses more may look faster for it.",
           "延迟只计成功的请求：拒绝更多请求的一方可能因此显得更快。"});
    }
  }

  void add(ComparedFigure figure) {
    if (out_->figures.size() < kFiguresMax) out_->figures.push_back(std::move(figure));
  }

  const RunRow& a_;
  const RunRow& b_;
  double confidence_;
  ComparedRow* out_;
};

}  // namespace

ComparedRow compare_rows(const RunRow& a, const RunRow& b, double confidence) {
  ComparedRow row;
  RowComparer(a, b, confidence, &row).compare();
  return row;
}

}  // namespace hussar
