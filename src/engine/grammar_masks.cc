#include "engine/grammar_masks.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace hussar {

GrammarMasks::GrammarMasks(int32_t slots, int32_t vocab_size, int32_t threads, int64_t states_max)
    : mask_words_(Matcher::mask_words(vocab_size)),
      states_max_(states_max),
      cells_(static_cast<size_t>(slots)) {
  for (int32_t i = 0; i < threads; ++i) threads_.emplace_back([this] { work(); });
}

GrammarMasks::~GrammarMasks() {
  {
    std::lock_guard lock(mutex_);
    closed_ = true;
  }
  queued_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void GrammarMasks::begin(int32_t slot, std::shared_ptr<const CompiledGrammar> grammar) {
  CHECK(at(slot) == nullptr);
  auto cell = std::make_shared<Cell>();
  const auto first = grammar->first_mask();
  cell->mask.reserve(mask_words_);
  cell->mask.assign(first.begin(), first.end());
  cell->mask.resize(mask_words_, 0);
  cell->ending.emplace(grammar);
  cell->grammar = std::move(grammar);
  cells_[static_cast<size_t>(slot)] = std::move(cell);
  used_.push_back(slot);
}

void GrammarMasks::end(int32_t slot) {
  std::shared_ptr<Cell>& cell = cells_[static_cast<size_t>(slot)];
  if (cell == nullptr) return;
  {
    std::lock_guard lock(mutex_);
    cell->abandoned = true;
    if (cell->state == State::kUnderWay && !cell->late) --awaited_;
  }
  cell = nullptr;
  used_.erase(std::ranges::find(used_, slot));
}

void GrammarMasks::press(int32_t slot, int64_t tokens_left) {
  if (at(slot)->ending->is_pressed(tokens_left)) force(slot);
}

bool GrammarMasks::take(int32_t slot, TokenId token, int64_t tokens_left) {
  Cell& cell = *at(slot);
  const std::vector<TokenId>& stop_ids = cell.grammar->stop_ids();
  // What can't be sampled or isn't allowed ends the answer elsewhere.
  if (token < 0 || std::ranges::find(stop_ids, token) != stop_ids.end()) return true;
  if (const auto accepted = cell.ending->accept(token); !accepted.ok()) {
    cell.error = accepted.error().message;
    return true;
  }
  if (cell.ending->fits(tokens_left)) return true;
  cell.ending->take_back();
  cell.mask[static_cast<size_t>(token) / 32] &= ~(1u << (token % 32));
  return false;
}

void GrammarMasks::force(int32_t slot) {
  Cell& cell = *at(slot);
  const TokenId token = cell.ending->next();
  std::ranges::fill(cell.mask, 0u);
  cell.mask[static_cast<size_t>(token) / 32] |= 1u << (token % 32);
}

void GrammarMasks::advance(int32_t slot, TokenId token) {
  const std::shared_ptr<Cell>& cell = at(slot);
  {
    std::lock_guard lock(mutex_);
    CHECK(cell->state == State::kReady);
    if (!cell->error.empty()) {
      cell->state = State::kFailed;
      return;
    }
    cell->token = token;
    cell->state = State::kUnderWay;
    cell->late = false;
    ++awaited_;
    queue_.push_back(cell);
  }
  queued_.notify_one();
}

void GrammarMasks::wait_until(TimePoint deadline) {
  std::unique_lock lock(mutex_);
  if (done_.wait_until(lock, deadline, [this] { return awaited_ == 0; })) return;
  for (const int32_t slot : used_) {
    Cell& cell = *at(slot);
    if (cell.state != State::kUnderWay) continue;
    cell.late = true;
  }
  awaited_ = 0;
}

void GrammarMasks::wait_for_late_until(TimePoint deadline) {
  std::unique_lock lock(mutex_);
  done_.wait_until(lock, deadline, [this, before = late_done_] { return late_done_ != before; });
}

GrammarMasks::State GrammarMasks::state(int32_t slot) const {
  std::lock_guard lock(mutex_);
  return at(slot)->state;
}

void GrammarMasks::work() {
  std::unique_lock lock(mutex_);
  for (;;) {
    queued_.wait(lock, [this] { return closed_ || !queue_.empty(); });
    if (closed_) return;
    const std::shared_ptr<Cell> cell = std::move(queue_.front());
    queue_.pop_front();
    if (cell->abandoned) continue;
    lock.unlock();
    const bool advanced = advance(cell.get());
    lock.lock();
    cell->state = advanced ? State::kReady : State::kFailed;
    if (cell->abandoned) continue;
    if (cell->late) {
      ++late_done_;
    } else {
      --awaited_;
    }
    done_.notify_all();
  }
}

bool GrammarMasks::advance(Cell* cell) const {
  const auto failed = [cell](const Error& error) {
    cell->error = error.message;
    return false;
  };
  if (!cell->matcher) {
    auto matcher = Matcher::create(cell->grammar, states_max_);
    if (!matcher.ok()) return failed(matcher.error());
    cell->matcher.emplace(std::move(*matcher));
  }
  if (const auto accepted = cell->matcher->accept(cell->token); !accepted.ok())
    return failed(accepted.error());
  if (const auto filled = cell->matcher->fill_mask(cell->mask); !filled.ok()) return failed(filled.error());
  return true;
}

}  // namespace hussar
