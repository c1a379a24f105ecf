// The words that made-up prompts consist of. All of one language are equally long in bytes.
#pragma once

#include <span>
#include <string_view>

namespace hussar {

std::span<const std::string_view> english_prompt_words();  // four letters
std::span<const std::string_view> chinese_prompt_words();  // two characters

inline constexpr std::string_view kEnglishClosing =
    ". Write a long and detailed story in which all of these words appear.";
inline constexpr std::string_view kChineseClosing = "。请用上面所有的词写一个又长又详细的故事。";

}  // namespace hussar
