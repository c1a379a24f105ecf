#include "bench/prompts.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <map>
#include <optional>
#include <tuple>

#include "base/check.h"
#include "bench/prompt_words.h"

namespace hussar {
namespace {

constexpr size_t kFillerWords = 32;           // English ones among Chinese
constexpr std::string_view kAnchor = "time";  // at the front of what is counted: one token anywhere
constexpr size_t kUnitsMin = 8, kHeadUnitsMin = 8;
constexpr size_t kSinglesMax = 64;    // words counted one by one
constexpr int32_t kClosingShare = 4;  // the last sentence takes at most one of so many tokens
constexpr int32_t kCheckedTokens[] = {64, 300, 1024};
constexpr int32_t kChecks = 1 + std::size(kCheckedTokens);  // the last sentence, and prompts

// What different things draw from one seed.
constexpr uint64_t kHeadStream = 1, kWordStream = 2, kSharedStream = 3, kBlockStream = 4;

uint64_t mixed(uint64_t a, uint64_t b) {
  // One step of a generator seeded by both, so that neighbours share nothing.
  return Random(a ^ (b * 0x9E3779B97F4A7C15u + 0x632BE59BD9B4E019u)).next();
}

void shuffle(std::vector<uint32_t>* items, Random& random) {
  for (size_t i = items->size(); i > 1; --i) std::swap((*items)[i - 1], (*items)[random.below(i)]);
}

}  // namespace

// Finds out what units take. A count that fails, or one too many, ends it: what is not known by then stays
// unknown.
class PromptMaker::Calibration {
 public:
  Calibration(const TokenCounter& counter, int32_t counts_max) : counter_(counter), left_(counts_max) {}

  // Tokens of `text` alone.
  std::optional<int32_t> count(const std::string& text) {
    if (left_ == 0 || failed_) return std::nullopt;
    --left_;
    const auto tokens = counter_(text);
    if (!tokens.ok()) {
      failed_ = true;
      reason_ = tokens.error().message;
      return std::nullopt;
    }
    return *tokens - constant_;
  }

  void allow_more(int32_t counts) { left_ += counts; }

  // What every count has too many: the anchor is one token.
  bool find_constant() {
    const auto tokens = count(std::string(kAnchor));
    constant_ = tokens.value_or(1) - 1;
    return tokens.has_value() && constant_ >= 0;
  }

  void measure(std::vector<Unit>* units) {
    std::vector<Unit*> words, fillers;
    for (Unit& unit : *units) {
      unit.tokens = unit.bare_tokens = 0;
      (unit.filler ? fillers : words).push_back(&unit);
    }
    // Those first that a prompt can't do without.
    for (const auto where : {&Unit::tokens, &Unit::bare_tokens}) {
      if (!fillers.empty()) measure_group(fillers, where);
      measure_group(words, where);
    }
  }

  const std::string& reason() const { return reason_; }

 private:
  void measure_group(std::span<Unit*> units, int32_t Unit::*where);

