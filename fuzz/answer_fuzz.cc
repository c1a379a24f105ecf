// Any bytes as the body of an answer. The first byte chooses what was asked for, what the head said, how the
// call ended and in which pieces the body comes. Whatever the bytes, the record must be one that the figures
// can be made of.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "base/utf8.h"
#include "bench/answer_reader.h"

namespace {

void check_record(const hussar::RequestRecord& record) {
  using hussar::Outcome;
  CHECK((record.outcome == Outcome::kOk) == record.detail.empty());
  CHECK(hussar::is_valid_utf8(record.detail) && hussar::is_valid_utf8(record.text));
  CHECK(record.output_tokens >= -1 && record.prompt_tokens >= -1 && record.cached_tokens >= -1);
  CHECK(record.finish_reason.size() <= 200 && hussar::is_valid_utf8(record.finish_reason));
  CHECK(record.chunks.empty() == (record.first_token_ns < 0));
  int64_t last_ns = record.first_token_ns;
  for (const hussar::TextChunk& chunk : record.chunks) {
    CHECK(chunk.tokens >= 0 && chunk.at_ns >= last_ns);
    last_ns = chunk.at_ns;
  }
  if (record.streamed) CHECK(record.last_token_ns == last_ns);
  if (record.outcome == Outcome::kOk) CHECK(record.http_status == 200 && record.last_token_ns >= 0);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const uint8_t choice = data[0];
  std::string_view body(reinterpret_cast<const char*>(data) + 1, size - 1);
  hussar::RequestRecord record;
  record.streamed = (choice & 1) != 0;
  hussar::AnswerReader reader({.streamed = record.streamed, .output_tokens_max = 50, .keep_text = true},
                              &record);
  int64_t now_ns = 0;
  const char* type = (choice & 2) != 0 ? "text/event-stream" : "application/json";
  reader.head((choice & 4) != 0 ? 200 : 429, {{"Content-Type", type}}, ++now_ns);
  const size_t piece_bytes = 1 + (choice >> 5) * 7;
  while (!body.empty()) {
    const std::vector<char> piece(body.begin(), body.begin() + std::min(body.size(), piece_bytes));
    reader.body({piece.data(), piece.size()}, ++now_ns);
    body.remove_prefix(piece.size());
  }
  if ((choice & 8) != 0) reader.give_up(hussar::Outcome::kStallTimeout, "no patience");
  reader.end((choice & 16) != 0 ? hussar::CallEnd::kBroken : hussar::CallEnd::kDone, "why", ++now_ns);
  check_record(record);
  return 0;
}
