// What one rendering may still spend: steps and memory. Every builder asks before it grows, so that nothing
// too large is ever built.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

#include "base/result.h"
#include "text/chat_template.h"

namespace hussar::jinja {

// Owned by one rendering; outlives every value made in it. One thread.
class Budget {
 public:
  explicit Budget(const TemplateLimits& limits)
      : steps_max_(limits.steps_max), bytes_max_(limits.memory_bytes_max), depth_max_(limits.depth_max) {}

  // False when the steps are used up, now or before.
  [[nodiscard]] bool step(int64_t count = 1) {
    steps_ = count > steps_max_ - steps_ ? steps_max_ + 1 : steps_ + count;
    return steps_ <= steps_max_;
  }
  // Work over `bytes` bytes counts as steps too: a scan of a long text is not one step, and many short pieces
  // add up.
  [[nodiscard]] bool touch(size_t bytes) {
    touched_ += bytes + kBytesPerTouch;
    if (touched_ < kBytesPerStep) return steps_ <= steps_max_;
    const auto count = static_cast<int64_t>(touched_ / kBytesPerStep);
    touched_ %= kBytesPerStep;
    return step(count);
  }

  // Live memory. False when there is not so much; nothing is taken then, but exceeded() will name the memory.
  [[nodiscard]] bool take(size_t bytes) {
    if (bytes > bytes_max_ - bytes_) return memory_exceeded_ = true, false;
    bytes_ += bytes;
    return true;
  }
  // Whether `count` pieces of `bytes` each could be taken; like take() when not.
  [[nodiscard]] bool has(size_t bytes, size_t count) {
    size_t total = 0;
    if (__builtin_mul_overflow(bytes, count, &total) || total > bytes_max_ - bytes_) memory_exceeded_ = true;
    return !memory_exceeded_;
  }
  void give_back(size_t bytes) { bytes_ -= bytes; }

  int32_t depth_max() const { return depth_max_; }

  // The error for whoever was told false.
  Error exceeded() const {
    if (memory_exceeded_) return Error{ErrorCode::kTooLarge, "the template needs too much memory", ""};
    return Error{ErrorCode::kTooLarge, "the template takes too many steps", ""};
  }
  Error too_deep() const {
    return Error{ErrorCode::kTooLarge, "values or calls are nested too deeply in the template", ""};
  }

 private:
  static constexpr size_t kBytesPerStep = 256;
  static constexpr size_t kBytesPerTouch = 16;
  int64_t steps_max_;
  int64_t steps_ = 0;
  size_t touched_ = 0;
  size_t bytes_max_;
  size_t bytes_ = 0;
  int32_t depth_max_;
  bool memory_exceeded_ = false;
};

// Memory taken from a budget until the end of its owner. Without a budget (constants of a compiled template)
// it counts nothing.
class Charge {
 public:
  Charge() = default;
  explicit Charge(Budget* budget) : budget_(budget) {}
  Charge(Charge&& other) noexcept
      : budget_(std::exchange(other.budget_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}
  Charge& operator=(Charge&& other) noexcept {
    std::swap(budget_, other.budget_);
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  ~Charge() {
    if (budget_ != nullptr) budget_->give_back(bytes_);
  }

  [[nodiscard]] bool grow(size_t bytes) {
    if (budget_ == nullptr) return true;
    if (!budget_->take(bytes)) return false;
    bytes_ += bytes;
    return true;
  }

 private:
  Budget* budget_ = nullptr;
  size_t bytes_ = 0;
};

}  // namespace hussar::jinja
