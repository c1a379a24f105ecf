#include "bench/measures.h"

#include <algorithm>
#include <cmath>

#include "bench/random.h"

namespace hussar {
namespace {

constexpr double kNsPerMs = 1e6;
constexpr double kNsPerS = 1e9;
constexpr int kWarmUp = -1;

// When the answer was complete: its last text, or, without a stream, its end.
int64_t last_token_ns(const RequestRecord& record) {
  return record.last_token_ns >= 0 ? record.last_token_ns : record.end_ns;
}
int64_t ended_ns(const RequestRecord& record) {
  return record.end_ns >= 0 ? record.end_ns : record.last_token_ns;
}

// What one success gives, in ms; nothing where it gives none.
struct Latencies {
  double e2e = 0, e2e_scheduled = 0;
  std::optional<double> ttft, ttft_scheduled, tpot, normalised, connect, server_ttft;
};

Latencies latencies_of(const RequestRecord& record) {
  const auto between = [](int64_t from_ns, int64_t to_ns) {
    return static_cast<double>(to_ns - from_ns) / kNsPerMs;
  };
  const int64_t scheduled_ns = record.scheduled_ns >= 0 ? record.scheduled_ns : record.sent_ns;
  const int64_t last_ns = last_token_ns(record);
  Latencies out;
  out.e2e = between(record.sent_ns, last_ns);
  out.e2e_scheduled = between(scheduled_ns, last_ns);
  if (record.streamed && record.first_token_ns >= 0) {
    out.ttft = between(record.sent_ns, record.first_token_ns);
    out.ttft_scheduled = between(scheduled_ns, record.first_token_ns);
    if (record.output_tokens >= 2)
      out.tpot = between(record.first_token_ns, last_ns) / (record.output_tokens - 1);
  }
  if (record.output_tokens >= 1) out.normalised = out.e2e / record.output_tokens;
  if (!record.connection_reused && record.connected_ns >= 0)
    out.connect = between(record.sent_ns, record.connected_ns);
  if (record.server_ttft_s >= 0) out.server_ttft = record.server_ttft_s * 1e3;
  return out;
}

// The gaps of one success, in ms.
std::vector<double> gaps_of(const RequestRecord& record) {
  std::vector<double> gaps;
  if (!record.streamed) return gaps;
  for (size_t i = 1; i < record.chunks.size(); ++i) {
    gaps.push_back(static_cast<double>(record.chunks[i].at_ns - record.chunks[i - 1].at_ns) / kNsPerMs);
  }
  return gaps;
}

struct ChunkTokens {
  int64_t known = 0, known_chunks = 0, unknown_chunks = 0;
};
ChunkTokens count_chunks(const RequestRecord& record) {
  ChunkTokens count;
  for (const TextChunk& chunk : record.chunks) {
    count.known += chunk.tokens;
    ++(chunk.tokens > 0 ? count.known_chunks : count.unknown_chunks);
  }
  return count;
}

// k - 1 for each chunk of k tokens; where a chunk's own count is unknown, all tokens less all chunks.
int64_t coalesced_gaps_of(const RequestRecord& record) {
  if (!record.streamed) return 0;
  const ChunkTokens count = count_chunks(record);
  if (count.unknown_chunks == 0 || record.output_tokens < 0) return count.known - count.known_chunks;
  return std::max<int64_t>(0, record.output_tokens - static_cast<int64_t>(record.chunks.size()));
}

// Calls visit(at_ns, tokens) for the output tokens of a success as they came: a chunk's own count where it is
// known; the rest evenly over the chunks whose count is not, or with the last one (a token without text ends
// the answer). REQUIRES: output_tokens >= 0.
template <typename Visit>
void visit_tokens(const RequestRecord& record, Visit visit) {
  if (!record.streamed || record.chunks.empty()) {
    visit(last_token_ns(record), static_cast<double>(record.output_tokens));
    return;
  }
  const ChunkTokens count = count_chunks(record);
  const double rest = static_cast<double>(std::max<int64_t>(0, record.output_tokens - count.known));
  for (const TextChunk& chunk : record.chunks) {
    const double share = count.unknown_chunks > 0 ? rest / static_cast<double>(count.unknown_chunks) : 0;
    visit(chunk.at_ns, chunk.tokens > 0 ? chunk.tokens : share);
  }
  if (count.unknown_chunks == 0 && rest > 0) visit(record.chunks.back().at_ns, rest);
}

bool meets(const Slo& slo, const RequestRecord& record) {
  const Latencies latencies = latencies_of(record);
  const auto within = [](const std::optional<double>& value, double limit) {
    return limit < 0 || (value && *value <= limit);
  };
  if (!within(latencies.ttft_scheduled, slo.ttft_ms) || !within(latencies.e2e_scheduled, slo.e2e_ms))
    return false;
  // One token has no time between tokens that could be too long.
  if (record.output_tokens != 1 && !within(latencies.tpot, slo.tpot_ms)) return false;
  if (slo.itl_ms < 0) return true;
  const std::vector<double> gaps = gaps_of(record);
  return record.streamed &&
         std::all_of(gaps.begin(), gaps.end(), [&](double gap) { return gap <= slo.itl_ms; });
}

// Rates over [begin, end), by when things came; warm-up records included.
struct Arrivals {
  int64_t answers = 0, good_answers = 0;
  double output_tokens = 0, prompt_tokens = 0;
  bool output_known = true, prompt_known = true;
};

Arrivals arrivals_within(std::span<const RequestRecord> records, int64_t begin_ns, int64_t end_ns,
                         const std::optional<Slo>& slo) {
  const auto inside = [&](int64_t at_ns) { return at_ns >= begin_ns && at_ns < end_ns; };
  Arrivals all;
  for (const RequestRecord& record : records) {
    // What ended before the window brought nothing into it.
    if (record.outcome != Outcome::kOk || ended_ns(record) < begin_ns) continue;
    if (inside(ended_ns(record))) {
      ++all.answers;
      if (slo && meets(*slo, record)) ++all.good_answers;
    }
    if (record.output_tokens < 0) {
      all.output_known = false;
    } else {
      visit_tokens(record, [&](int64_t at_ns, double tokens) {
        if (inside(at_ns)) all.output_tokens += tokens;
      });
    }
    if (record.prompt_tokens < 0) {
      all.prompt_known = false;
    } else if (inside(record.first_token_ns >= 0 ? record.first_token_ns : last_token_ns(record))) {
      all.prompt_tokens += record.prompt_tokens;
    }
  }
  return all;
}

void count_outcomes(std::span<const RequestRecord> records, Summary* out) {
  out->outcomes.assign(kOutcomeCount, 0);
  for (const RequestRecord& record : records) {
    if (record.stage == kWarmUp) continue;
    ++out->requests;
    ++out->outcomes[static_cast<size_t>(record.outcome)];
    if (is_error(record.outcome)) ++out->errors;
  }
  out->ok = out->outcomes[static_cast<size_t>(Outcome::kOk)];
  out->cancelled = out->outcomes[static_cast<size_t>(Outcome::kCancelled)];
  out->unfinished = out->outcomes[static_cast<size_t>(Outcome::kUnfinished)];
  out->error_rate_interval = wilson_interval(out->errors, out->ok + out->errors);
}

void count_tokens(std::span<const RequestRecord> records, Summary* out) {
  std::vector<double> prompts, outputs;
  for (const RequestRecord& record : records) {
    if (record.stage == kWarmUp || record.outcome != Outcome::kOk) continue;
    record.prompt_tokens >= 0 ? prompts.push_back(record.prompt_tokens) : void(++out->prompts_unknown);
    record.output_tokens >= 0 ? outputs.push_back(record.output_tokens) : void(++out->tokens_unknown);
    out->prompt_tokens += std::max(0, record.prompt_tokens);
    out->output_tokens += std::max(0, record.output_tokens);
    out->cached_tokens += std::max(0, record.cached_tokens);
    out->coalesced_gaps += coalesced_gaps_of(record);
  }
  out->prompt_tokens_each = describe(std::move(prompts));
  out->output_tokens_each = describe(std::move(outputs));
}

void measure_rates(std::span<const RequestRecord> records, const Window& window,
                   const std::optional<Slo>& slo, Summary* out) {
  int64_t first_ns = -1, last_ns = -1;
  for (const RequestRecord& record : records) {
    if (record.stage == kWarmUp || record.sent_ns < 0) continue;
    if (first_ns < 0 || record.sent_ns < first_ns) first_ns = record.sent_ns;
    last_ns = std::max(last_ns, record.end_ns);
  }
  if (last_ns < 0) last_ns = window.end_ns;
  if (first_ns >= 0) out->whole_s = static_cast<double>(std::max<int64_t>(0, last_ns - first_ns)) / kNsPerS;
  out->steady_s =
      static_cast<double>(std::max<int64_t>(0, window.steady_end_ns - window.steady_begin_ns)) / kNsPerS;
  if (out->whole_s > 0) {
    out->qps_whole = static_cast<double>(out->ok) / out->whole_s;
    const double output = static_cast<double>(out->output_tokens);
    if (out->tokens_unknown == 0) out->output_tokens_per_s_whole = output / out->whole_s;
    if (out->tokens_unknown == 0 && out->prompts_unknown == 0)
      out->total_tokens_per_s_whole = (output + static_cast<double>(out->prompt_tokens)) / out->whole_s;
  }
  if (out->steady_s <= 0) return;
  const Arrivals steady = arrivals_within(records, window.steady_begin_ns, window.steady_end_ns, slo);
  out->qps_steady = static_cast<double>(steady.answers) / out->steady_s;
  if (slo) out->goodput_qps = static_cast<double>(steady.good_answers) / out->steady_s;
  if (steady.output_known) out->output_tokens_per_s_steady = steady.output_tokens / out->steady_s;
  if (steady.output_known && steady.prompt_known)
    out->total_tokens_per_s_steady = (steady.output_tokens + steady.prompt_tokens) / out->steady_s;
}

// All samples by metric name, and of each gap its request's place among the successes.
struct AllSamples {
  std::map<std::string, std::vector<double>> by_metric;
  std::vector<size_t> gap_requests;
};

AllSamples collect_samples(std::span<const RequestRecord> records) {
  AllSamples all;
  const auto add = [&all](const char* metric, const std::optional<double>& value) {
    if (value) all.by_metric[metric].push_back(*value);
  };
  size_t request = 0;
  for (const RequestRecord& record : records) {
    if (record.stage == kWarmUp || record.outcome != Outcome::kOk) continue;
    const Latencies latencies = latencies_of(record);
    add("e2e_ms", latencies.e2e);
    add("e2e_scheduled_ms", latencies.e2e_scheduled);
    add("ttft_ms", latencies.ttft);
    add("ttft_scheduled_ms", latencies.ttft_scheduled);
    add("tpot_ms", latencies.tpot);
    add("normalised_ms_per_token", latencies.normalised);
    add("connect_ms", latencies.connect);
    add("server_ttft_ms", latencies.server_ttft);
    for (const double gap : gaps_of(record)) {
      add("itl_ms", gap);
      all.gap_requests.push_back(request);
    }
    ++request;
  }
  return all;
}

// Which of `count` samples stay, in order: each set of `keep` is as likely (Knuth's algorithm S).
std::vector<size_t> drawn_indices(size_t count, size_t keep) {
  constexpr uint64_t kSeed = 0x5A3B1E5;
  Random random(kSeed);
  std::vector<size_t> indices;
  for (size_t i = 0; i < count && indices.size() < keep; ++i) {
    if (random.below(count - i) < keep - indices.size()) indices.push_back(i);
  }
  return indices;
}

double to_tenth_us(double ms) { return std::round(ms * 1e4) / 1e4; }

std::vector<double> runs_of_equals(const std::vector<size_t>& values) {
  std::vector<double> sizes;
  for (size_t i = 0; i < values.size(); ++i) {
    if (i > 0 && values[i] == values[i - 1]) {
      sizes.back() += 1;
    } else {
      sizes.push_back(1);
    }
  }
  return sizes;
}

Json to_json(const Interval& interval) { return JsonArray{interval.low, interval.high}; }
Json to_json(const std::optional<double>& number) { return number ? Json(*number) : Json(); }

}  // namespace

Distribution describe(std::vector<double> samples) {
  Distribution out;
  out.count = static_cast<int64_t>(samples.size());
  if (samples.empty()) return out;
  std::sort(samples.begin(), samples.end());
  out.mean = mean(samples);
  out.mean_interval = mean_interval(samples);
  out.min = samples.front();
  out.max = samples.back();
  out.p50 = quantile(samples, 0.5);
  out.p90 = quantile(samples, 0.9);
  out.p95 = quantile(samples, 0.95);
  out.p99 = quantile(samples, 0.99);
  out.p999 = quantile(samples, 0.999);
  const QuantileInterval p50 = quantile_interval(samples, 0.5), p99 = quantile_interval(samples, 0.99);
  out.p50_interval = p50.interval;
  out.p50_exact = p50.exact;
  out.p99_interval = p99.interval;
  out.p99_exact = p99.exact;
  return out;
}

Summary summarize(std::span<const RequestRecord> records, const Window& window,
                  const std::optional<Slo>& slo) {
  Summary out;
  count_outcomes(records, &out);
  count_tokens(records, &out);
  measure_rates(records, window, slo, &out);
  AllSamples all = collect_samples(records);
  const auto take = [&all](const char* metric) { return describe(std::move(all.by_metric[metric])); };
  out.ttft_ms = take("ttft_ms");
  out.e2e_ms = take("e2e_ms");
  out.ttft_scheduled_ms = take("ttft_scheduled_ms");
  out.e2e_scheduled_ms = take("e2e_scheduled_ms");
  out.tpot_ms = take("tpot_ms");
  out.itl_ms = take("itl_ms");
  out.normalised_ms_per_token = take("normalised_ms_per_token");
  out.connect_ms = take("connect_ms");
  out.server_ttft_ms = take("server_ttft_ms");
  return out;
}

std::map<std::string, std::vector<double>> metric_samples(std::span<const RequestRecord> records,
                                                          size_t count_max) {
  const AllSamples all = collect_samples(records);
  std::map<std::string, std::vector<double>> thinned;
  for (const auto& [metric, samples] : all.by_metric) {
    const std::vector<size_t> kept = drawn_indices(samples.size(), std::min(samples.size(), count_max));
    std::vector<double>& out = thinned[metric];
    for (const size_t index : kept) out.push_back(to_tenth_us(samples[index]));
    if (metric != "itl_ms") continue;
    std::vector<size_t> requests;
    for (const size_t index : kept) requests.push_back(all.gap_requests[index]);
    thinned["itl_ms_group_sizes"] = runs_of_equals(requests);
  }
  return thinned;
}

std::map<std::string, std::vector<double>> metric_samples(std::span<const RequestRecord> records,
                                                          const Window& window, size_t count_max) {
  std::map<std::string, std::vector<double>> samples = metric_samples(records, count_max);
  const double length_ns = static_cast<double>(window.steady_end_ns - window.steady_begin_ns);
  if (length_ns < kRateSlices) return samples;
  const auto slice_of = [&](int64_t at_ns) {
    const double place = static_cast<double>(at_ns - window.steady_begin_ns) / length_ns * kRateSlices;
    return static_cast<size_t>(std::clamp(place, 0.0, kRateSlices - 1.0));
  };
  const auto inside = [&](int64_t at_ns) {
    return at_ns >= window.steady_begin_ns && at_ns < window.steady_end_ns;
  };
  const double per_s = kRateSlices / (length_ns / kNsPerS);
  std::vector<double> answers(kRateSlices), tokens(kRateSlices);
  bool tokens_known = true;
  for (const RequestRecord& record : records) {
    if (record.outcome != Outcome::kOk || ended_ns(record) < window.steady_begin_ns) continue;
    if (inside(ended_ns(record))) answers[slice_of(ended_ns(record))] += per_s;
    if (record.output_tokens < 0) {
      tokens_known = false;
      continue;
    }
    visit_tokens(record, [&](int64_t at_ns, double count) {
      if (inside(at_ns)) tokens[slice_of(at_ns)] += count * per_s;
    });
  }
  samples["qps_slices"] = std::move(answers);
  if (tokens_known) samples["output_tokens_per_s_slices"] = std::move(tokens);
  return samples;
}

Json to_json(const Distribution& distribution) {
  JsonObject out{{"count", distribution.count}};
  if (distribution.count == 0) return out;
  const std::pair<const char*, double> figures[] = {{"mean", distribution.mean}, {"min", distribution.min},
                                                    {"p50", distribution.p50},   {"p90", distribution.p90},
                                                    {"p95", distribution.p95},   {"p99", distribution.p99},
                                                    {"p999", distribution.p999}, {"max", distribution.max}};
  for (const auto& [name, value] : figures) out.emplace_back(name, value);
  out.emplace_back("mean_interval", to_json(distribution.mean_interval));
  out.emplace_back("p50_interval", to_json(distribution.p50_interval));
  out.emplace_back("p50_exact", distribution.p50_exact);
  out.emplace_back("p99_interval", to_json(distribution.p99_interval));
  out.emplace_back("p99_exact", distribution.p99_exact);
  return out;
}

Json to_json(const Summary& summary) {
  JsonObject outcomes;
  for (size_t i = 0; i < summary.outcomes.size(); ++i) {
    if (summary.outcomes[i] > 0)
      outcomes.emplace_back(outcome_name(static_cast<Outcome>(i)), summary.outcomes[i]);
  }
  return JsonObject{
      {"requests", summary.requests},
      {"ok", summary.ok},
      {"errors", summary.errors},
      {"cancelled", summary.cancelled},
      {"unfinished", summary.unfinished},
      {"outcomes", std::move(outcomes)},
      {"error_rate_interval", to_json(summary.error_rate_interval)},
      {"ttft_ms", to_json(summary.ttft_ms)},
      {"e2e_ms", to_json(summary.e2e_ms)},
      {"ttft_scheduled_ms", to_json(summary.ttft_scheduled_ms)},
      {"e2e_scheduled_ms", to_json(summary.e2e_scheduled_ms)},
      {"tpot_ms", to_json(summary.tpot_ms)},
      {"itl_ms", to_json(summary.itl_ms)},
      {"normalised_ms_per_token", to_json(summary.normalised_ms_per_token)},
      {"connect_ms", to_json(summary.connect_ms)},
      {"server_ttft_ms", to_json(summary.server_ttft_ms)},
      {"coalesced_gaps", summary.coalesced_gaps},
      {"prompt_tokens", summary.prompt_tokens},
      {"output_tokens", summary.output_tokens},
      {"cached_tokens", summary.cached_tokens},
      {"tokens_unknown", summary.tokens_unknown},
      {"prompts_unknown", summary.prompts_unknown},
      {"prompt_tokens_each", to_json(summary.prompt_tokens_each)},
      {"output_tokens_each", to_json(summary.output_tokens_each)},
      {"steady_s", summary.steady_s},
      {"whole_s", summary.whole_s},
      {"qps_steady", summary.qps_steady},
      {"qps_whole", summary.qps_whole},
      {"output_tokens_per_s_steady", to_json(summary.output_tokens_per_s_steady)},
      {"output_tokens_per_s_whole", to_json(summary.output_tokens_per_s_whole)},
      {"total_tokens_per_s_steady", to_json(summary.total_tokens_per_s_steady)},
      {"total_tokens_per_s_whole", to_json(summary.total_tokens_per_s_whole)},
      {"goodput_qps", to_json(summary.goodput_qps)},
  };
}

std::vector<std::pair<std::string, std::string>> formulas() {
  return {
      {"Clock: monotonic; each piece of an answer is stamped right after the read that brought it. t0 is the "
       "time "
       "at which the client began to send (actual), or at which the plan wanted it to (scheduled): a client "
       "or "
       "connection that is late hides in the first and shows in the second.",
       "时钟：单调时钟；回答的每一段在读到之后立即打上时间戳。t0 "
       "为客户端实际开始发送的时刻（actual），或计划中应发送的时刻（scheduled）：客户端或连接的迟到在前者中看"
       "不见，在后者中会显现。"},
      {"Only whole answers with text (outcome ok) count in latencies and rates. Requests of the warm-up "
       "count in "
       "the steady rates alone, by what they brought inside the window.",
       "只有完整且有文本的回答（结果为 "
       "ok）计入延迟与速率。预热阶段的请求只计入稳态速率，且只计其在窗口内带来的部分。"},
      {"TTFT = first chunk with text - t0. Answers that were not streamed have none.",
       "TTFT = 第一个含文本的数据块的时刻 - t0。非流式回答没有 TTFT。"},
      {"E2E = last chunk with text (not streamed: the end of the answer) - t0.",
       "E2E = 最后一个含文本的数据块的时刻（非流式：回答结束的时刻）- t0。"},
      {"TPOT = (E2E - TTFT) / (n - 1), n = output tokens, of streamed answers with n >= 2.",
       "TPOT = (E2E - TTFT) / (n - 1)，n 为输出 token 数，只对 n >= 2 的流式回答计算。"},
      {"ITL = gaps between consecutive chunks with text, of all answers together. A chunk of k tokens gives "
       "its gap "
       "once and k - 1 coalesced gaps, which are counted and not taken as 0; where a chunk's own count is "
       "unknown, "
       "an answer has (output tokens - chunks) of them.",
       "ITL = 相邻含文本数据块之间的间隔，所有回答合在一起。含 k 个 token 的数据块只给出一个间隔，另有 k - 1 "
       "个合并间隔：只计数，不当作 0；若单个数据块的 token 数未知，则合并间隔数为（输出 token 数 - "
       "数据块数）。"},
      {"Normalised latency = E2E / output tokens.", "归一化延迟 = E2E / 输出 token 数。"},
      {"Token counts come from the server's usage, else from its tokenizer; where both are missing they are "
       "unknown, and rates of tokens are left out rather than guessed.",
       "token 数取自服务器的 usage，否则取自其分词器；两者皆无时视为未知，此时不给出 token "
       "速率，而不是去猜。"},
      {"QPS = answers that ended in the steady window / its length. Whole run: successes / (last end - first "
       "sending), warm-up excluded.",
       "QPS = 稳态窗口内结束的回答数 / 窗口长度。全程：成功数 /（最后结束 - 首次发送），不含预热。"},
      {"Output tok/s = tokens that came in the steady window / its length, by the time of their chunk; where "
       "a "
       "chunk's own count is unknown, the answer's tokens are spread evenly over its chunks. Total tok/s "
       "adds prompt "
       "tokens at the time of their answer's first token.",
       "输出 tok/s = 稳态窗口内到达的 token 数 / 窗口长度，按数据块到达时刻计；数据块的 token "
       "数未知时，把该回答的 token "
       "平均分到各数据块。总 tok/s 另加提示 token，计在其回答首个 token 的时刻。"},
      {"Goodput = answers that ended in the steady window and met every limit of the SLO, from the scheduled "
       "time "
       "(ITL: each gap), / its length. What can't be shown to meet a limit does not.",
       "Goodput = 稳态窗口内结束、且从计划时刻算起满足 SLO 每一项限值（ITL：每个间隔）的回答数 / "
       "窗口长度。无法证明满足的视为不满足。"},
      {"Error rate = errors / (successes + errors); requests cancelled by the plan or cut by the end of the "
       "run are "
       "neither. Interval: Wilson, 95 %.",
       "错误率 = 错误数 /（成功数 + 错误数）；按计划取消或因运行结束而中断的请求两者都不算。区间：Wilson，95 "
       "%。"},
      {"Percentiles interpolate linearly between order statistics (definition 7). Their 95 % intervals come "
       "from "
       "order statistics (exact binomial), those of means from Student's t; requests are taken as "
       "independent.",
       "百分位数在次序统计量之间线性插值（定义 7）。其 95 % "
       "区间来自次序统计量（精确二项分布），均值的区间来自学生 t "
       "分布；请求视为相互独立。"},
  };
}

}  // namespace hussar
