#include "bench/article/cell_runner.h"

#include <algorithm>
#include <string>
#include <utility>

#include "bench/article/cell_load.h"
#include "bench/article/cell_status.h"
#include "bench/article/connections.h"
#include "bench/article/conversation_run.h"
#include "bench/article/figures.h"
#include "bench/article/json_tasks.h"
#include "bench/article/sources.h"

namespace hussar {
namespace {

constexpr uint64_t kPromptsOfACell = 1'000'000;
constexpr double kWarmUpS = 5;
constexpr int32_t kLongTokensMin = 256;
// What a chat template may add to a prompt, as far as it is not counted.
constexpr int32_t kTemplateTokens = 64;

RequestSpec article_spec(std::string prompt, int32_t output_tokens) {
  RequestSpec spec;
  spec.prompt = std::move(prompt);
  spec.output_tokens_max = output_tokens;
  spec.temperature = 0.7;
  spec.top_p = 0.9;
  return spec;
}

JsonObject workload_of(const ArticleBench& bench, const Cell& cell, bool forced) {
  const bool can_force = bench.target->knows_ignore_eos() || bench.target->knows_min_tokens();
  return {{"cell", cell.id},
          {"api", api_name(bench.options.api)},
          {"output_tokens", cell.output_tokens},
          {"force_length", forced && can_force}};
}

// True when the model can't hold this prompt and its answer; then the result says so.
bool exceeds_context(const ArticleBench& bench, int64_t prompt_tokens, const Cell& cell, CellResult* result) {
  const int32_t context = bench.target->context_tokens();
  if (context < 0 || prompt_tokens + cell.output_tokens <= context) return false;
  result->status = "does_not_fit";
  result->note = does_not_fit_note(prompt_tokens, cell.output_tokens, context);
  return true;
}

CellResult run_latency(const ArticleBench& bench, const Cell& cell, uint64_t number, const CellTime& time) {
  CellResult result;
  result.workload = workload_of(bench, cell, true);
  result.workload.emplace_back("prompt", prompt_kind_name(cell.prompt));
  result.workload.emplace_back("input_tokens", cell.input_tokens);
  int64_t prompt_tokens = cell.input_tokens;
  std::string same;  // the prompt of all requests, where there is one
  if (cell.prompt == PromptKind::kArticle) {
    same = article_latency_prompt(cell.input_tokens);
    const auto counted = bench.target->count_tokens(same);
    prompt_tokens = counted.ok() ? *counted : 0;
  } else if (cell.prompt == PromptKind::kWarm) {
    same = bench.prompts->make(cell.input_tokens, number * kPromptsOfACell).text;
  }
  if (exceeds_context(bench, prompt_tokens, cell, &result)) return result;

  LoadShape shape;
  shape.stages = {{1, time.share_s}};
  // A warm row's first request brings the prompt into the cache, and does not count.
  shape.warmup_requests = cell.prompt == PromptKind::kWarm ? 1 : 0;
  std::vector<PlannedRequest> requests;
  for (int64_t i = 0; i < cell.repetitions + shape.warmup_requests; ++i) {
    std::string prompt = same;
    if (prompt.empty()) {
      prompt =
          bench.prompts->make(cell.input_tokens, number * kPromptsOfACell + static_cast<uint64_t>(i)).text;
    }
    RequestSpec spec = article_spec(std::move(prompt), cell.output_tokens);
    spec.force_length = true;
    requests.push_back(planned(*bench.target, bench.options.api, spec, ""));
  }
  ListSource source(std::move(requests));
  const bool interrupted = run_and_keep(bench, source, shape, time, KeepText::kNo, 0, &result);
  set_status(cell, {cell.repetitions, kArticleOutputTokens, time.share_s, interrupted}, &result);
  return result;
}

// As much as fits, beside the prompt.
int32_t long_tokens(const ArticleBench& bench, int32_t wanted) {
  const int32_t context = bench.target->context_tokens();
  if (context < 0) return wanted;
  const auto counted = bench.target->count_tokens(article_long_prompt());
  const int32_t prompt =
      (counted.ok() ? *counted : static_cast<int32_t>(article_long_prompt().size())) + kTemplateTokens;
  return std::max(kLongTokensMin, std::min(wanted, context - prompt));
}

CellResult run_long_output(const ArticleBench& bench, const Cell& planned_cell, const CellTime& time) {
  CellResult result;
  Cell cell = planned_cell;
  cell.output_tokens = long_tokens(bench, cell.output_tokens);
  bool interrupted = false, penalty = true;
  for (;;) {
    RequestSpec spec = article_spec(std::string(article_long_prompt()), cell.output_tokens);
    spec.temperature = 0.8;
    spec.top_p = -1;  // not set in the article
    if (penalty) spec.repetition_penalty = 1.1;
    std::vector<PlannedRequest> requests;
    for (int32_t i = 0; i < cell.repetitions; ++i) {
      spec.seed = static_cast<int64_t>(bench.options.seed) + i;
      requests.push_back(planned(*bench.target, bench.options.api, spec, ""));
    }
    ListSource source(std::move(requests));
    LoadShape shape;
    shape.stages = {{1, time.share_s}};
    result = CellResult{};
    interrupted = run_and_keep(bench, source, shape, time, KeepText::kYes, 0, &result);
    if (interrupted || count_ok(result.records) > 0 || result.records.empty()) break;
    const RequestRecord& first = result.records.front();
    // A context that nobody named, or a parameter that this server does not know: less, then.
    if (says_does_not_fit(first) && cell.output_tokens > kLongTokensMin) {
      cell.output_tokens /= 2;
    } else if (penalty && first.outcome == Outcome::kHttp4xx &&
               first.detail.find("repetition_penalty") != std::string::npos) {
      penalty = false;
    } else {
      break;
    }
  }
  result.workload = workload_of(bench, cell, false);
  result.workload.emplace_back("repetition_penalty", penalty ? Json(1.1) : Json(nullptr));
  set_status(cell, {cell.repetitions, kArticleLongTokensAsked, time.share_s, interrupted}, &result);
  if (!penalty) {
    const Text without = {"the server refuses repetition_penalty: sent without",
                          "服务器拒绝 repetition_penalty：未发送该参数"};
    result.note = result.note.en.empty()
                      ? without
                      : Text{result.note.en + "; " + without.en, result.note.zh + "；" + without.zh};
  }
  return result;
}

CellResult run_concurrency(const ArticleBench& bench, const Cell& cell, uint64_t number,
                           const CellTime& time) {
  CellResult result;
  result.workload = workload_of(bench, cell, true);
  result.workload.emplace_back("users", cell.users);
  result.workload.emplace_back("think", cell.thinks);
  result.workload.emplace_back("input_tokens", cell.input_tokens);
  if (exceeds_context(bench, cell.input_tokens, cell, &result)) return result;

  LoadShape shape;
  shape.seed = bench.options.seed;
  if (cell.thinks) {
    shape.think_s_min = kThinkMinS;
    shape.think_s_max = kThinkMaxS;
  }
  double seconds = time.share_s;
  if (!bench.options.quick) {
    // A server that needs most of the time for one answer each has no steady state to warm up to.
    const double round = estimated_seconds(cell, bench.options, bench.speed) - bench.options.cell_s;
    if (round < bench.options.cell_s / 4) shape.warmup_s = shape.ramp_s = kWarmUpS;
    seconds = bench.options.cell_s + shape.warmup_s;
  }
  shape.stages = {{cell.users, seconds}};

  const Api api = bench.options.api;
  auto make = [&](uint64_t i) {
    std::string prompt(article_concurrency_prompt());
    if (cell.prompt == PromptKind::kCold) {
      prompt = bench.prompts->make(cell.input_tokens, number * kPromptsOfACell + i).text;
    }
    RequestSpec spec = article_spec(std::move(prompt), cell.output_tokens);
    spec.force_length = true;
    return planned(*bench.target, api, spec, "");
  };
  bool interrupted = false;
  if (cell.prompt == PromptKind::kArticle) {
    ListSource source({make(0)}, true);
    interrupted = run_and_keep(bench, source, shape, time, KeepText::kNo, 0, &result);
  } else {
    EndlessSource source(make, 4 * static_cast<size_t>(cell.users));
    interrupted = run_and_keep(bench, source, shape, time, KeepText::kNo, 0, &result);
  }
  set_status(cell, {-1, kArticleOutputTokens, time.share_s, interrupted}, &result);
  return result;
}

PlannedRequest json_request(const ArticleBench& bench, const Cell& cell, const JsonTask& task, int64_t seed) {
  RequestSpec spec = article_spec(task.prompt, cell.output_tokens);
  spec.seed = seed;
  if (cell.constrained) {
    const JsonObject schema = {{"name", "answer"}, {"strict", true}, {"schema", schema_of(task)}};
    spec.extra = {{"response_format", JsonObject{{"type", "json_schema"}, {"json_schema", schema}}}};
  }
  return planned(*bench.target, bench.options.api, spec, task.id);
}

CellResult run_structured(const ArticleBench& bench, const Cell& cell, const CellTime& time) {
  CellResult result;
  result.workload = workload_of(bench, cell, false);
  result.workload.emplace_back("response_format", cell.constrained ? "json_schema" : "none");
  std::vector<PlannedRequest> requests;
  for (int32_t i = 0; i < cell.repetitions; ++i) {
    for (const std::string& id : cell.tasks) {
      requests.push_back(
          json_request(bench, cell, *find_json_task(id), static_cast<int64_t>(bench.options.seed) + i));
    }
  }
  const auto wanted = static_cast<int64_t>(requests.size());
  LoadShape shape;
  shape.stages = {{cell.users, time.share_s}};
  bool interrupted = false;
  if (cell.constrained) {
    // One alone: a server that refuses it need not do so a hundred times.
    std::vector<PlannedRequest> first = {requests.back()};
    requests.pop_back();
    LoadShape alone = shape;
    alone.stages[0].users = 1;
    ListSource source(std::move(first));
    interrupted = run_and_keep(bench, source, alone, time, KeepText::kYes, 0, &result);
    const RequestRecord* record = result.records.empty() ? nullptr : &result.records.front();
    if (record && (record->outcome == Outcome::kHttp4xx || record->outcome == Outcome::kHttp5xx)) {
      result.status = "refused";
      result.note = {record->detail, ""};
      return result;
    }
  }
  if (!interrupted) {
    ListSource source(std::move(requests));
    interrupted = run_and_keep(bench, source, shape, time, KeepText::kYes, 0, &result);
  }
  // An answer of no text is judged, too.
  set_status(cell, {time.share_s > 0 || interrupted ? wanted : -1, 0, time.share_s, interrupted}, &result);
  return result;
}

CellResult run_multi_turn(const ArticleBench& bench, const Cell& cell, const CellTime& time) {
  CellResult result;
  result.workload = workload_of(bench, cell, false);
  result.workload.emplace_back("conversations", cell.users);
  const std::vector<Conversation> conversations = conversations_of(cell, bench.options);
  ConversationSource source(conversations, [&](std::vector<ChatMessage> messages, std::string label) {
    RequestSpec spec;
    spec.messages = std::move(messages);
    spec.output_tokens_max = cell.output_tokens;
    spec.temperature = 0;
    return planned(*bench.target, Api::kChat, spec, std::move(label));
  });
  LoadShape shape;
  shape.stages = {{cell.users, time.share_s}};
  const bool interrupted = run_and_keep(bench, source, shape, time, KeepText::kYes, 0, &result);
  const auto& records = result.records;
  const bool no_chat =
      !records.empty() && std::all_of(records.begin(), records.end(), [](const RequestRecord& record) {
        return record.http_status == 404 || record.http_status == 405;
      });
  if (no_chat) {
    result.status = "unsupported";
    result.note = {"the server has no chat route: " + records.front().detail,
                   "服务器没有 chat 接口：" + records.front().detail};
  }
  const auto overflow = std::find_if(records.begin(), records.end(), says_does_not_fit);
  set_status(cell,
             {time.share_s > 0 || interrupted ? int64_t{cell.users} * kConversationTurns : -1, 0,
              time.share_s, interrupted},
             &result);
  if (overflow != records.end() && result.status == "measured") {
    result.status = "cut";
    result.note = {"later turns do not fit the context", "后面的轮次超出上下文"};
  }
  return result;
}

}  // namespace

CellResult run_cell(const ArticleBench& bench, const Cell& cell, uint64_t number, const CellTime& time) {
  const TimePoint began = Clock::now();
  CellResult result;
  switch (cell.kind) {
    case CellKind::kLatency:
      result = run_latency(bench, cell, number, time);
      break;
    case CellKind::kLongOutput:
      result = run_long_output(bench, cell, time);
      break;
    case CellKind::kConcurrency:
      result = run_concurrency(bench, cell, number, time);
      break;
    case CellKind::kConnections:
      result = run_connections(bench, cell, time);
      break;
    case CellKind::kBurst:
      result = run_bursts(bench, cell, time);
      break;
    case CellKind::kStructured:
      result = run_structured(bench, cell, time);
      break;
    case CellKind::kMultiTurn:
      result = run_multi_turn(bench, cell, time);
      break;
  }
  result.id = cell.id;
  result.seconds = std::chrono::duration<double>(Clock::now() - began).count();
  keep_server_samples(bench, began, &result);
  return result;
}

}  // namespace hussar
