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

void TermTally::add(const TermSample& sample) {
  if (sample.values == 0) return;
  ++samples;
  values += sample.values;
  over += sample.over;
}

int64_t TermTally::counted_over() const {
  if (values == 0) return 0;
  const double share = static_cast<double>(over) / static_cast<double>(values);
  return static_cast<int64_t>(std::ceil(share * static_cast<double>(samples) - 1e-9));
}

bool TermTally::keeps(double over_fraction) const {
  return values > 0 && static_cast<double>(over) <= over_fraction * static_cast<double>(values);
}

bool SloJudge::Track::later_half_keeps() const {
  TermTally half;
  for (size_t i = samples.size() / 2; i < samples.size(); ++i) half.add(samples[i]);
  return half.keeps(term.over_fraction);
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

bool counts_as_sample(const RequestRecord& record) {
  return record.stage >= 0 && (record.outcome == Outcome::kOk || is_error(record.outcome));
}

TermSample measure_term(const RequestRecord& record, const SloTerm& term) {
  const bool ok = record.outcome == Outcome::kOk;
  TermSample sample;
  const auto count = [&](double ms) {
    ++sample.values;
    sample.over += ms > term.limit_ms;
  };
  if (term.metric == SloMetric::kError) return {1, ok ? 0 : 1};
  if (!ok) return sample;
  switch (term.metric) {
    case SloMetric::kTtft:
      count(milliseconds(record.scheduled_ns, record.first_token_ns));
      break;
    case SloMetric::kE2e:
      count(milliseconds(record.scheduled_ns, record.last_token_ns));
      break;
    case SloMetric::kTpot:
      if (record.output_tokens > 1) {
        count(milliseconds(record.first_token_ns, record.last_token_ns) / (record.output_tokens - 1));
      }
      break;
    case SloMetric::kItl:
      for (size_t i = 1; i < record.chunks.size(); ++i) {
        count(milliseconds(record.chunks[i - 1].at_ns, record.chunks[i].at_ns));
      }
      break;
    case SloMetric::kError:
      break;
  }
  return sample;
}

std::vector<TermState> judge_records(std::span<const RequestRecord> records, const SloSpec& slo,
                                     double confidence) {
  std::vector<TermState> states;
  const double alpha = 1 - confidence;
  for (const SloTerm& term : slo.terms) {
    TermTally tally;
    for (const RequestRecord& record : records) {
      if (counts_as_sample(record)) tally.add(measure_term(record, term));
    }
    TermState state{term, tally.samples, tally.counted_over(), -1, Verdict::kUndecided};
    state.over_max = over_max(state.samples, term.over_fraction, alpha);
    if (shows_missed(state.over, state.samples, term.over_fraction, alpha)) state.verdict = Verdict::kMissed;
    if (state.over <= state.over_max) state.verdict = Verdict::kMet;
    states.push_back(state);
  }
  return states;
}

SloJudge::Judged SloJudge::measure(const RequestRecord& record) const {
  Judged judged;
  judged.counts = counts_as_sample(record);
  judged.scheduled_ns = record.scheduled_ns;
  if (!judged.counts) return judged;
  for (const Track& track : tracks_) judged.samples.push_back(measure_term(record, track.term));
  return judged;
}

void SloJudge::judge(const Judged& judged) {
  if (verdict_ != Verdict::kUndecided || !judged.counts) return;
  if (first_ns_ < 0) first_ns_ = judged.scheduled_ns;
  last_ns_ = judged.scheduled_ns;
  bool all_met = true;
  for (size_t i = 0; i < tracks_.size(); ++i) {
    Track& track = tracks_[i];
    const TermSample& sample = judged.samples[i];
    if (sample.values > 0) track.samples.push_back(sample);
    track.tally.add(sample);
    look(&track);
    all_met = all_met && track.verdict == Verdict::kMet;
    if (track.verdict == Verdict::kMissed) verdict_ = Verdict::kMissed;
  }
  if (all_met && keeps()) verdict_ = Verdict::kMet;
}

void SloJudge::look(Track* track) {
  if (track->verdict == Verdict::kMissed) return;
  const int64_t samples = track->tally.samples;
  if (samples >= track->next_missed_look) {
    if (shows_missed(track->tally.counted_over(), samples, track->term.over_fraction, track->missed_alpha)) {
      track->verdict = Verdict::kMissed;
      return;
    }
    track->next_missed_look *= 2;
    track->missed_alpha /= 2;
  }
  if (track->verdict == Verdict::kMet || samples < track->next_met_look) return;
  if (static_cast<double>(last_ns_ - first_ns_) < options_.seconds_min * kNsPerSecond) return;
  track->over_max = over_max(samples, track->term.over_fraction, track->met_alpha);
  if (track->tally.counted_over() <= track->over_max) {
    track->verdict = Verdict::kMet;
    return;
  }
  track->next_met_look = 2 * samples;
  track->met_alpha /= 2;
}

bool SloJudge::keeps() const {
  return std::all_of(tracks_.begin(), tracks_.end(), [](const Track& track) {
    return track.tally.keeps(track.term.over_fraction) && track.later_half_keeps();
  });
}

std::vector<TermState> SloJudge::terms() const {
  std::vector<TermState> states;
  for (const Track& track : tracks_) {
    states.push_back(
        {track.term, track.tally.samples, track.tally.counted_over(), track.over_max, track.verdict});
  }
  return states;
}

std::string SloJudge::reason() const {
  if (verdict_ == Verdict::kMet) return "";
  std::string text;
  for (const Track& track : tracks_) {
    const std::string counts =
        std::to_string(track.tally.counted_over()) + " of " + std::to_string(track.tally.samples) + " above";
    std::string part;
    if (track.tally.samples == 0) {
      part = "no sample";
    } else if (track.verdict == Verdict::kMissed) {
      part = counts;
    } else if (verdict_ == Verdict::kUndecided && track.verdict == Verdict::kUndecided) {
      const int64_t wanted = track.next_met_look;
      part = counts + (track.tally.samples < wanted ? ", the next look is at " + std::to_string(wanted) : "");
    } else if (verdict_ == Verdict::kUndecided && !track.later_half_keeps()) {
      part = counts + ", but more in the later half than allowed";
    }
    if (!part.empty()) text += (text.empty() ? "" : "; ") + track.term.text() + ": " + part;
  }
  return text;
}

}  // namespace hussar
