// Frames between the server and its grammar compiling process: what is decoded encodes to the same bytes.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "grammar/grammar_frame.h"

namespace {

template <typename Frame>
void decode(std::string_view bytes) {
  Frame frame;
  if (!hussar::decode_frame(bytes, &frame).ok()) return;
  Frame again;
  CHECK(hussar::decode_frame(hussar::encode_frame(frame), &again).ok());
  CHECK(hussar::encode_frame(again) == hussar::encode_frame(frame));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  decode<hussar::GrammarVocabularyFrame>(bytes);
  decode<hussar::GrammarJobFrame>(bytes);
  decode<hussar::GrammarAnswerFrame>(bytes);
  return 0;
}
