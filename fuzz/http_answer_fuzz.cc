// HTTP/1.1 answers from a server that nobody has reason to trust: any bytes, cut anywhere, must be read
// within the limits, and to the same end however they are cut.
#include <cstddef>
#include <cstdint>
#include <string>

#include "base/check.h"
#include "net/response_reader.h"

namespace {

constexpr size_t kHeaderBytesMax = 1 << 10;

struct Sink : public hussar::ResponseSink {
  int status = 0;
  size_t head_bytes = 0;
  std::string body;

  bool take_head(int new_status, const std::vector<hussar::HttpHeader>& headers) override {
    CHECK(status == 0);
    status = new_status;
    for (const hussar::HttpHeader& header : headers) head_bytes += header.name.size() + header.value.size();
    return true;
  }
  bool take_body(std::string_view bytes) override {
    CHECK(status != 0 && !bytes.empty());
    body += bytes;
    return true;
  }
};

hussar::ResponseReader::State read(std::string_view text, size_t piece_bytes, Sink* sink) {
  using State = hussar::ResponseReader::State;
  hussar::ResponseReader reader(kHeaderBytesMax);
  reader.begin("GET");
  State state = State::kMore;
  while (state == State::kMore && !text.empty()) {
    const std::string_view piece = text.substr(0, piece_bytes);
    size_t used = 0;
    state = reader.feed(piece, sink, &used);
    CHECK(used <= piece.size() && (used == piece.size() || state != State::kMore));
    CHECK((state == State::kBad) == !reader.error().empty());
    text.remove_prefix(used);
  }
  return state;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  Sink whole, cut;
  const auto state = read(text, text.size() + 1, &whole);
  CHECK(whole.head_bytes <= kHeaderBytesMax && whole.body.size() <= text.size());
  CHECK(read(text, size_t{1} + data[0] % 40, &cut) == state);
  CHECK(cut.status == whole.status && cut.body == whole.body);
  return 0;
}
