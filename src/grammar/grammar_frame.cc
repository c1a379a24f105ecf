#include "grammar/grammar_frame.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace hussar {
namespace {

void put(uint64_t number, std::string* out) {
  char bytes[sizeof number];
  std::memcpy(bytes, &number, sizeof number);  // both ends run on one machine
  out->append(bytes, sizeof bytes);
}

void put(std::string_view text, std::string* out) {
  put(text.size(), out);
  out->append(text);
}

// Takes fields from the front; once one is missing all that follow are empty, and finish() says so.
class FieldReader {
 public:
  explicit FieldReader(std::string_view bytes) : rest_(bytes) {}

  uint64_t number() {
    uint64_t value = 0;
    if (rest_.size() < sizeof value) return fail(), 0;
    std::memcpy(&value, rest_.data(), sizeof value);
    rest_.remove_prefix(sizeof value);
    return value;
  }
  std::string text() {
    const uint64_t size = number();
    if (size > rest_.size()) return fail(), "";
    std::string out(rest_.substr(0, size));
    rest_.remove_prefix(size);
    return out;
  }
  std::vector<std::string> texts() {
    std::vector<std::string> out;
    for (uint64_t left = number(); left > 0 && !failed_; --left) out.push_back(text());
    return out;
  }
  Result<void> finish() const {
    if (!failed_ && rest_.empty()) return {};
    return Error{ErrorCode::kInvalid, "a frame of the grammar compiler is malformed", ""};
  }

 private:
  void fail() {
    failed_ = true;
    rest_ = {};
  }
  std::string_view rest_;
  bool failed_ = false;
};

Error io_error(const char* what) {
  return {ErrorCode::kIo, std::string("the grammar compiler's ") + what + ": " + std::strerror(errno), ""};
}

// Reads exactly `size` bytes to the end of `out`.
Result<void> read_bytes(int fd, size_t size, std::optional<TimePoint> deadline, std::string* out) {
  constexpr size_t kPieceBytes = 64 << 10;
  char piece[kPieceBytes];
  while (size > 0) {
    int wait_ms = -1;
    if (deadline) {
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(*deadline - Clock::now()).count();
      wait_ms = static_cast<int>(std::clamp<int64_t>(left, 0, 60'000));
    }
    pollfd wait{fd, POLLIN, 0};
    const int ready = poll(&wait, 1, wait_ms);
    if (ready < 0 && errno != EINTR) return io_error("connection failed");
    if (ready == 0 && deadline && Clock::now() >= *deadline) {
      return Error{ErrorCode::kCancelled, "the grammar compiler took too long", ""};
    }
    if (ready <= 0) continue;
    const ssize_t got = read(fd, piece, std::min(size, sizeof piece));
    if (got == 0) return Error{ErrorCode::kIo, "the grammar compiler's connection was closed", ""};
    if (got < 0 && errno != EINTR && errno != EAGAIN) return io_error("connection failed");
    if (got <= 0) continue;
    out->append(piece, static_cast<size_t>(got));
    size -= static_cast<size_t>(got);
  }
  return {};
}

}  // namespace

std::string encode_frame(const GrammarVocabularyFrame& frame) {
  std::string out;
  put(frame.token_bytes.size(), &out);
  for (const std::string& token : frame.token_bytes) put(token, &out);
  put(frame.stop_ids.size(), &out);
  for (const TokenId id : frame.stop_ids) put(static_cast<uint64_t>(id), &out);
  return out;
}

Result<void> decode_frame(std::string_view bytes, GrammarVocabularyFrame* frame) {
  FieldReader reader(bytes);
  frame->token_bytes = reader.texts();
  // A count that no bytes stand behind must not become memory.
  const uint64_t count = std::min<uint64_t>(reader.number(), bytes.size());
  for (uint64_t i = 0; i < count; ++i) frame->stop_ids.push_back(static_cast<TokenId>(reader.number()));
  return reader.finish();
}

std::string encode_frame(const GrammarJobFrame& frame) {
  std::string out;
  put(static_cast<uint64_t>(frame.spec.kind), &out);
  put(frame.spec.text, &out);
  put(frame.spec.choices.size(), &out);
  for (const std::string& choice : frame.spec.choices) put(choice, &out);
  put(static_cast<uint64_t>(frame.limits.cpu_ms_max), &out);
  put(static_cast<uint64_t>(frame.limits.memory_bytes_max), &out);
  put(static_cast<uint64_t>(frame.limits.result_bytes_max), &out);
  return out;
}

Result<void> decode_frame(std::string_view bytes, GrammarJobFrame* frame) {
  FieldReader reader(bytes);
  frame->spec.kind = static_cast<GrammarKind>(
      std::min<uint64_t>(reader.number(), static_cast<uint64_t>(GrammarKind::kEbnf)));
  frame->spec.text = reader.text();
  frame->spec.choices = reader.texts();
  frame->limits.cpu_ms_max = static_cast<int64_t>(reader.number());
  frame->limits.memory_bytes_max = static_cast<int64_t>(reader.number());
  frame->limits.result_bytes_max = static_cast<int64_t>(reader.number());
  return reader.finish();
}

std::string encode_frame(const GrammarAnswerFrame& frame) {
  std::string out;
  put(static_cast<uint64_t>(frame.outcome), &out);
  put(frame.text, &out);
  put(frame.checks.size(), &out);
  for (const SchemaCheck& check : frame.checks) {
    put(check.keyword, &out);
    put(check.path, &out);
  }
  return out;
}

Result<void> decode_frame(std::string_view bytes, GrammarAnswerFrame* frame) {
  FieldReader reader(bytes);
  frame->outcome = static_cast<GrammarOutcome>(
      std::min<uint64_t>(reader.number(), static_cast<uint64_t>(GrammarOutcome::kCrashed)));
  frame->text = reader.text();
  for (uint64_t left = std::min<uint64_t>(reader.number(), bytes.size()); left > 0; --left) {
    std::string keyword = reader.text();
    frame->checks.push_back({std::move(keyword), reader.text()});
  }
  return reader.finish();
}

Result<void> write_frame(int fd, std::string_view bytes) {
  std::string header;
  put(bytes.size(), &header);
  for (std::string_view rest : {std::string_view(header), bytes}) {
    while (!rest.empty()) {
      const ssize_t sent = send(fd, rest.data(), rest.size(), MSG_NOSIGNAL);
      if (sent < 0 && errno != EINTR) return io_error("connection failed");
      if (sent > 0) rest.remove_prefix(static_cast<size_t>(sent));
    }
  }
  return {};
}

Result<std::string> read_frame(int fd, size_t bytes_max, std::optional<TimePoint> deadline) {
  std::string bytes;
  uint64_t size = 0;
  RETURN_IF_ERROR(read_bytes(fd, sizeof size, deadline, &bytes));
  std::memcpy(&size, bytes.data(), sizeof size);
  if (size > bytes_max) return Error{ErrorCode::kTooLarge, "a frame of the grammar compiler is too long", ""};
  bytes.clear();
  RETURN_IF_ERROR(read_bytes(fd, size, deadline, &bytes));
  return bytes;
}

}  // namespace hussar
