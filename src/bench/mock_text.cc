#include "bench/mock_text.h"

#include <array>

namespace hussar {

namespace {

constexpr std::array<std::string_view, 32> kTokens = {
    " light", "轻",    " cavalry", "骑",    " rides", "兵",      " far", "快",    " and", "而",   " fast",
    "远",     " over", "过",       " open", "原",     " ground", "野",   " when", "天",   " the", "地",
    " order", "山",    " comes",   "河",    " or",    "。",      " so",  "马",    " be",  "来"};

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\v' || c == '\f'; }
bool is_ascii(char c) { return static_cast<unsigned char>(c) < 0x80; }
bool is_word(char c) { return is_ascii(c) && !is_space(c); }
bool continues_character(char c) { return (static_cast<unsigned char>(c) & 0xc0) == 0x80; }

// The size of the token that `text` begins with. REQUIRES: it is not empty.
size_t token_bytes(std::string_view text) {
  size_t end = 0;
  if (!is_ascii(text[0])) {
    do {
      ++end;
    } while (end < text.size() && end < 4 && continues_character(text[end]));
    return end;
  }
  if (text[0] == ' ' && text.size() > 1 && is_word(text[1])) end = 1;
  while (end < text.size() && is_word(text[end])) ++end;
  return end == 0 ? 1 : end;
}

}  // namespace

uint64_t mix_seeds(uint64_t a, uint64_t b) {
  // The finaliser of splitmix64 over both.
  uint64_t x = a * 0x9e3779b97f4a7c15 + b + 0x9e3779b97f4a7c15;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  return x ^ (x >> 31);
}

std::string_view mock_token(uint64_t seed, int64_t index) {
  return kTokens[mix_seeds(seed, static_cast<uint64_t>(index)) % kTokens.size()];
}

std::vector<std::string_view> split_mock_tokens(std::string_view text) {
  std::vector<std::string_view> tokens;
  while (!text.empty()) {
    const size_t bytes = token_bytes(text);
    tokens.push_back(text.substr(0, bytes));
    text.remove_prefix(bytes);
  }
  return tokens;
}

int64_t count_mock_tokens(std::string_view text) {
  int64_t count = 0;
  while (!text.empty()) {
    text.remove_prefix(token_bytes(text));
    ++count;
  }
  return count;
}

int32_t mock_token_id(std::string_view token) {
  uint64_t hash = 14695981039346656037u;  // FNV-1a
  for (const char c : token) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211u;
  return static_cast<int32_t>(hash % 100'000);
}

}  // namespace hussar
