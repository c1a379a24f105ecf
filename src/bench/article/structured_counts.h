// Verdicts on many answers, counted.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "bench/article/json_answer.h"
#include "bench/record.h"

namespace hussar {

struct StructuredCounts {
  int64_t answers = 0;  // whole ones, empty ones too: that a model says nothing is its answer
  int64_t legal = 0, legal_inside = 0, complete = 0, types_right = 0, values_right = 0;
  int64_t ok = 0;            // nothing wrong, as it stands
  int64_t renamed = 0;       // names were chosen that the task leaves open
  int64_t cut_by_limit = 0;  // the answer ended at its token limit
  std::array<int64_t, kAnswerFaultCount> faults{};
};

// Whether a record is an answer to be judged: errors of the server and what the run cut off are none.
bool is_judged(const RequestRecord& record);

// `record.label` is the task's id; with a `task`, only its records count.
StructuredCounts count_answers(const std::vector<RequestRecord>& records, std::string_view task = "");

}  // namespace hussar
