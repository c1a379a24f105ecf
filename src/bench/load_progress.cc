#include "bench/load_progress.h"

#include <algorithm>
#include <cmath>

namespace hussar {

void LogHistogram::add(int64_t duration_ns) {
  const double us = static_cast<double>(std::max<int64_t>(duration_ns, 1000)) / 1000;
  const int bucket = static_cast<int>(std::log2(us) * kPerDoubling);
  ++counts_[static_cast<size_t>(std::min(bucket, kBuckets - 1))];
  ++total_;
}

double LogHistogram::quantile_ms(double q) const {
  if (total_ == 0) return -1;
  const auto rank = static_cast<uint64_t>(q * static_cast<double>(total_ - 1)) + 1;
  uint64_t seen = 0;
  size_t bucket = 0;
  for (; bucket + 1 < counts_.size(); ++bucket) {
    seen += counts_[bucket];
    if (seen >= rank) break;
  }
  return std::exp2((static_cast<double>(bucket) + 0.5) / kPerDoubling) / 1000;
}

void ProgressCounts::add(const RequestRecord& record) {
  chunks_ += static_cast<int64_t>(record.chunks.size());
  if (is_error(record.outcome)) ++errors_;
  if (record.outcome != Outcome::kOk) return;
  ++ok_;
  if (record.first_token_ns >= 0) ttft_.add(record.first_token_ns - record.sent_ns);
  e2e_.add(record.last_token_ns - record.sent_ns);
}

void ProgressCounts::show(RunProgress* progress) const {
  progress->ok = ok_;
  progress->errors = errors_;
  progress->output_chunks += chunks_;
  progress->ttft_p50_ms = ttft_.quantile_ms(0.5);
  progress->ttft_p99_ms = ttft_.quantile_ms(0.99);
  progress->e2e_p50_ms = e2e_.quantile_ms(0.5);
  progress->e2e_p99_ms = e2e_.quantile_ms(0.99);
}

}  // namespace hussar
