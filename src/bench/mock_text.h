// What the mock says and how it counts: words and characters whose tokens anybody can count again.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace hussar {

// Token `index` of the answer to `seed`: " word", or one Chinese character. Texts of such tokens in a row are
// split into the same tokens again.
std::string_view mock_token(uint64_t seed, int64_t index);

// The tokens of any text: a character outside ASCII; else a run of ASCII without white space, with one space
// before it; else one byte of white space.
std::vector<std::string_view> split_mock_tokens(std::string_view text);
int64_t count_mock_tokens(std::string_view text);

// A number for a token, the same everywhere, below 100,000.
int32_t mock_token_id(std::string_view token);

// Well mixed bits of `a` and `b`: seeds of their own for what is numbered.
uint64_t mix_seeds(uint64_t a, uint64_t b);

}  // namespace hussar
