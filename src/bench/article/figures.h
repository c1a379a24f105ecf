// What the article reports, as constants, and where its figures contradict each other. Source: "Qwen2.5-0.5B
// performance limit test: how a small model behaves under pressure" (in Chinese); Qwen2.5-0.5B-Instruct on
// vLLM, 4 x RTX 4090D 24 GB, 2 x Xeon Gold 6330, 256 GB. Token counts of its prompts are ours, by Qwen's
// tokenizer.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "bench/report.h"

namespace hussar {

// "article: Qwen2.5-0.5B-Instruct, 4 x RTX 4090D, Qwen's tokenizer": stands in the head of every column of
// its figures.
Text article_column_owner();

struct ArticleLatency {
  int32_t input_tokens;       // as it printed them
  int32_t real_input_tokens;  // of that prompt, by Qwen's tokenizer; -1: it never made that prompt
  double ttft_s, total_s;
  std::string_view note_en, note_zh;
};
std::span<const ArticleLatency> article_latencies();

struct ArticleConcurrency {
  int32_t users;
  double qps, latency_s;
  double error_share;    // 0 to 1
  double gpu_memory_gb;  // -1: "at risk of running out"
};
std::span<const ArticleConcurrency> article_concurrency();

// Long output.
inline constexpr int32_t kArticleLongTokensAsked = 8192;
inline constexpr int32_t kArticleLongTokens = 7600;  // "about"
inline constexpr double kArticleLongSeconds = 12.4;
inline constexpr double kArticleLongTokensPerS = 610;
inline constexpr int64_t kArticleLongWanted = 5000;  // characters that its prompt asks for

// Structured output, shares of 100 runs.
inline constexpr double kArticleLegalShare = 0.97;
inline constexpr double kArticleWrongNameShare = 0.02;
inline constexpr double kArticleArrayAsStringShare = 0.01;
inline constexpr int32_t kArticleJsonRuns = 100;

// Its prompts, word for word.
std::string_view article_latency_sentence();  // repeated input tokens // 10 times
std::string article_latency_prompt(int32_t input_tokens);
std::string_view article_long_prompt();
std::string_view article_concurrency_prompt();
inline constexpr int32_t kArticleConcurrencyPromptTokens =
    9;  // by Qwen's tokenizer; the text says about 1,024

// The contradictions that concern one of the tables.
std::vector<Text> latency_contradictions();
std::vector<Text> long_output_contradictions();
std::vector<Text> concurrency_contradictions();
std::vector<Text> structured_contradictions();
std::vector<Text> multi_turn_remarks();

}  // namespace hussar
