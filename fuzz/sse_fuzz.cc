// Any bytes as an event stream, in pieces whose lengths the first byte draws: the events must be those of the
// stream in one piece, and their sizes within the limit.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "bench/sse_parser.h"

namespace {

constexpr size_t kEventBytesMax = 200;

struct Events {
  std::vector<std::string> names, data;
  bool too_large = false;
};

Events split(std::string_view bytes, uint32_t draw) {
  hussar::SseParser parser(kEventBytesMax);
  hussar::SseEvent event;
  Events events;
  while (!bytes.empty()) {
    draw = draw * 1664525 + 1013904223;
    // Memory of its own, so that a sanitizer sees what outlives the piece.
    const std::vector<char> piece(bytes.begin(),
                                  bytes.begin() + std::min<size_t>(bytes.size(), 1 + (draw >> 24) % 16));
    parser.feed({piece.data(), piece.size()});
    while (parser.next(&event)) {
      CHECK(event.name.size() + event.data.size() <= kEventBytesMax + 1);  // and the \n between two lines
      events.names.emplace_back(event.name);
      events.data.emplace_back(event.data);
    }
    bytes.remove_prefix(piece.size());
  }
  if (parser.finish(&event)) events.data.emplace_back(event.data);
  events.too_large = parser.too_large();
  return events;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const Events first = split(bytes, data[0]);
  const Events second = split(bytes, data[0] + 256u);
  // A long event ends the stream a few bytes earlier or later, according to its pieces.
  if (first.too_large || second.too_large) return 0;
  CHECK(first.names == second.names && first.data == second.data);
  return 0;
}
