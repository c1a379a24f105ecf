#include "bench/article/figures.h"

#include <string>

namespace hussar {
namespace {

constexpr ArticleLatency kLatencies[] = {
    {128, 96, 0.38, 2.14, "fine", "正常"},
    {512, 408, 0.41, 2.31, "fine", "正常"},
    {1024, 816, 0.45, 2.48, "fine", "正常"},
    {2048, 1632, 0.52, 2.67, "fine", "正常"},
    {4096, 3272, 0.61, 2.93, "slight stutter", "略有卡顿"},
    {8192, -1, 0.75, 3.21, "time-outs now and then", "偶尔超时"},
};

constexpr ArticleConcurrency kConcurrency[] = {
    {10, 8.7, 1.15, 0, 6.2},      {25, 20.3, 1.22, 0, 6.4},     {50, 36.1, 1.38, 0, 6.6},
    {75, 48.9, 1.54, 0.012, 6.8}, {100, 52.4, 1.91, 0.068, -1},
};

}  // namespace

Text article_column_owner() {
  return {"article: Qwen2.5-0.5B-Instruct, 4 x RTX 4090D, Qwen's tokenizer",
          "文章：Qwen2.5-0.5B-Instruct，4 × RTX 4090D，Qwen 分词器"};
}

std::span<const ArticleLatency> article_latencies() { return kLatencies; }
std::span<const ArticleConcurrency> article_concurrency() { return kConcurrency; }

std::string_view article_latency_sentence() { return "请简要介绍人工智能的发展历程。"; }

std::string article_latency_prompt(int32_t input_tokens) {
  std::string prompt;
  for (int32_t i = 0; i < input_tokens / 10; ++i) prompt += article_latency_sentence();
  return prompt;
}

std::string_view article_long_prompt() {
  return "请写一篇关于量子计算原理及其未来发展的科普文章，不少于 5000 字。";
}

std::string_view article_concurrency_prompt() { return "解释牛顿三大定律并举例说明。"; }

std::vector<Text> latency_contradictions() {
  return {
      {"The article's lengths are not its prompts' lengths: N // 10 repetitions of its sentence are 96, 408, "
       "816, "
       "1,632 and 3,272 tokens for N = 128 to 4096 with Qwen's tokenizer. Its script makes no prompt of "
       "8192, "
       "though the table has that row; and it prints characters as output length.",
       "文章写的长度不是提示词的实际长度：把那句话重复 N // 10 次，对 N = 128 至 4096，用 Qwen "
       "分词器得到的是 96、408、816、"
       "1,632、3,272 个 token。表里有 8192 一行，脚本却没有生成这样的提示词；输出长度打印的也是字符数。"},
      {"It speaks of a first token within 0.5 s; its own table says 0.52 to 0.75 s from 2,048 tokens on.",
       "文章称首个 token 在 0.5 秒以内，而它自己的表中从 2,048 token 起为 0.52 至 0.75 秒。"},
      {"Each of its longer prompts begins with the shorter one, so that a server with a prefix cache has "
       "seen "
       "much of it before. Here cold rows have prompts that differ from their first token on; warm rows "
       "repeat "
       "one prompt that was sent just before; the article's own prompts have a table of their own.",
       "文章中每个较长的提示词都以较短的那个开头，有前缀缓存的服务器早已见过其中大半。本测试的“冷”行使用从第"
       "一个 token "
       "起就互不相同的提示词；“热”行重复刚刚发送过的同一提示词；文章自己的提示词另列一表。"},
      {"It swaps the names of its measures. Here TTFT is the time to the first token, total the time to the "
       "last.",
       "文章把指标的名称弄混了。本报告中 TTFT 是到首个 token 的时间，总耗时是到最后一个 token 的时间。"},
      {"Counted from the first token, 512 tokens in 2.14 s are 291 tokens/s and in 3.21 s 208; its long "
       "output is "
       "said to run at 610.",
       "从首个 token 算起，512 个 token 用 2.14 秒即每秒 291 个，用 3.21 秒即每秒 208 "
       "个；而它的长文本却称达到每秒 610 个。"},
  };
}

std::vector<Text> long_output_contradictions() {
  return {
      {"About 7,600 tokens in 12.4 s are 610 tokens/s; the article's latency table has 208 to 290 tokens/s "
       "on the "
       "same machine.",
       "约 7,600 个 token 用 12.4 秒，即每秒 610 个；而文章的延迟表在同一台机器上只有每秒 208 至 290 个。"},
      {"That the text ended by itself before 8,192 tokens is laid to an internal safety mechanism. Nothing "
       "shows "
       "that; the reason that the server gives for each end stands in the table.",
       "文章把文本在 8,192 个 token "
       "之前自行结束归因于“内部安全机制”，但没有任何证据；本表给出服务器说明的结束原因。"},
  };
}

std::vector<Text> concurrency_contradictions() {
  return {
      {"With 1 to 3 s of think time (2 s on average) a user sends at most one request in 2 s, so that the "
       "rate "
       "can't exceed users / 2: 5, 12.5, 25, 37.5 and 50 requests/s. The article's rates equal users / "
       "latency, "
       "which is no think time. So both are measured here.",
       "每个用户思考 1 至 3 秒（平均 2 秒），最多每 2 秒发一个请求，请求率不可能超过用户数 / "
       "2：5、12.5、25、37.5、50。"
       "文章的数值等于用户数 / 延迟，也就是没有思考时间。因此这里两种都测。"},
      {"The text says about 1,024 tokens in; the payload's prompt has 9 with Qwen's tokenizer, and never "
       "changes, "
       "which a prefix cache makes look fast. So both are measured here: that prompt, and prompts of 1,024 "
       "tokens that differ from the first one on.",
       "正文称输入约 1,024 个 token，而请求中的提示词用 Qwen 分词器只有 9 "
       "个，且从不变化，前缀缓存会让它显得很快。"
       "因此这里两种都测：该提示词，以及从第一个 token 起互不相同的 1,024 token 提示词。"},
      {"512 tokens take 2.14 s alone in its latency table, but 1.15 s among 10 users here.",
       "在它的延迟表里单独生成 512 个 token 要 2.14 秒，而在这里 10 个用户同时使用时只要 1.15 秒。"},
      {"One request is said to take about 6 GB. That is what the whole server had reserved; 10 to 75 users "
       "differ "
       "by 0.6 GB.",
       "文章称单个请求约占 6 GB。那是整个服务预留的显存；从 10 到 75 个用户只相差 0.6 GB。"},
  };
}

std::vector<Text> structured_contradictions() {
  return {
      {"The article's prompt never says what the fields are called. Where a model chooses another fitting "
       "English "
       "name, such as occupation for job, that is its choice and no error here; in the tasks that name their "
       "keys it is one.",
       "文章的提示词没有规定字段名。模型选用另一个合适的英文名（例如用 occupation 代替 "
       "job）是它的选择，这里不算错误；"
       "在写明键名的任务里才算错误。"},
      {"97 % + 2 % + 1 % leave nothing for the numbers in quotes (under 1 %), and wrong names are legal JSON "
       "all "
       "the same: what its shares are of is open. Here every answer counts in each class that it belongs to.",
       "97 %、2 % 与 1 % 相加后，没有给“数字加了引号”（不足 1 %）留下余地，而字段名错误的仍是合法 "
       "JSON：这些比例的"
       "口径不明。这里每个回答计入它所属的每一类。"},
  };
}

std::vector<Text> multi_turn_remarks() {
  return {
      {"The article asks whether the model forgets or contradicts itself over many turns, and measures "
       "nothing. "
       "There are no figures of its own to stand beside.",
       "文章提出了多轮对话中是否遗忘、是否自相矛盾的问题，但没有测量，因此没有可以对照的数字。"}};
}

}  // namespace hussar
