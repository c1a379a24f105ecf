#include "bench/prometheus_text.h"

#include <charconv>
#include <system_error>

namespace hussar {
namespace {

bool is_name_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == ':';
}

void skip_blanks(std::string_view* text) {
  const size_t blanks = text->find_first_not_of(" \t");
  text->remove_prefix(blanks == std::string_view::npos ? text->size() : blanks);
}

// The place of the brace that ends the labels, or npos: braces inside quotes are text, and a backslash takes
// the next character with it.
size_t closing_brace(std::string_view labels) {
  bool quoted = false;
  for (size_t i = 0; i < labels.size(); ++i) {
    if (quoted && labels[i] == '\\') {
      ++i;
    } else if (labels[i] == '"') {
      quoted = !quoted;
    } else if (!quoted && labels[i] == '}') {
      return i;
    }
  }
  return std::string_view::npos;
}

bool read_value(std::string_view text, double* value) {
  text = text.substr(0, text.find_first_of(" \t\r"));  // a timestamp may follow
  if (text.starts_with('+')) text.remove_prefix(1);
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *value);
  return error == std::errc() && end == text.data() + text.size() && !text.empty();
}

bool read_line(std::string_view text, PrometheusLine* line) {
  skip_blanks(&text);
  size_t name_size = 0;
  while (name_size < text.size() && is_name_character(text[name_size])) ++name_size;
  if (name_size == 0) return false;
  line->name = text.substr(0, name_size);
  line->labels = {};
  text.remove_prefix(name_size);
  skip_blanks(&text);
  if (text.starts_with('{')) {
    text.remove_prefix(1);
    const size_t end = closing_brace(text);
    if (end == std::string_view::npos) return false;
    line->labels = text.substr(0, end);
    text.remove_prefix(end + 1);
    skip_blanks(&text);
  }
  return read_value(text, &line->value);
}

}  // namespace

bool next_prometheus_line(std::string_view* text, PrometheusLine* line) {
  while (!text->empty()) {
    const size_t size = text->find('\n');
    const std::string_view candidate = text->substr(0, size);
    text->remove_prefix(size == std::string_view::npos ? text->size() : size + 1);
    if (read_line(candidate, line)) return true;
  }
  return false;
}

}  // namespace hussar
