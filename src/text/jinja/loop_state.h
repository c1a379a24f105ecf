// The variable `loop`.
#pragma once

#include <deque>
#include <functional>
#include <optional>

#include "text/jinja/value.h"

namespace hussar::jinja {

// Where a for loop stands. A loop with a filter looks at the filter as late as python does: when the next
// item is needed, or when the body asks for the length or the next item.
struct LoopState {
  SequenceRef source;
  size_t next_source = 0;   // the first item of `source` that the filter has not seen
  std::deque<Value> ahead;  // items that passed, not yet reached
  std::optional<Value> previous;
  Value current;
  int64_t index0 = -1;
  Charge charge;
  // Moves items from `source` to `ahead` until there are `count` or no more; set while the loop runs.
  std::function<Result<void>(LoopState&, size_t count)> fill;

  int64_t remaining() const { return static_cast<int64_t>(ahead.size()); }
};

}  // namespace hussar::jinja
