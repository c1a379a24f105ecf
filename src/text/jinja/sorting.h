// A stable sort whose comparison may fail.
#pragma once

#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

#include "base/result.h"

namespace hussar::jinja {

// Sorts by `less` (a Result<bool> of two items), keeping the order of equals. It needs no consistent order
// (NaN): any answers of `less` give a permutation, which std::stable_sort does not promise.
template <typename T, typename Less>
Result<void> merge_sort(std::vector<T>* items, const Less& less) {
  std::vector<T> merged(items->size());
  for (size_t width = 1; width < items->size(); width *= 2) {
    for (size_t begin = 0; begin < items->size(); begin += 2 * width) {
      const size_t middle = std::min(begin + width, items->size());
      const size_t end = std::min(begin + 2 * width, items->size());
      size_t left = begin;
      size_t right = middle;
      for (size_t out = begin; out < end; ++out) {
        bool take_right = left == middle;
        if (!take_right && right < end) {
          ASSIGN_OR_RETURN(take_right, less((*items)[right], (*items)[left]));
        }
        merged[out] = std::move((*items)[take_right ? right++ : left++]);
      }
    }
    items->swap(merged);
  }
  return {};
}

}  // namespace hussar::jinja
