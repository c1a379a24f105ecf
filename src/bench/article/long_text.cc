#include "bench/article/long_text.h"

#include <algorithm>
#include <unordered_map>
#include <unordered_set>

#include "base/check.h"

namespace hussar {
namespace {

constexpr int64_t kPhraseUnitsMin = 4;
constexpr int64_t kPhraseUnitsMax = 40;
// Of each length only the phrases that fill the most are looked at again: what a text of one phrase alone
// would cost otherwise grows with its square.
constexpr size_t kPhrasesOfALengthMax = 200;
constexpr double kRepetitiveShare = 0.5;

constexpr std::string_view kClosings[] = {"总而言之",      "综上所述",   "总的来说", "总之",     "由此可见",
                                          "in conclusion", "in summary", "overall",  "to sum up"};

uint64_t join(int32_t left, int32_t right) {
  return static_cast<uint64_t>(static_cast<uint32_t>(left)) << 32 | static_cast<uint32_t>(right);
}

// [units - n + 1]: equal n-grams have equal ids. From the ids of (n - 1)-grams, so exact without comparing
// any text: an n-gram is an (n - 1)-gram and a unit.
std::vector<int32_t> longer_ids(const std::vector<int32_t>& shorter, const std::vector<int32_t>& units,
                                size_t n) {
  std::vector<int32_t> ids;
  if (units.size() < n) return ids;
  ids.reserve(units.size() - n + 1);
  std::unordered_map<uint64_t, int32_t> known;
  for (size_t i = 0; i + n <= units.size(); ++i) {
    const uint64_t key = join(shorter[i], units[i + n - 1]);
    ids.push_back(known.emplace(key, static_cast<int32_t>(known.size())).first->second);
  }
  return ids;
}

std::vector<int32_t> ngram_ids(const std::vector<int32_t>& units, size_t n) {
  std::vector<int32_t> ids = units;
  for (size_t length = 2; length <= n; ++length) ids = longer_ids(ids, units, length);
  return ids;
}

struct Candidate {
  int64_t units = 0;
  std::vector<int64_t> places;  // rising, not overlapping
  int64_t filled() const { return units * static_cast<int64_t>(places.size()); }
};

bool fills_more(const Candidate& a, const Candidate& b) {
  if (a.filled() != b.filled()) return a.filled() > b.filled();
  if (a.units != b.units) return a.units < b.units;
  return a.places.front() < b.places.front();
}

std::vector<Candidate> candidates_of_length(const std::vector<int32_t>& ids, int64_t units) {
  std::unordered_map<int32_t, Candidate> by_id;
  for (size_t i = 0; i < ids.size(); ++i) {
    Candidate& candidate = by_id[ids[i]];
    candidate.units = units;
    const int64_t at = static_cast<int64_t>(i);
    if (candidate.places.empty() || at >= candidate.places.back() + units) candidate.places.push_back(at);
  }
  std::vector<Candidate> repeated;
  for (auto& [id, candidate] : by_id) {
    if (candidate.places.size() >= 2) repeated.push_back(std::move(candidate));
  }
  const size_t kept = std::min(repeated.size(), kPhrasesOfALengthMax);
  std::partial_sort(repeated.begin(), repeated.begin() + static_cast<ptrdiff_t>(kept), repeated.end(),
                    fills_more);
  repeated.resize(kept);
  return repeated;
}

// Leaves out the places that are more than half taken. taken_before: [units + 1], how many units before each
// are taken.
void drop_taken_places(const std::vector<int64_t>& taken_before, Candidate* candidate) {
  std::erase_if(candidate->places, [&](int64_t place) {
    const auto begin = static_cast<size_t>(place), end = static_cast<size_t>(place + candidate->units);
    return 2 * (taken_before[end] - taken_before[begin]) > candidate->units;
  });
}

// "abcabc" is "abc" twice: the length of what a run of units consists of.
int64_t period_of(std::span<const int32_t> ids) {
  for (size_t period = 1; period <= ids.size() / 2; ++period) {
    if (ids.size() % period == 0 &&
        std::equal(ids.begin() + static_cast<ptrdiff_t>(period), ids.end(), ids.begin()))
      return static_cast<int64_t>(period);
  }
  return static_cast<int64_t>(ids.size());
}

int64_t count_of(std::string_view text, std::string_view phrase) {
  int64_t count = 0;
  for (size_t at = 0; (at = text.find(phrase, at)) != std::string_view::npos; at += phrase.size()) ++count;
  return count;
}

// Tokens of each chunk; empty when they are not known.
std::vector<double> chunk_tokens(const RequestRecord& record) {
  const bool known = std::all_of(record.chunks.begin(), record.chunks.end(),
                                 [](const TextChunk& chunk) { return chunk.tokens > 0; });
  std::vector<double> tokens;
  if (!known && record.output_tokens <= 0) return tokens;
  const double even = record.output_tokens / static_cast<double>(std::max<size_t>(1, record.chunks.size()));
  for (const TextChunk& chunk : record.chunks) tokens.push_back(known ? chunk.tokens : even);
  return tokens;
}

}  // namespace

double length_score(int64_t wanted, int64_t got) {
  CHECK(wanted > 0);
  if (got <= 0) return 0;
  const double ratio = static_cast<double>(got) / static_cast<double>(wanted);
  const double lost = got > wanted ? (ratio - 1) / 3 : (1 / ratio - 1) / 2;
  return 100 * std::max(0.0, 1 - lost);
}

std::optional<double> NGrams::repeated_share() const {
  if (all == 0) return std::nullopt;
  return 1 - static_cast<double>(different) / static_cast<double>(all);
}

std::optional<double> NGrams::distinct_share() const {
  if (all == 0) return std::nullopt;
  return static_cast<double>(different) / static_cast<double>(all);
}

NGrams count_ngrams(const TextUnits& units, int32_t n) {
  CHECK(n >= 1);
  const std::vector<int32_t> ids = ngram_ids(units.ids, static_cast<size_t>(n));
  const std::unordered_set<int32_t> different(ids.begin(), ids.end());
  return {static_cast<int64_t>(ids.size()), static_cast<int64_t>(different.size())};
}

std::vector<RepeatedPhrase> repeated_phrases(const TextUnits& units, size_t phrases_max) {
  std::vector<Candidate> candidates;
  std::vector<int32_t> ids = ngram_ids(units.ids, kPhraseUnitsMin - 1);
  for (int64_t length = kPhraseUnitsMin; length <= kPhraseUnitsMax; ++length) {
    ids = longer_ids(ids, units.ids, static_cast<size_t>(length));
    std::vector<Candidate> more = candidates_of_length(ids, length);
    if (more.empty()) break;  // no longer phrase can repeat where no shorter one does
    std::move(more.begin(), more.end(), std::back_inserter(candidates));
  }
  std::vector<RepeatedPhrase> phrases;
  std::vector<char> taken(units.ids.size());
  while (phrases.size() < phrases_max && !candidates.empty()) {
    const auto best = std::min_element(candidates.begin(), candidates.end(), fills_more);
    const int64_t first = best->places.front();
    const int64_t period =
        period_of(std::span(units.ids).subspan(static_cast<size_t>(first), static_cast<size_t>(best->units)));
    phrases.push_back({std::string(units.slice(first, period)),
                       static_cast<int64_t>(best->places.size()) * (best->units / period), period, first});
    for (const int64_t place : best->places) std::fill_n(taken.begin() + place, best->units, 1);
    std::vector<int64_t> taken_before(1, 0);
    for (const char one : taken) taken_before.push_back(taken_before.back() + one);
    for (Candidate& candidate : candidates) drop_taken_places(taken_before, &candidate);
    std::erase_if(candidates, [](const Candidate& candidate) { return candidate.places.size() < 2; });
  }
  return phrases;
}

std::vector<ClosingPhrase> closing_phrases(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  std::vector<ClosingPhrase> found;
  for (const std::string_view phrase : kClosings) {
    if (const int64_t count = count_of(lower, phrase); count > 0) found.push_back({phrase, count});
  }
  return found;
}

std::vector<double> repetition_by_window(const TextUnits& units, int64_t window) {
  CHECK(window >= 2);
  const std::vector<int32_t> ids = ngram_ids(units.ids, 4);
  std::unordered_set<int32_t> seen;
  std::vector<double> shares;
  const int64_t all = static_cast<int64_t>(ids.size());
  for (int64_t begin = 0; begin < all; begin += window) {
    const int64_t count = std::min(window, all - begin);
    int64_t repeated = 0;
    for (int64_t i = begin; i < begin + count; ++i)
      repeated += !seen.insert(ids[static_cast<size_t>(i)]).second;
    if (2 * count >= window) shares.push_back(static_cast<double>(repeated) / static_cast<double>(count));
  }
  return shares;
}

std::optional<int64_t> repetition_begins(const TextUnits& units) {
  const std::vector<double> shares = repetition_by_window(units, kRepetitionWindow);
  // From the end: the longest tail in which each window is repetitive.
  size_t first = shares.size();
  while (first > 0 && shares[first - 1] >= kRepetitiveShare) --first;
  if (first == shares.size()) return std::nullopt;
  return static_cast<int64_t>(first) * kRepetitionWindow;
}

std::vector<SpeedPoint> speed_over_time(const RequestRecord& record, int32_t spans) {
  CHECK(spans >= 1);
  const std::vector<double> tokens = chunk_tokens(record);
  std::vector<SpeedPoint> points;
  if (tokens.size() < 2) return points;
  // The first chunk's tokens were made before it came: time begins there, and they do not count.
  const int64_t begin = record.chunks.front().at_ns, end = record.chunks.back().at_ns;
  if (end <= begin) return points;
  std::vector<double> sums(static_cast<size_t>(spans));
  for (size_t i = 1; i < tokens.size(); ++i) {
    const double share =
        static_cast<double>(record.chunks[i].at_ns - begin) / static_cast<double>(end - begin);
    const auto span = static_cast<size_t>(std::clamp(share * spans, 0.0, spans - 1.0));
    sums[span] += tokens[i];
  }
  const double span_s = static_cast<double>(end - begin) / 1e9 / spans;
  const double offset_s = static_cast<double>(begin - record.sent_ns) / 1e9;
  for (int32_t i = 0; i < spans; ++i) {
    points.push_back({offset_s + (i + 0.5) * span_s, sums[static_cast<size_t>(i)] / span_s});
  }
  return points;
}

LongTextScores score_long_text(std::string_view text, int64_t wanted_length) {
  const TextUnits units = split_units(text);
  LongTextScores scores;
  scores.characters = units.characters;
  scores.words = units.size() - units.characters;
  scores.length_score = length_score(wanted_length, units.size());
  scores.seq_rep_4 = count_ngrams(units, 4).repeated_share();
  for (int32_t n = 1; n <= 4; ++n) scores.distinct.push_back(count_ngrams(units, n).distinct_share());
  scores.replacement_marks = units.replacement_marks;
  scores.repetition_begins = repetition_begins(units);
  scores.phrases = repeated_phrases(units, 10);
  scores.closings = closing_phrases(units.text);
  return scores;
}

}  // namespace hussar
