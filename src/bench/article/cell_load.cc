#include "bench/article/cell_load.h"

#include <utility>

namespace hussar {
namespace {

constexpr double kDrainS = 1e6;
constexpr double kCutOffS = 0.05;  // --quick: for answers that end just now

}  // namespace

PlannedRequest planned(const Target& target, Api api, const RequestSpec& spec, std::string label) {
  PlannedRequest request;
  request.wire = target.wire(api, spec);
  request.streamed = spec.stream;
  request.output_tokens_max = spec.output_tokens_max;
  request.label = std::move(label);
  return request;
}

bool run_and_keep(const ArticleBench& bench, RequestSource& source, LoadShape shape, const CellTime& time,
                  KeepText keep_text, int32_t stage, CellResult* result) {
  LoadOptions options;
  options.timeouts = bench.timeouts;
  options.keep_text = keep_text == KeepText::kYes;
  options.on_progress = bench.on_progress;
  const bool boxed = time.share_s > 0;
  // Without a box, what runs may end: a time-out ends it at the latest.
  shape.drain_s_max = boxed ? kCutOffS + time.grace_s : kDrainS;
  RunLog log = run_load(*bench.target, source, shape, options, *bench.stop);
  // Several runs of one cell stand one behind the other on its clock.
  const int64_t offset = result->window.end_ns;
  for (RequestRecord& record : log.records) {
    if (record.stage >= 0) record.stage += stage;
    for (int64_t* at : {&record.scheduled_ns, &record.sent_ns, &record.connected_ns, &record.written_ns,
                        &record.head_ns, &record.first_token_ns, &record.last_token_ns, &record.end_ns}) {
      if (*at >= 0) *at += offset;
    }
    for (TextChunk& chunk : record.chunks) chunk.at_ns += offset;
    result->records.push_back(std::move(record));
  }
  if (offset == 0) result->window.steady_begin_ns = log.steady_begin_ns;
  result->window.steady_end_ns = offset + log.steady_end_ns;
  result->window.end_ns = offset + log.end_ns;
  add_proof(log.proof, &result->proof);
  return log.interrupted;
}

void keep_server_samples(const ArticleBench& bench, TimePoint began, CellResult* result) {
  if (bench.watch == nullptr) return;
  const double began_s = std::chrono::duration<double>(began - bench.watch->started()).count();
  for (ServerSample sample : bench.watch->samples()) {
    if (sample.at_s < began_s) continue;
    sample.at_s -= began_s;
    result->server_samples.push_back(sample);
  }
}

}  // namespace hussar