  const TokenCounter& counter_;
  int32_t left_;
  int32_t constant_ = 0;
  bool failed_ = false;
  std::string reason_;
};

// A group that takes as many tokens as it has words has only words of one token. Any other is halved, or,
// where most take more, taken word by word. Bare words stand in lines: a line break is a token of its own.
void PromptMaker::Calibration::measure_group(std::span<Unit*> units, int32_t Unit::*where) {
  const bool bare = where == &Unit::bare_tokens;
  std::string text(bare ? "" : kAnchor);
  for (const Unit* unit : units) {
    text.append(!bare ? unit->separator : text.empty() ? "" : "\n").append(unit->word);
  }
  const auto counted = count(text);
  if (!counted) return;
  const auto words = static_cast<int32_t>(units.size());
  const int32_t tokens = *counted - (bare ? words - 1 : 1);
  if (tokens == words || words == 1) {
    for (Unit* unit : units) unit->*where = words == 1 ? std::max(1, tokens) : 1;
  } else if (tokens > words + words / 4) {
    for (size_t i = 0; i < std::min(units.size(), kSinglesMax); ++i) {
      measure_group(units.subspan(i, 1), where);
    }
  } else {
    measure_group(units.first(units.size() / 2), where);
    measure_group(units.subspan(units.size() / 2), where);
  }
}

PromptMaker PromptMaker::calibrate(const PromptOptions& options, const TokenCounter& counter) {
  PromptMaker maker(options);
  maker.list_units();
  const std::string assumed = "prompt lengths are estimated, since the server counts no tokens";
  if (!counter) {
    maker.note_ = assumed;
    maker.index_units();
    return maker;
  }
  Calibration calibration(counter, std::max(0, options.counts_max - kChecks));
  if (!calibration.find_constant()) {
    maker.note_ = assumed + (calibration.reason().empty() ? "" : " (" + calibration.reason() + ")");
    maker.index_units();
    return maker;
  }
  std::vector<Unit> assumed_units = maker.units_;
  calibration.measure(&maker.units_);
  std::erase_if(maker.units_, [](const Unit& unit) {
    return unit.tokens == 0 || unit.tokens > static_cast<int32_t>(kUnitTokensMax);
  });
  if (maker.units_.size() < kUnitsMin) maker.units_ = std::move(assumed_units);
  calibration.allow_more(kChecks);
  maker.find_closing(&calibration);
  maker.index_units();
  maker.check(&calibration);
  return maker;
}

// The words of the language, with what they take in the common vocabularies that know it.
void PromptMaker::list_units() {
  const bool chinese = options_.language == PromptLanguage::kChinese;
  if (chinese) {
    for (const std::string_view word : chinese_prompt_words()) units_.push_back({"，", word, 2, 1});
  }
  const auto english = english_prompt_words();
  for (const std::string_view word : chinese ? english.first(kFillerWords) : english) {
    units_.push_back({" ", word, 1, 1, chinese});
  }
}

// Without it a prompt is words alone, which is as good a load.
void PromptMaker::find_closing(Calibration* calibration) {
  const std::string_view closing =
      options_.language == PromptLanguage::kChinese ? kChineseClosing : kEnglishClosing;
  const auto tokens = calibration->count(std::string(kAnchor) + std::string(closing));
  closing_tokens_ = tokens ? std::max(0, *tokens - 1) : 0;
}

void PromptMaker::index_units() {
  for (const bool filler : {false, true}) {
    for (size_t n = 1; n <= kUnitTokensMax; ++n) {
      if (!units_up_to_[n].empty()) continue;
      for (uint32_t i = 0; i < units_.size(); ++i) {
        const bool fits = units_[i].tokens <= static_cast<int32_t>(n);
        if (fits && units_[i].filler == filler) units_up_to_[n].push_back(i);
      }
    }
  }
  choose_heads();
}

// Heads are of the largest class of words that are equally long in bytes and tokens wherever they stand.
void PromptMaker::choose_heads() {
  std::map<std::tuple<size_t, size_t, int32_t, int32_t>, std::vector<uint32_t>> classes;
  for (uint32_t i = 0; i < units_.size(); ++i) {
    const Unit& unit = units_[i];
    if (unit.bare_tokens == 0) continue;
    classes[{unit.separator.size(), unit.word.size(), unit.tokens, unit.bare_tokens}].push_back(i);
  }
  std::vector<uint32_t> best;
  for (auto& [key, members] : classes) {
    if (members.size() > best.size()) best = std::move(members);
  }
  if (best.size() < kHeadUnitsMin) {  // lengths at the front are not known then, and the check tells
    best.clear();
    for (uint32_t i = 0; i < units_.size(); ++i) {
      if (units_[i].word.size() == units_[0].word.size()) best.push_back(i);
    }
  }
  Random random(mixed(options_.seed, kHeadStream));
  for (std::vector<uint32_t>& units : head_units_) {
    units = best;
    shuffle(&units, random);
  }
}

void PromptMaker::check(Calibration* calibration) {
  int32_t worst = 0, worst_of = 0, checked = 0;
  for (const int32_t tokens : kCheckedTokens) {
    const MadePrompt prompt = make(tokens, heads() - 1 - static_cast<uint64_t>(checked));
    const auto counted = calibration->count(prompt.text);
    if (!counted) continue;
    ++checked;
    if (std::abs(*counted - tokens) < worst) continue;
    worst = std::abs(*counted - tokens);
    worst_of = tokens;
  }
  if (checked == 0) {
    note_ = "prompt lengths are estimated, since none could be counted";
  } else if (worst == 0) {
    accuracy_ = Accuracy::kExact;
    note_ = "prompt lengths are exact, without what a chat template adds: " + std::to_string(checked) +
            " prompts were counted by the server";
  } else {
    accuracy_ = Accuracy::kApproximate;
    note_ = "prompt lengths are approximate: of " + std::to_string(checked) +
            " prompts that were counted, the one of " + std::to_string(worst_of) + " tokens was off by " +
            std::to_string(worst);
  }
}

uint64_t PromptMaker::heads() const {
  uint64_t count = 1;
  for (const std::vector<uint32_t>& units : head_units_) count *= units.size();
  return count;
}

// Position by position, as the digits of a number: neighbours differ in the first word already.
const PromptMaker::Unit& PromptMaker::head_unit(size_t position, uint64_t index) const {
  for (size_t i = 0; i < position; ++i) index /= head_units_[i].size();
  return units_[head_units_[position][index % head_units_[position].size()]];
}

void PromptMaker::append_unit(const Unit& unit, MadePrompt* prompt) const {
  const bool first = prompt->text.empty();
  if (!first) prompt->text.append(unit.separator);
  prompt->text.append(unit.word);
  prompt->tokens += first ? std::max(1, unit.bare_tokens) : unit.tokens;
}

// Falls short only where no word is short enough for what is left.
void PromptMaker::append_words(int32_t tokens, Random& random, MadePrompt* prompt) const {
  const int32_t end = prompt->tokens + tokens;
  while (prompt->tokens < end) {
    const auto left = static_cast<size_t>(end - prompt->tokens);
    const std::vector<uint32_t>& fitting = units_up_to_[std::min(left, kUnitTokensMax)];
    if (fitting.empty()) return;
    append_unit(units_[fitting[random.below(fitting.size())]], prompt);
  }
}

void PromptMaker::append_head(uint64_t index, int32_t tokens_max, MadePrompt* prompt) const {
  const size_t begin = prompt->text.size();
  const int32_t end = prompt->tokens + tokens_max;
  for (size_t position = 0; position < kHeadWords; ++position) {
    const Unit& unit = head_unit(position, index);
    const int32_t tokens = prompt->text.empty() ? std::max(1, unit.bare_tokens) : unit.tokens;
    // A prompt of one token still has a word, whatever that takes.
    if (prompt->tokens + tokens > end && !prompt->text.empty()) return;
    append_unit(unit, prompt);
  }
  prompt->head_at = begin;
  prompt->head_bytes = prompt->text.size() - begin;
}

std::string PromptMaker::head(uint64_t index) const {
  std::string text;
  for (size_t position = 0; position < kHeadWords; ++position) {
    const Unit& unit = head_unit(position, index);
    if (position > 0 || options_.shared_prefix_tokens > 0) text.append(unit.separator);
    text.append(unit.word);
  }
  return text;
}

MadePrompt PromptMaker::make(int32_t tokens, uint64_t index) const {
  CHECK(tokens > 0);
  MadePrompt prompt;
  if (const int32_t common = std::min(options_.shared_prefix_tokens, tokens); common > 0) {
    Random words(mixed(options_.seed, kSharedStream));
    append_unit(head_unit(0, words.next()), &prompt);
    append_words(common - prompt.tokens, words, &prompt);
  }
  append_head(index, tokens - prompt.tokens, &prompt);
  append_rest(tokens, index, &prompt);
  return prompt;
}

void PromptMaker::append_rest(int32_t tokens, uint64_t index, MadePrompt* prompt) const {
  Random words(mixed(mixed(options_.seed, kWordStream), index));
  const bool closes = closing_tokens_ > 0 && tokens - prompt->tokens >= kClosingShare * closing_tokens_;
  append_words(tokens - prompt->tokens - (closes ? closing_tokens_ : 0), words, prompt);
  if (!closes) return;
  prompt->text += options_.language == PromptLanguage::kChinese ? kChineseClosing : kEnglishClosing;
  prompt->tokens += closing_tokens_;
}

MadePrompt PromptMaker::make_from_blocks(std::span<const int64_t> ids, int32_t block_tokens, int32_t tokens,
                                         uint64_t index) const {
  CHECK(tokens > 0 && block_tokens > 0);
  MadePrompt prompt;
  for (const int64_t id : ids) {
    if (prompt.tokens >= tokens) return prompt;
    const int32_t end = prompt.tokens + std::min(block_tokens, tokens - prompt.tokens);
    Random words(mixed(mixed(options_.seed, kBlockStream), static_cast<uint64_t>(id)));
    append_unit(head_unit(0, words.next()), &prompt);
    append_words(end - prompt.tokens, words, &prompt);
  }
  if (prompt.tokens >= tokens) return prompt;
  append_head(index, tokens - prompt.tokens, &prompt);
  append_rest(tokens, index, &prompt);
  return prompt;
}

}  // namespace hussar
