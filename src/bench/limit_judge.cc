#include "bench/limit_judge.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"
#include "bench/special_functions.h"

namespace hussar {
namespace {

constexpr int64_t kMissedLookMin = 8;
constexpr double kNsPerMs = 1e6, kNsPerSecond = 1e9;

double milliseconds(int64_t from_ns, int64_t to_ns) {
  return static_cast<double>(to_ns - from_ns) / kNsPerMs;
}

}  // namespace

int64_t over_max(int64_t samples, double over_fraction, double alpha) {
  int64_t low = -1, high = samples;  // F(low) <= alpha < F(high): F(samples) is 1
  while (high - low > 1) {
    const int64_t middle = low + (high - low) / 2;
    (binomial_cdf(middle, samples, over_fraction) <= alpha ? low : high) = middle;
  }
  return low;
}

int64_t samples_min(double over_fraction, double alpha) {
  CHECK(over_fraction > 0 && over_fraction < 1 && alpha > 0 && alpha < 1);
  return static_cast<int64_t>(std::ceil(std::log(alpha) / std::log1p(-over_fraction)));
}

bool shows_missed(int64_t over, int64_t samples, double over_fraction, double alpha) {
  if (over == 0) return false;
  // P(X >= over) as an incomplete beta function, which keeps its digits where it is small.
  return incomplete_beta(static_cast<double>(over), static_cast<double>(samples - over + 1), over_fraction,
                         1 - over_fraction) <= alpha;
}

std::string_view verdict_name(Verdict verdict) {
  switch (verdict) {
    case Verdict::kMet:
      return "met";
    case Verdict::kMissed:
      return "missed";
    case Verdict::kUndecided:
      return "undecided";
  }
  return "";
}

// Rounded up: against the server.
int64_t SloJudge::Track::counted_over() const {
  if (values == 0) return 0;
  const double share = static_cast<double>(over) / static_cast<double>(values);
  return static_cast<int64_t>(std::ceil(share * static_cast<double>(counted()) - 1e-9));
}

bool SloJudge::Track::later_half_keeps() const {
  int64_t half_values = 0, half_over = 0;
  for (size_t i = samples.size() / 2; i < samples.size(); ++i) {
    half_values += samples[i].values;
    half_over += samples[i].over;
  }
  return static_cast<double>(half_over) <= term.over_fraction * static_cast<double>(half_values);
}

SloJudge::SloJudge(const SloSpec& slo, const Options& options) : options_(options) {
  CHECK(!slo.terms.empty() && options.confidence > 0 && options.confidence < 1);
  const double alpha = 1 - options.confidence;
  for (const SloTerm& term : slo.terms) {
    Track track;
    track.term = term;
    track.met_alpha = alpha / 2;
    track.missed_alpha = alpha / 2 / static_cast<double>(slo.terms.size());
    track.next_met_look = samples_min(term.over_fraction, track.met_alpha);
    track.next_missed_look = kMissedLookMin;
    tracks_.push_back(std::move(track));
  }
}

void SloJudge::add(const RequestRecord& record) {
  waiting_.emplace(record.index, measure(record));
  while (!waiting_.empty() && waiting_.begin()->first == next_index_) {
    judge(waiting_.begin()->second);
    waiting_.erase(waiting_.begin());
    ++next_index_;
  }
}

SloJudge::Judged SloJudge::measure(const RequestRecord& record) const {
  const bool ok = record.outcome == Outcome::kOk;
  Judged judged;
  judged.counts = record.stage >= 0 && (ok || is_error(record.outcome));
  judged.scheduled_ns = record.scheduled_ns;
  if (!judged.counts) return judged;
  for (const Track& track : tracks_) {
    Sample sample;
    const auto count = [&](double ms) {
      ++sample.values;
      sample.over += ms > track.term.limit_ms;
    };
    if (track.term.metric == SloMetric::kError) {
      sample = {1, ok ? 0 : 1};
    } else if (ok && track.term.metric == SloMetric::kTtft) {
      count(milliseconds(record.scheduled_ns, record.first_token_ns));
    } else if (ok && track.term.metric == SloMetric::kE2e) {
      count(milliseconds(record.scheduled_ns, record.last_token_ns));
    } else if (ok && track.term.metric == SloMetric::kTpot && record.output_tokens > 1) {
      count(milliseconds(record.first_token_ns, record.last_token_ns) / (record.output_tokens - 1));
    } else if (ok && track.term.metric == SloMetric::kItl) {
      for (size_t i = 1; i < record.chunks.size(); ++i) {
        count(milliseconds(record.chunks[i - 1].at_ns, record.chunks[i].at_ns));
      }
    }
    judged.samples.push_back(sample);
  }
  return judged;
}

void SloJudge::judge(const Judged& judged) {
  if (verdict_ != Verdict::kUndecided || !judged.counts) return;
  if (first_ns_ < 0) first_ns_ = judged.scheduled_ns;
  last_ns_ = judged.scheduled_ns;
  bool all_met = true;
  for (size_t i = 0; i < tracks_.size(); ++i) {
    Track& track = tracks_[i];
    const Sample& sample = judged.samples[i];
    if (sample.values > 0) {
      track.samples.push_back(sample);
      track.values += sample.values;
      track.over += sample.over;
    }
    look(&track);
    all_met = all_met && track.verdict == Verdict::kMet;
    if (track.verdict == Verdict::kMissed) verdict_ = Verdict::kMissed;
  }
  if (all_met && keeps()) verdict_ = Verdict::kMet;
}

void SloJudge::look(Track* track) {
  if (track->verdict == Verdict::kMissed) return;
  const int64_t samples = track->counted();
  if (samples >= track->next_missed_look) {
    if (shows_missed(track->counted_over(), samples, track->term.over_fraction, track->missed_alpha)) {
      track->verdict = Verdict::kMissed;
      return;
    }
    track->next_missed_look *= 2;
    track->missed_alpha /= 2;
  }
  if (track->verdict == Verdict::kMet || samples < track->next_met_look) return;
  if (static_cast<double>(last_ns_ - first_ns_) < options_.seconds_min * kNsPerSecond) return;
  track->over_max = over_max(samples, track->term.over_fraction, track->met_alpha);
  if (track->counted_over() <= track->over_max) {
    track->verdict = Verdict::kMet;
    return;
  }
  track->next_met_look = 2 * samples;
  track->met_alpha /= 2;
}

bool SloJudge::keeps() const {
  return std::all_of(tracks_.begin(), tracks_.end(), [](const Track& track) {
    const auto allowed = track.term.over_fraction * static_cast<double>(track.values);
    return track.values > 0 && static_cast<double>(track.over) <= allowed && track.later_half_keeps();
  });
}

std::vector<TermState> SloJudge::terms() const {
  std::vector<TermState> states;
  for (const Track& track : tracks_) {
    states.push_back({track.term, track.counted(), track.counted_over(), track.over_max, track.verdict});
  }
  return states;
}

std::string SloJudge::reason() const {
  if (verdict_ == Verdict::kMet) return "";
  std::string text;
  for (const Track& track : tracks_) {
    const std::string counts =
        std::to_string(track.counted_over()) + " of " + std::to_string(track.counted()) + " above";
    std::string part;
    if (track.counted() == 0) {
      part = "no sample";
    } else if (track.verdict == Verdict::kMissed) {
      part = counts;
    } else if (verdict_ == Verdict::kUndecided && track.verdict == Verdict::kUndecided) {
      const int64_t wanted = track.next_met_look;
      part = counts + (track.counted() < wanted ? ", the next look is at " + std::to_string(wanted) : "");
    } else if (verdict_ == Verdict::kUndecided && !track.later_half_keeps()) {
      part = counts + ", but more in the later half than allowed";
    }
    if (!part.empty()) text += (text.empty() ? "" : "; ") + track.term.text() + ": " + part;
  }
  return text;
}

}  // namespace hussar
