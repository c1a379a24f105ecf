#include "bench/trouble.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "bench/format.h"

namespace hussar {
namespace {

constexpr double kNsPerS = 1e9;
constexpr double kKvFull = 0.95;         // of its blocks: the next request's don't fit
constexpr double kGpuMemoryFull = 0.97;  // of the GPU's memory
constexpr double kGpuMemoryGrowth = 0.01;
constexpr double kMemoryLeft = 0.03;  // of what the server holds and what is left, together

std::optional<double> first_error_s(std::span<const RequestRecord> records, Outcome* outcome) {
  int64_t first_ns = -1;
  for (const RequestRecord& record : records) {
    if (!is_error(record.outcome) || record.end_ns < 0) continue;
    if (first_ns >= 0 && record.end_ns >= first_ns) continue;
    first_ns = record.end_ns;
    *outcome = record.outcome;
  }
  return first_ns < 0 ? std::nullopt : std::optional(static_cast<double>(first_ns) / kNsPerS);
}

// When the counter of preemptions was first seen above where it stood at the beginning.
std::optional<double> first_preemption_s(std::span<const ServerSample> samples, double watch_start_s) {
  double before = -1;
  for (const ServerSample& sample : samples) {
    if (sample.preemptions < 0) continue;
    if (before >= 0 && sample.preemptions > before) return sample.at_s + watch_start_s;
    if (before < 0 || sample.preemptions < before) before = sample.preemptions;
  }
  return std::nullopt;
}

void count_requests(std::span<const RequestRecord> records, Trouble* trouble) {
  const int64_t at_ns = static_cast<int64_t>(trouble->at_s * kNsPerS);
  for (const RequestRecord& record : records) {
    if (record.sent_ns < 0) continue;
    // A request that ends at this very moment was still under way.
    if (record.sent_ns <= at_ns && (record.end_ns < 0 || record.end_ns >= at_ns)) ++trouble->in_flight;
    if (record.end_ns < at_ns || record.outcome == Outcome::kCancelled ||
        record.outcome == Outcome::kUnfinished) {
      continue;
    }
    ++trouble->ended;
    if (is_error(record.outcome)) ++trouble->errors;
  }
}

// The most of each figure around the moment, but the least of memory left.
ServerSample worst_state(std::span<const ServerSample> samples, double at_s) {
  ServerSample worst;
  worst.at_s = at_s;
  for (const ServerSample& sample : samples) {
    if (std::abs(sample.at_s - at_s) > kTroubleSpanS) continue;
    for (double ServerSample::*field :
         {&ServerSample::running, &ServerSample::waiting, &ServerSample::kv_use, &ServerSample::preemptions,
          &ServerSample::prompt_tokens, &ServerSample::generation_tokens, &ServerSample::resident_bytes,
          &ServerSample::cpu_cores, &ServerSample::gpu_memory_bytes, &ServerSample::gpu_memory_total_bytes,
          &ServerSample::gpu_power_w, &ServerSample::gpu_utilisation}) {
      worst.*field = std::max(worst.*field, sample.*field);
    }
    if (sample.memory_available_bytes >= 0 &&
        (worst.memory_available_bytes < 0 || sample.memory_available_bytes < worst.memory_available_bytes)) {
      worst.memory_available_bytes = sample.memory_available_bytes;
    }
  }
  return worst;
}

// The process was seen before, and no longer soon after.
bool process_ended(std::span<const ServerSample> samples, double at_s) {
  bool seen = false;
  for (const ServerSample& sample : samples) {
    if (sample.resident_bytes >= 0) {
      seen = true;
    } else if (seen) {
      return sample.at_s <= at_s + kTroubleSpanS;
    }
  }
  return false;
}

// Servers that take their GPU memory at the start hold it all their life: only growth tells.
bool gpu_memory_filled(std::span<const ServerSample> samples, const ServerSample& state) {
  const auto first = std::find_if(samples.begin(), samples.end(),
                                  [](const ServerSample& sample) { return sample.gpu_memory_bytes >= 0; });
  return first != samples.end() && state.gpu_memory_total_bytes > 0 &&
         state.gpu_memory_bytes >= kGpuMemoryFull * state.gpu_memory_total_bytes &&
         state.gpu_memory_bytes - first->gpu_memory_bytes >= kGpuMemoryGrowth * state.gpu_memory_total_bytes;
}

bool memory_filled(const ServerSample& state) {
  return state.memory_available_bytes >= 0 && state.resident_bytes >= 0 &&
         state.memory_available_bytes <= kMemoryLeft * (state.resident_bytes + state.memory_available_bytes);
}

TroubleCause cause_of(const Trouble& trouble, std::span<const ServerSample> samples) {
  const ServerSample& state = trouble.state;
  if (process_ended(samples, state.at_s)) return TroubleCause::kProcessEnded;
  if (trouble.sign == Trouble::Sign::kPreemptions) return TroubleCause::kKvCacheFull;
  if (trouble.first_error == Outcome::kHttp4xx) return TroubleCause::kBadRequests;
  if (gpu_memory_filled(samples, state)) return TroubleCause::kGpuMemoryFull;
  if (memory_filled(state)) return TroubleCause::kMemoryFull;
  if (state.kv_use >= kKvFull) return TroubleCause::kKvCacheFull;
  switch (trouble.first_error) {
    case Outcome::kHttp429:
      return state.waiting > 0 ? TroubleCause::kQueueFull : TroubleCause::kRefused;
    case Outcome::kHttp5xx:
      return state.waiting > 0 ? TroubleCause::kQueueFull : TroubleCause::kUnseen;
    case Outcome::kFirstTokenTimeout:
    case Outcome::kStallTimeout:
    case Outcome::kTotalTimeout:
      return TroubleCause::kTooSlow;
    case Outcome::kConnectFailed:
    case Outcome::kConnectTimeout:
      return TroubleCause::kNoConnection;
    default:
      return TroubleCause::kUnseen;
  }
}

Text cause_text(TroubleCause cause) {
  switch (cause) {
    case TroubleCause::kProcessEnded:
      return {"the server's process ended", "服务器进程已结束"};
    case TroubleCause::kKvCacheFull:
      return {"the KV cache was full", "KV 缓存已满"};
    case TroubleCause::kGpuMemoryFull:
      return {"the GPU's memory was full", "显存已满"};
    case TroubleCause::kMemoryFull:
      return {"the machine's memory was full", "内存已满"};
    case TroubleCause::kQueueFull:
      return {"the server refused what it had no room to queue", "队列已满，服务器拒绝新请求"};
    case TroubleCause::kRefused:
      return {"the server refused requests, its queue was not to be seen", "服务器拒绝请求，其队列不可见"};
    case TroubleCause::kTooSlow:
      return {"the server could not answer in time", "服务器未能及时回答"};
    case TroubleCause::kNoConnection:
      return {"the server took no more connections", "服务器不再接受连接"};
    case TroubleCause::kBadRequests:
      return {"the server rejects the requests themselves, whatever the load",
              "服务器拒绝的是请求本身，与负载无关"};
    case TroubleCause::kUnseen:
      break;
  }
  return {"not to be seen from outside", "从外部看不出"};
}

// "KV use 98 %, 25 waiting, ..." of what is known; empty when nothing is.
Text state_text(const ServerSample& state) {
  Text text;
  const auto add = [&text](double known, const std::string& en, const std::string& zh) {
    if (known < 0) return;
    text.en += (text.en.empty() ? "" : ", ") + en;
    text.zh += (text.zh.empty() ? "" : "，") + zh;
  };
  const std::string kv = format_percent(state.kv_use), memory = format_bytes(state.resident_bytes),
                    left = format_bytes(state.memory_available_bytes);
  const std::string gpu =
      format_bytes(state.gpu_memory_bytes) + " / " + format_bytes(state.gpu_memory_total_bytes);
  const std::string running = format_count(std::llround(state.running));
  const std::string waiting = format_count(std::llround(state.waiting));
  add(state.running, running + " running", "运行 " + running);
  add(state.waiting, waiting + " waiting", "等待 " + waiting);
  add(state.kv_use, "KV use " + kv, "KV 占用 " + kv);
  add(state.gpu_memory_bytes, "GPU memory " + gpu, "显存 " + gpu);
  add(state.resident_bytes, "process memory " + memory, "进程内存 " + memory);
  add(state.memory_available_bytes, left + " left", "剩余 " + left);
  return text;
}

Text sentence_of(const Trouble& trouble) {
  const std::string at = format_figure(trouble.at_s), in_flight = format_count(trouble.in_flight);
  const std::string counts_en = format_count(trouble.errors) + " of the " + format_count(trouble.ended) +
                                " requests that ended from then on failed";
  const std::string counts_zh =
      "此后结束的 " + format_count(trouble.ended) + " 个请求中有 " + format_count(trouble.errors) + " 个失败";
  const std::string name(outcome_name(trouble.first_error));
  Text text;
  if (trouble.sign == Trouble::Sign::kPreemptions) {
    text.en = "Preemptions begin at " + at + " s";
    text.zh = "抢占始于第 " + at + " 秒";
  } else {
    text.en = "Errors begin at " + at + " s (" + name + ")";
    text.zh = "错误始于第 " + at + " 秒（" + name + "）";
  }
  text.en += " with " + in_flight + " requests in flight; " + counts_en;
  text.zh += "，当时有 " + in_flight + " 个请求在途；" + counts_zh;
  const Text state = state_text(trouble.state);
  if (!state.en.empty()) {
    text.en += "; around then: " + state.en;
    text.zh += "；当时：" + state.zh;
  }
  const Text cause = cause_text(trouble.cause);
  text.en += "; likely cause: " + cause.en + ".";
  text.zh += "；可能原因：" + cause.zh + "。";
  return text;
}

}  // namespace

Trouble find_trouble(std::span<const RequestRecord> records, std::span<const ServerSample> samples,
                     double watch_start_s) {
  Trouble trouble;
  const auto error_s = first_error_s(records, &trouble.first_error);
  const auto preemption_s = first_preemption_s(samples, watch_start_s);
  if (!error_s && !preemption_s) {
    trouble.sentence = {"No errors and no preemptions were seen.", "未见错误，也未见抢占。"};
    return trouble;
  }
  const bool errors_first = error_s && (!preemption_s || *error_s <= *preemption_s);
  trouble.sign = errors_first ? Trouble::Sign::kErrors : Trouble::Sign::kPreemptions;
  trouble.at_s = errors_first ? *error_s : *preemption_s;
  count_requests(records, &trouble);
  trouble.state = worst_state(samples, trouble.at_s - watch_start_s);
  trouble.cause = cause_of(trouble, samples);
  trouble.sentence = sentence_of(trouble);
  return trouble;
}

}  // namespace hussar
