// How punctual the client was, as histograms, a section and one line.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "bench/load.h"
#include "bench/report.h"

namespace hussar {

// [from, below), in rising order without holes; the first begins at minus infinity, the last ends at
// infinity.
struct HistogramBin {
  double from = 0, below = 0;
  int64_t count = 0;
};
using Histogram = std::vector<HistogramBin>;

// Bounds 0.01, 0.02, 0.05, 0.1 ... 1000 ms. What went out early is in the first bin.
Histogram lateness_histogram_ms(std::span<const int64_t> lateness_ns);
// Bounds 1, 2, 4, 8 ... microseconds, as LoopStats counts them.
Histogram loop_delay_histogram_us(const LoopStats& stats);

// "99 % of 1200 requests went out within 0.08 ms of their time; ...", or CLIENT-LIMITED with its reason.
Text self_proof_line(const SelfProof& proof);

// Figures and both histograms; `prove_line` as Report has it.
Section self_proof_section(const SelfProof& proof, const std::string& prove_line);

}  // namespace hussar
