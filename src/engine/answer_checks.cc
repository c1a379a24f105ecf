#include "engine/answer_checks.h"

#include <algorithm>
#include <new>
#include <utility>

#include "base/check.h"

namespace hussar {

AnswerChecks::~AnswerChecks() {
  {
    std::lock_guard lock(mutex_);
    closed_ = true;
  }
  queued_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void AnswerChecks::begin(int32_t slot, std::shared_ptr<const CompiledGrammar> grammar, std::string answer) {
  std::shared_ptr<Cell>& cell = cells_[static_cast<size_t>(slot)];
  CHECK(cell == nullptr);
  cell = std::make_shared<Cell>();
  cell->grammar = std::move(grammar);
  cell->answer = std::move(answer);
  used_.push_back(slot);
  if (!thread_.joinable()) thread_ = std::thread([this] { work(); });
  {
    std::lock_guard lock(mutex_);
    queue_.push_back(cell);
  }
  queued_.notify_one();
}

void AnswerChecks::end(int32_t slot) {
  std::shared_ptr<Cell>& cell = cells_[static_cast<size_t>(slot)];
  if (cell == nullptr) return;
  {
    std::lock_guard lock(mutex_);
    cell->abandoned = true;
  }
  cell = nullptr;
  used_.erase(std::ranges::find(used_, slot));
}

void AnswerChecks::wait_until(TimePoint deadline) {
  std::unique_lock lock(mutex_);
  done_.wait_until(lock, deadline, [this] {
    return std::ranges::any_of(
        used_, [this](int32_t slot) { return cells_[static_cast<size_t>(slot)]->result.has_value(); });
  });
}

std::vector<AnswerChecks::Verdict> AnswerChecks::take() {
  std::vector<Verdict> verdicts;
  std::lock_guard lock(mutex_);
  std::erase_if(used_, [&](int32_t slot) {
    std::shared_ptr<Cell>& cell = cells_[static_cast<size_t>(slot)];
    if (!cell->result) return false;
    verdicts.push_back({slot, std::move(*cell->result)});
    cell = nullptr;
    return true;
  });
  return verdicts;
}

// Memory may end in the middle of it: that is the answer's end, not the process's.
Result<void> AnswerChecks::check(const Cell& cell) {
  try {
    return cell.grammar->check(cell.answer);
  } catch (const std::bad_alloc&) {
    return Error{ErrorCode::kOutOfMemory, "there was not enough memory to check it", ""};
  }
}

void AnswerChecks::work() {
  std::unique_lock lock(mutex_);
  for (;;) {
    queued_.wait(lock, [this] { return closed_ || !queue_.empty(); });
    if (closed_) return;
    const std::shared_ptr<Cell> cell = std::move(queue_.front());
    queue_.pop_front();
    if (cell->abandoned) continue;
    lock.unlock();
    Result<void> result = check(*cell);
    lock.lock();
    cell->result = std::move(result);
    done_.notify_all();
  }
}

}  // namespace hussar
