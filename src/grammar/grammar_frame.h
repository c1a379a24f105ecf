// What the server and its grammar compiling process say to each other: frames of fields, each a number or
// bytes.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/types.h"
#include "grammar/grammar_limits.h"
#include "grammar/grammar_spec.h"
#include "grammar/schema_gate.h"

namespace hussar {

// The compiling process's first frame, then one for each grammar.
struct GrammarVocabularyFrame {
  std::vector<std::string> token_bytes;
  std::vector<TokenId> stop_ids;
};
struct GrammarJobFrame {
  GrammarSpec spec;
  GrammarLimits limits;
};

// How a compilation ended.
enum class GrammarOutcome : uint8_t {
  kCompiled,
  kInvalid,
  kUnsupported,
  kTooLarge,
  kTime,
  kBusy,  // the machine had no time for it
  kMemory,
  kResultTooLarge,
  kCrashed
};
struct GrammarAnswerFrame {
  GrammarOutcome outcome = GrammarOutcome::kCrashed;
  std::string text;  // the compiled grammar as bytes, or what is wrong
  std::vector<SchemaCheck> checks;
};

std::string encode_frame(const GrammarVocabularyFrame& frame);
std::string encode_frame(const GrammarJobFrame& frame);
std::string encode_frame(const GrammarAnswerFrame& frame);
// Errors: kInvalid (cut short, or longer than its fields).
Result<void> decode_frame(std::string_view bytes, GrammarVocabularyFrame* frame);
Result<void> decode_frame(std::string_view bytes, GrammarJobFrame* frame);
Result<void> decode_frame(std::string_view bytes, GrammarAnswerFrame* frame);

// Writes all of `bytes` with their length before them. Errors: kIo. REQUIRES: `fd` is a socket.
Result<void> write_frame(int fd, std::string_view bytes);
// Waits until `deadline`; for ever without one. Errors: kIo (closed, failed), kTooLarge, kCancelled (time).
Result<std::string> read_frame(int fd, size_t bytes_max, std::optional<TimePoint> deadline);

}  // namespace hussar
