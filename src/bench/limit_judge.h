// Whether a server meets an objective, shown by statistics and no sooner: MLPerf's early stopping.
//
// An objective "p99 below 500 ms" says that a sample is above 500 ms with probability at most q = 1 - 0.99.
// Of n samples, t were above. Were the true probability q or more, so few as t of n would have a probability
// of at most
//   F(t; n, q) = sum over i = 0 .. t of C(n, i) q^i (1 - q)^(n - i).
// Where F(t; n, q) <= alpha the objective is met with confidence 1 - alpha; over_max() is the largest such t.
// For p99 and 95 % that is t = 0 for n = 299, t = 1 for n = 473, ... Where so many as t would be as unlikely
// were the true probability q or less, it is missed with that confidence. Until either is shown more samples
// are taken.
//
// Who looks again and again finds something by chance in the end. So there is a look only each time that the
// samples have doubled, and look k (from 1) spends alpha / 2^k, which adds up to alpha at most. An objective
// of several terms is met when each is; it is missed when one is, and each term then spends its share of
// alpha. Samples count in the order of sending, and only up to the first request that has not ended: the
// quick ones must not come first. Error rates are judged alike: a failed request is above.
//
// The gaps between the tokens of one answer resemble each other, so `itl` counts each answer as one sample,
// and of n answers as many as above as the share of all gaps says. The samples of a queue resemble each other
// too: where its length grows the first ones look better than the last. Therefore a probe must also last a
// while, and the later half of its samples alone must keep the objective.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "bench/limit_slo.h"
#include "bench/record.h"

namespace hussar {

// The most of n samples that may be above for the objective to be met; -1: even none is too many.
int64_t over_max(int64_t samples, double over_fraction, double alpha);
// The fewest samples that can show that it is met: with none above.
int64_t samples_min(double over_fraction, double alpha);
// Whether so many above show that it is missed.
bool shows_missed(int64_t over, int64_t samples, double over_fraction, double alpha);

enum class Verdict : uint8_t { kMet, kMissed, kUndecided };
std::string_view verdict_name(Verdict verdict);  // "met", "missed", "undecided"

struct TermState {
  SloTerm term;
  int64_t samples = 0, over = 0;
  int64_t over_max =
      -1;  // how many might be above; of a judge, at the last look that could show that it is met
  Verdict verdict = Verdict::kUndecided;
};

// One look at all records of a run that has ended, warm-up left out.
std::vector<TermState> judge_records(std::span<const RequestRecord> records, const SloSpec& slo,
                                     double confidence);

// What one request says of one term: of so many values so many are above its limit.
struct TermSample {
  int32_t values = 0, over = 0;
};
bool counts_as_sample(const RequestRecord& record);  // a success or an error, after the warm-up
TermSample measure_term(const RequestRecord& record, const SloTerm& term);

// Samples added up.
struct TermTally {
  int64_t samples = 0, values = 0, over = 0;
  void add(const TermSample& sample);
  // Of the samples so many count as above: as the share of the values, rounded up, against the server.
  int64_t counted_over() const;
  bool keeps(double over_fraction) const;  // as it stands, shown or not
};

class SloJudge {
 public:
  struct Options {
    double confidence = 0.95;
    double seconds_min = 0;  // of sending, before it can be met
  };
  SloJudge(const SloSpec& slo, const Options& options);

  // Records in any order; those of the warm-up too, since their indexes count, but they are no samples.
  void add(const RequestRecord& record);

  Verdict verdict() const { return verdict_; }  // once decided it stays
  // Whether the samples so far keep the objective, shown or not: all of them, and their later half.
  bool keeps() const;
  std::vector<TermState> terms() const;
  // "ttft_p99: 3 of 368 above, none would be needed": one line on why it is undecided or missed; empty when
  // met.
  std::string reason() const;

 private:
  struct Track {
    SloTerm term;
    std::vector<TermSample> samples;  // those with values
    TermTally tally;
    int64_t next_met_look = 0, next_missed_look = 0;  // in samples
    double met_alpha = 0, missed_alpha = 0;
    int64_t over_max = -1;
    Verdict verdict = Verdict::kUndecided;

    bool later_half_keeps() const;
  };

  struct Judged {
    bool counts = false;  // a success or an error, after the warm-up
    int64_t scheduled_ns = -1;
    std::vector<TermSample> samples;  // of each term
  };
  Judged measure(const RequestRecord& record) const;
  void judge(const Judged& judged);
  void look(Track* track);

  Options options_;
  std::vector<Track> tracks_;
  std::map<int64_t, Judged> waiting_;  // ended before one that was sent before them
  int64_t next_index_ = 0;
  int64_t first_ns_ = -1, last_ns_ = -1;
  Verdict verdict_ = Verdict::kUndecided;
};

}  // namespace hussar
