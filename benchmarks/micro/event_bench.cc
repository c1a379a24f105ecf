// What reading a stream costs the pressure test beside the system's own work: events a second on one thread,
// from the bytes of an answer to its record, and of that the split into events and the JSON alone.
//
//   event_bench
//
// A line for each dialect: bytes of an event, then millions of events a second (best of nine runs): split
// only, split and scanned, whole answers in pieces of 16 KiB, and in pieces of 200 bytes, most of which cut
// an event. The goal is far above 0.3, so that sockets get the rest of the time.
#include <algorithm>
#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include "base/types.h"
#include "bench/answer_reader.h"

namespace hussar {
namespace {

constexpr int kEvents = 20'000;
constexpr int kRuns = 9;

struct Dialect {
  const char* name;
  std::string head, tail;  // of an event; a word stands between them
};

std::vector<Dialect> dialects() {
  const std::string chat_head =
      R"(data: {"id":"chatcmpl-0123456789abcdef01234567","object":"chat.completion.chunk","created":1700000000,)"
      R"("model":"smollm2-135m-instruct","choices":[{"index":0,"delta":{"content":")";
  return {{"hussar chat", chat_head, "\"},\"logprobs\":null,\"finish_reason\":null}],\"usage\":null}\n\n"},
          {"vllm chat, ids", chat_head,
           "\"},\"logprobs\":null,\"finish_reason\":null,\"token_ids\":[4711]}],"
           "\"usage\":{\"prompt_tokens\":1024,\"total_tokens\":1100,\"completion_tokens\":76}}\n\n"},
          {"llama-server text", R"(data: {"choices":[{"text":")",
           "\",\"index\":0,\"logprobs\":null,\"finish_reason\":null}],"
           "\"created\":1700000000,\"model\":\"m\",\"system_fingerprint\":\"b5000-0123abc\","
           "\"object\":\"text_completion\",\"id\":\"chatcmpl-0123456789\"}\n\n"}};
}

std::string make_stream(const Dialect& dialect) {
  static constexpr std::string_view kWords[] = {" the", " light", " cavalry", "张", "\\n", " \\u00e9"};
  std::string stream;
  for (int i = 0; i < kEvents; ++i) {
    stream.append(dialect.head)
        .append(kWords[static_cast<size_t>(i) % std::size(kWords)])
        .append(dialect.tail);
  }
  return stream;
}

// Millions of events a second.
template <typename Work>
double best_rate(const Work& work) {
  double best_s = 1e9;
  for (int run = 0; run < kRuns; ++run) {
    const TimePoint begin = Clock::now();
    work();
    best_s = std::min(best_s, std::chrono::duration<double>(Clock::now() - begin).count());
  }
  return kEvents / best_s / 1e6;
}

template <typename EachPiece>
void in_pieces(std::string_view stream, size_t piece_bytes, const EachPiece& each) {
  for (; !stream.empty(); stream.remove_prefix(std::min(piece_bytes, stream.size()))) {
    each(stream.substr(0, piece_bytes));
  }
}

enum class Scan { kNo, kYes };
double split_rate(const std::string& stream, Scan scan) {
  int64_t found = 0;
  const double rate = best_rate([&] {
    SseParser parser;
    SseEvent event;
    AnswerEvent answer;
    std::string_view wrong_field;
    in_pieces(stream, 16 << 10, [&](std::string_view piece) {
      parser.feed(piece);
      while (parser.next(&event)) {
        found += scan == Scan::kYes
                     ? scan_answer_event(event.data, &answer, nullptr, &wrong_field) == ScanEnd::kFine
                     : 1;
      }
    });
  });
  return found == int64_t{kEvents} * kRuns ? rate : -1;
}

double answer_rate(const std::string& stream, size_t piece_bytes) {
  bool whole = true;
  const double rate = best_rate([&] {
    RequestRecord record;
    AnswerReader reader({}, &record);
    reader.head(200, {{"Content-Type", "text/event-stream"}}, 0);
    const TimePoint begin = Clock::now();
    // One look at the clock for each piece, as the client takes one for each read.
    in_pieces(stream, piece_bytes,
              [&](std::string_view piece) { reader.body(piece, (Clock::now() - begin).count()); });
    whole = whole && record.chunks.size() == static_cast<size_t>(kEvents);
  });
  return whole ? rate : -1;
}

int run() {
  std::printf(
      "dialect             bytes/event   split   split+scan   answers   in 200 B pieces   (M events/s)\n");
  for (const Dialect& dialect : dialects()) {
    const std::string stream = make_stream(dialect);
    std::printf("%-18s  %11.0f  %6.2f  %11.2f  %8.2f  %16.2f\n", dialect.name,
                static_cast<double>(stream.size()) / kEvents, split_rate(stream, Scan::kNo),
                split_rate(stream, Scan::kYes), answer_rate(stream, 16 << 10), answer_rate(stream, 200));
  }
  return 0;
}

}  // namespace
}  // namespace hussar

int main() { return hussar::run(); }
