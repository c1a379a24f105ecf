#include "bench/article/run_article.h"

#include <algorithm>
#include <string>

namespace hussar {
namespace {

bool is_done(const std::vector<CellResult>& cells, const Cell& cell) {
  return std::any_of(cells.begin(), cells.end(),
                     [&](const CellResult& result) { return result.id == cell.id; });
}

// How much longer than estimated the cells of this run have taken: the rest will, too, within reason.
class Pace {
 public:
  void add(double estimated_s, double real_s) {
    estimated_s_ += estimated_s;
    real_s_ += real_s;
  }
  double factor() const { return estimated_s_ > 0 ? std::clamp(real_s_ / estimated_s_, 0.2, 5.0) : 1; }

 private:
  double estimated_s_ = 0, real_s_ = 0;
};

// --quick: the time that each dimension has left.
class Box {
 public:
  explicit Box(const ArticleBench& bench) : bench_(bench) {}

  // `rest`: the cells of the dimension that are to come, this one first.
  CellTime time_for(const std::vector<Cell>& rest, bool any_success) {
    if (!bench_.options.quick) return {};
    if (!begun_ || rest.front().dimension != dimension_) {
      begun_ = true;
      dimension_ = rest.front().dimension;
      ends_ = Clock::now() + std::chrono::duration_cast<Clock::duration>(
                                 std::chrono::duration<double>(bench_.options.box_s));
    }
    const double left_s = std::chrono::duration<double>(ends_ - Clock::now()).count();
    // Not nothing, so that a cell behind a late one still says what became of it.
    const double share_s = std::max(0.2, share_of_box(rest, bench_.options, bench_.speed, left_s));
    return {share_s, any_success ? 0 : std::max(0.0, left_s - share_s)};
  }

 private:
  const ArticleBench& bench_;
  bool begun_ = false;
  Dimension dimension_ = Dimension::kLatency;
  TimePoint ends_;
};

}  // namespace

double estimated_rest_s(const std::vector<Cell>& plan, const std::vector<CellResult>& done,
                        const ArticleOptions& options, const Speed& speed) {
  double rest_s = 0;
  for (int i = 0; i < kDimensionCount; ++i) {
    double dimension_s = 0;
    for (const Cell& cell : plan) {
      if (cell.dimension != static_cast<Dimension>(i) || is_done(done, cell)) continue;
      dimension_s += estimated_seconds(cell, options, speed);
    }
    rest_s += options.quick ? std::min(dimension_s, options.box_s) : dimension_s;
  }
  return rest_s;
}

Result<bool> run_plan(const ArticleBench& bench, const std::vector<Cell>& plan, const ArticleHooks& hooks,
                      std::vector<CellResult>* cells) {
  Pace pace;
  Box box(bench);
  for (size_t i = 0; i < plan.size(); ++i) {
    const Cell& cell = plan[i];
    if (is_done(*cells, cell)) continue;
    if (*bench.stop) return true;
    std::vector<Cell> rest;
    bool any_success = false;
    for (const Cell& other : plan) {
      if (other.dimension == cell.dimension && !is_done(*cells, other)) rest.push_back(other);
    }
    for (const CellResult& result : *cells) {
      const auto of =
          std::find_if(plan.begin(), plan.end(), [&](const Cell& one) { return one.id == result.id; });
      any_success = any_success ||
                    (of != plan.end() && of->dimension == cell.dimension && count_ok(result.records) > 0);
    }
    const double left_s = pace.factor() * estimated_rest_s(plan, *cells, bench.options, bench.speed);
    if (hooks.on_cell) hooks.on_cell({&cell, i + 1, plan.size(), left_s});
    CellResult result = run_cell(bench, cell, i, box.time_for(rest, any_success));
    pace.add(estimated_seconds(cell, bench.options, bench.speed), result.seconds);
    cells->push_back(std::move(result));
    if (*bench.stop) return true;
    if (hooks.on_result) RETURN_IF_ERROR(hooks.on_result(cells->back()));
  }
  return false;
}

}  // namespace hussar
