// The few plain types that every folder shares.
#pragma once

#include <chrono>
#include <cstdint>

namespace hussar {

// An index into a model's vocabulary, 0 .. vocab_size - 1.
using TokenId = int32_t;

// A point on the steady clock. Passed into pure code (the scheduler), read from the clock at the edges only.
using Clock = std::chrono::steady_clock;
using TimePoint = Clock::time_point;

}  // namespace hussar
