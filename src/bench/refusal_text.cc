#include "bench/refusal_text.h"

#include "base/json.h"
#include "base/utf8.h"

namespace hussar {

namespace {

constexpr size_t kDocumentBytesMax = 1 << 20;

const std::string* text_member(const Json& object, std::string_view key) {
  const Json* member = object.find(key);
  return member == nullptr ? nullptr : member->as_string();
}

// Null when the document says nothing in words.
const std::string* find_message(const Json& document) {
  const Json* error = document.find("error");
  if (error != nullptr) {
    if (error->as_string() != nullptr) return error->as_string();
    if (const std::string* message = text_member(*error, "message")) return message;
  }
  for (const char* key : {"message", "detail"}) {
    if (const std::string* message = text_member(document, key)) return message;
  }
  return nullptr;
}

}  // namespace

std::string one_line(std::string_view text) {
  std::string line = replace_invalid_utf8(text.substr(0, kRefusalBytesMax));
  const bool cut = text.size() > kRefusalBytesMax || line.size() > kRefusalBytesMax;
  if (cut) {
    line.resize(std::min(line.size(), kRefusalBytesMax - 3));
    line.resize(complete_utf8_prefix_bytes(line));
  }
  std::string clean;
  for (const char c : line) {
    const bool control = static_cast<unsigned char>(c) < 0x20 || c == 0x7F;
    if (!control) {
      clean += c;
    } else if (!clean.empty() && clean.back() != ' ') {
      clean += ' ';
    }
  }
  while (clean.ends_with(' ')) clean.pop_back();
  return cut ? clean + "..." : clean;
}

std::string refusal_text(std::string_view body) {
  const auto document = parse_json(body, {.bytes_max = kDocumentBytesMax});
  if (document.ok()) {
    if (const std::string* message = find_message(*document)) return one_line(*message);
  }
  return one_line(body);
}

}  // namespace hussar
