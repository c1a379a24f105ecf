// What a long answer is worth: its length, its repetition, its speed over time. Pure; each formula stands
// with its source.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "bench/article/text_units.h"
#include "bench/record.h"

namespace hussar {

// How close a length comes to the one that was asked for, 0 to 100 (Bai and others, LongWriter, 2024):
//   100 max(0, 1 - (got / wanted - 1) / 3)  when longer, 100 max(0, 1 - (wanted / got - 1) / 2)  when
//   shorter.
// REQUIRES: wanted > 0.
double length_score(int64_t wanted, int64_t got);

// N-grams of units: how many stand in the text and how many of them differ.
struct NGrams {
  int64_t all = 0, different = 0;
  // seq-rep-n (Welleck and others, 2019): 1 - different / all. distinct-n (Li and others, 2016): different /
  // all. Nothing for a text shorter than n units.
  std::optional<double> repeated_share() const;
  std::optional<double> distinct_share() const;
};
NGrams count_ngrams(const TextUnits& units, int32_t n);

// A run of units that comes again and again. Overlapping occurrences count once.
struct RepeatedPhrase {
  std::string text;   // as it stands at its first place
  int64_t count = 0;  // at least two
  int64_t units = 0;  // its length
  int64_t first = 0;  // the unit where it first begins
};
// The phrases of 4 to 40 units that fill the most of the text, the most filling one first; places that an
// earlier one of the list fills already do not count again. A phrase that is itself a shorter one several
// times over stands as that one, which may have fewer than 4 units.
std::vector<RepeatedPhrase> repeated_phrases(const TextUnits& units, size_t phrases_max);

// Phrases that end a text ("总而言之", "in conclusion"), with how often each stands in it; those that do not
// are left out.
struct ClosingPhrase {
  std::string_view text;
  int64_t count = 0;
};
std::vector<ClosingPhrase> closing_phrases(std::string_view text);

// [windows]: of the 4-grams that begin in each window of `window` units, the share that stood in the text
// before. The last window may be shorter, but not shorter than half.
std::vector<double> repetition_by_window(const TextUnits& units, int64_t window);
inline constexpr int64_t kRepetitionWindow = 200;
// The unit where repetition begins: the first window of kRepetitionWindow units from which on at least half
// of all 4-grams stood in the text before, to the end of the text. Nothing where it does not.
std::optional<int64_t> repetition_begins(const TextUnits& units);

// Tokens a second over the time of an answer, in equal spans. Where chunks do not say their tokens, those of
// the whole answer are spread evenly over them; nothing when neither is known.
struct SpeedPoint {
  double at_s = 0;  // the middle of the span, since sending
  double tokens_per_s = 0;
};
std::vector<SpeedPoint> speed_over_time(const RequestRecord& record, int32_t spans);

// Everything of one answer.
struct LongTextScores {
  int64_t characters = 0, words = 0;  // length = their sum
  double length_score = 0;
  std::optional<double> seq_rep_4;
  std::vector<std::optional<double>> distinct;  // [4]: distinct-1 to distinct-4
  int64_t replacement_marks = 0;
  std::optional<int64_t> repetition_begins;  // unit
  std::vector<RepeatedPhrase> phrases;
  std::vector<ClosingPhrase> closings;
  int64_t length() const { return characters + words; }
};
LongTextScores score_long_text(std::string_view text, int64_t wanted_length);

}  // namespace hussar
