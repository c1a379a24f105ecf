// Records as tests need them.
#pragma once

#include <utility>
#include <vector>

#include "bench/record.h"

namespace hussar {

inline RequestRecord ok_record(int64_t sent_ns, int64_t first_token_ns, int64_t last_token_ns,
                               std::vector<TextChunk> chunks) {
  RequestRecord record;
  record.scheduled_ns = record.sent_ns = record.connected_ns = record.written_ns = sent_ns;
  record.head_ns = record.first_token_ns = first_token_ns;
  record.last_token_ns = record.end_ns = last_token_ns;
  record.outcome = Outcome::kOk;
  record.http_status = 200;
  record.output_tokens = 0;
  for (const TextChunk& chunk : chunks) record.output_tokens += chunk.tokens;
  record.token_source = TokenSource::kUsage;
  record.chunks = std::move(chunks);
  return record;
}

}  // namespace hussar
