#include "bench/article/plan.h"

#include <algorithm>

#include "bench/article/conversation.h"
#include "bench/article/figures.h"
#include "bench/article/json_tasks.h"

namespace hussar {
namespace {

constexpr int32_t kQuickInputMax = 2048;
constexpr int32_t kQuickUsersMax = 25;
constexpr int32_t kQuickRepetitions = 2;
constexpr int32_t kQuickConversations = 3;
constexpr int32_t kQuickBurstMax = 128;
constexpr int32_t kQuickConnectionsMax = 512;
constexpr int32_t kQuickJsonTokensMax = 160;
constexpr int32_t kQuickTurnTokensMax = 20;
constexpr int32_t kStructuredUsers = 4;
constexpr int32_t kOutputTokensMin = 8;
// Of a box, what is planned: answers differ in length, and speeds in time.
constexpr double kPlannedShare = 0.8;
// Rough sizes that only estimates stand on.
constexpr int32_t kJsonPromptTokens = 200;
constexpr int32_t kTurnPromptTokens = 40;
constexpr int32_t kShortPromptTokens = 40;
// A token behind so many others is taken to cost twice as much as the first: a small model reads about as
// many bytes of their keys and values as of its own weights.
constexpr double kDoublingTokens = 4096;

int32_t asked_tokens(const ArticleOptions& options) {
  return options.output_tokens > 0 ? options.output_tokens : kArticleOutputTokens;
}

void add_latency(const ArticleOptions& options, std::vector<Cell>* plan) {
  for (const ArticleLatency& row : article_latencies()) {
    if (options.quick && row.input_tokens > kQuickInputMax) continue;
    for (const PromptKind prompt : {PromptKind::kCold, PromptKind::kWarm, PromptKind::kArticle}) {
      // The article's script stops before its table does.
      if (prompt == PromptKind::kArticle && row.real_input_tokens < 0) continue;
      Cell cell;
      cell.id = "latency/" + std::to_string(row.input_tokens) + "/" + std::string(prompt_kind_name(prompt));
      cell.prompt = prompt;
      cell.input_tokens = row.input_tokens;
      cell.output_tokens = asked_tokens(options);
      cell.repetitions =
          options.quick ? std::min(kQuickRepetitions, options.repetitions) : options.repetitions;
      plan->push_back(std::move(cell));
    }
  }
}

void add_long_output(const ArticleOptions& options, std::vector<Cell>* plan) {
  Cell cell;
  cell.id = "long_output";
  cell.dimension = Dimension::kLongOutput;
  cell.kind = CellKind::kLongOutput;
  cell.output_tokens = kArticleLongTokensAsked;
  cell.repetitions = options.quick ? 1 : options.long_runs;
  plan->push_back(std::move(cell));
}

void add_concurrency(const ArticleOptions& options, std::vector<Cell>* plan) {
  for (const bool long_prompt : {false, true}) {
    for (const bool thinks : {true, false}) {  // as the article has it first
      for (const ArticleConcurrency& row : article_concurrency()) {
        if (options.quick && row.users > kQuickUsersMax) continue;
        Cell cell;
        cell.id = std::string("concurrency/") + (long_prompt ? "1024" : "short") +
                  (thinks ? "/think/" : "/no_think/") + std::to_string(row.users);
        cell.dimension = Dimension::kConcurrency;
        cell.kind = CellKind::kConcurrency;
        cell.prompt = long_prompt ? PromptKind::kCold : PromptKind::kArticle;
        cell.input_tokens = long_prompt ? kConcurrencyInputTokens : 0;
        cell.output_tokens = asked_tokens(options);
        cell.users = row.users;
        cell.thinks = thinks;
        plan->push_back(std::move(cell));
      }
    }
  }
  for (const bool burst : {false, true}) {
    Cell cell;
    cell.id = burst ? "connections/burst" : "connections/idle";
    cell.dimension = Dimension::kConcurrency;
    cell.kind = burst ? CellKind::kBurst : CellKind::kConnections;
    cell.prompt = PromptKind::kArticle;
    cell.output_tokens = kOutputTokensMin;
    cell.users = burst ? options.burst_max : options.connections_max;
    if (options.quick) cell.users = std::min(cell.users, burst ? kQuickBurstMax : kQuickConnectionsMax);
    plan->push_back(std::move(cell));
  }
}

void add_structured(const ArticleOptions& options, std::vector<Cell>* plan) {
  for (const bool keyed : {false, true}) {
    for (const bool constrained : {false, true}) {
      Cell cell;
      cell.id =
          std::string("structured/") + (keyed ? "keyed" : "article") + (constrained ? "/schema" : "/plain");
      cell.dimension = Dimension::kStructured;
      cell.kind = CellKind::kStructured;
      cell.output_tokens = options.quick ? kQuickJsonTokensMax : kJsonTokensMax;
      cell.users = kStructuredUsers;
      cell.constrained = constrained;
      if (!keyed) cell.tasks.push_back(article_json_task().id);
      if (keyed) {
        for (const JsonTask& task : keyed_json_tasks()) cell.tasks.push_back(task.id);
      }
      const auto tasks = static_cast<int32_t>(cell.tasks.size());
      cell.repetitions = (options.json_runs + tasks - 1) / tasks;
      plan->push_back(std::move(cell));
    }
  }
}

void add_multi_turn(const ArticleOptions& options, std::vector<Cell>* plan) {
  for (const char* language : {"en", "zh"}) {
    Cell cell;
    cell.id = std::string("multi_turn/") + language;
    cell.dimension = Dimension::kMultiTurn;
    cell.kind = CellKind::kMultiTurn;
    cell.output_tokens = options.quick ? kQuickTurnTokensMax : kTurnTokensMax;
    cell.users = options.quick ? std::min(kQuickConversations, options.conversations) : options.conversations;
    cell.language = language;
    plan->push_back(std::move(cell));
  }
}

double request_s(const Speed& speed, double prompt_tokens, double output_tokens) {
  return speed.overhead_s + prompt_tokens / speed.prompt_tokens_per_s + output_tokens / speed.tokens_per_s;
}

// So many answers at once, until the last has ended.
double round_s(const Speed& speed, int32_t users, double prompt_tokens, double output_tokens) {
  return speed.overhead_s + users * prompt_tokens / speed.prompt_tokens_per_s +
         users * output_tokens / tokens_per_s_of(speed, users);
}

double latency_s(const Cell& cell, const Speed& speed) {
  const double first = request_s(speed, cell.input_tokens, cell.output_tokens);
  if (cell.prompt == PromptKind::kCold) return cell.repetitions * first;
  const double again = request_s(speed, 0, cell.output_tokens);
  // A warm row sends its prompt once more, uncounted.
  return first + (cell.prompt == PromptKind::kWarm ? cell.repetitions : cell.repetitions - 1) * again;
}

double concurrency_s(const Cell& cell, const ArticleOptions& options, const Speed& speed) {
  const double prompt = cell.input_tokens > 0 ? cell.input_tokens : kShortPromptTokens;
  const double round = round_s(speed, cell.users, prompt, cell.output_tokens);
  if (options.quick) return std::max(1.5, round + (cell.thinks ? (kThinkMinS + kThinkMaxS) / 2 : 0));
  return options.cell_s + round;  // what runs when its time is over may end
}

double multi_turn_s(const Cell& cell, const Speed& speed) {
  // The history is in the server's prefix cache, or it is not: take half.
  const double history = kConversationTurns / 2.0 * (kTurnPromptTokens + cell.output_tokens) / 2.0;
  return kConversationTurns * round_s(speed, cell.users, kTurnPromptTokens + history, cell.output_tokens);
}

// Cells whose answers --quick makes shorter.
bool is_shortened(const Cell& cell, const ArticleOptions& options) {
  if (cell.kind == CellKind::kLongOutput) return true;
  return options.output_tokens == 0 &&
         (cell.kind == CellKind::kLatency || cell.kind == CellKind::kConcurrency);
}

}  // namespace

std::string_view dimension_id(Dimension dimension) {
  static constexpr std::string_view kIds[kDimensionCount] = {"latency", "long_output", "concurrency",
                                                             "structured", "multi_turn"};
  return kIds[static_cast<int>(dimension)];
}

Text dimension_title(Dimension dimension) {
  switch (dimension) {
    case Dimension::kLatency:
      return {"1. Latency against input length", "1. 延迟与输入长度"};
    case Dimension::kLongOutput:
      return {"2. Long output", "2. 长文本输出"};
    case Dimension::kConcurrency:
      return {"3. Concurrency", "3. 并发"};
    case Dimension::kStructured:
      return {"4. Structured output", "4. 结构化输出"};
    case Dimension::kMultiTurn:
      return {"5. Multi-turn conversation", "5. 多轮对话"};
  }
  return {};
}

std::string_view prompt_kind_name(PromptKind kind) {
  static constexpr std::string_view kNames[] = {"cold", "warm", "article"};
  return kNames[static_cast<int>(kind)];
}

std::vector<Cell> make_plan(const ArticleOptions& options) {
  std::vector<Cell> plan;
  add_latency(options, &plan);
  add_long_output(options, &plan);
  add_concurrency(options, &plan);
  add_structured(options, &plan);
  add_multi_turn(options, &plan);
  return plan;
}

Json to_json(const Speed& speed) {
  return JsonObject{{"prompt_tokens_per_s", speed.prompt_tokens_per_s},
                    {"tokens_per_s", speed.tokens_per_s},
                    {"tokens_per_s_at_8", speed.tokens_per_s_at_8},
                    {"overhead_s", speed.overhead_s}};
}

bool read_speed(const Json& json, Speed* speed) {
  const std::pair<std::string_view, double*> members[] = {
      {"prompt_tokens_per_s", &speed->prompt_tokens_per_s},
      {"tokens_per_s", &speed->tokens_per_s},
      {"tokens_per_s_at_8", &speed->tokens_per_s_at_8},
      {"overhead_s", &speed->overhead_s}};
  for (const auto& [name, value] : members) {
    const Json* member = json.find(name);
    if (member == nullptr || !member->as_number(value) || !(*value > 0)) return false;
  }
  return true;
}

double tokens_per_s_of(const Speed& speed, int32_t users) {
  const double share = std::clamp((users - 1) / 7.0, 0.0, 1.0);
  return speed.tokens_per_s +
         share * (std::max(speed.tokens_per_s, speed.tokens_per_s_at_8) - speed.tokens_per_s);
}

double estimated_seconds(const Cell& cell, const ArticleOptions& options, const Speed& speed) {
  switch (cell.kind) {
    case CellKind::kLatency:
      return latency_s(cell, speed);
    case CellKind::kLongOutput:
      return cell.repetitions * request_s(speed, kShortPromptTokens, cell.output_tokens) *
             (1 + cell.output_tokens / (2 * kDoublingTokens));
    case CellKind::kConcurrency:
      return concurrency_s(cell, options, speed);
    case CellKind::kConnections:
      return 3;
    case CellKind::kBurst:  // doubling: twice the last
      return 2 * round_s(speed, cell.users, kShortPromptTokens, cell.output_tokens);
    case CellKind::kStructured:
      return cell.repetitions * static_cast<double>(cell.tasks.size()) / cell.users *
             round_s(speed, cell.users, kJsonPromptTokens, cell.output_tokens);
    case CellKind::kMultiTurn:
      return multi_turn_s(cell, speed);
  }
  return 0;
}

void fit_to_boxes(const ArticleOptions& options, const Speed& speed, std::vector<Cell>* plan) {
  for (int i = 0; i < kDimensionCount; ++i) {
    const auto dimension = static_cast<Dimension>(i);
    auto shorten = [&](Cell* cell, int32_t tokens) {
      const bool shortened = cell->dimension == dimension && is_shortened(*cell, options);
      if (shortened) cell->output_tokens = std::min(cell->output_tokens, tokens);
    };
    auto fits = [&](int32_t tokens) {
      double all_s = 0;
      for (Cell cell : *plan) {
        if (cell.dimension != dimension) continue;
        shorten(&cell, tokens);
        all_s += estimated_seconds(cell, options, speed);
      }
      return all_s <= kPlannedShare * options.box_s;
    };
    int32_t tokens = kArticleLongTokensAsked;
    while (tokens > kOutputTokensMin && !fits(tokens)) tokens /= 2;
    for (Cell& cell : *plan) shorten(&cell, tokens);
  }
}

double share_of_box(std::span<const Cell> cells, const ArticleOptions& options, const Speed& speed,
                    double box_left_s) {
  double all_s = 0;
  for (const Cell& cell : cells) all_s += estimated_seconds(cell, options, speed);
  return all_s > 0 ? box_left_s * estimated_seconds(cells.front(), options, speed) / all_s : box_left_s;
}

JsonObject plan_fingerprint(const ArticleOptions& options) {
  return {{"plan", 1},
          {"api", api_name(options.api)},
          {"quick", options.quick},
          {"seed", static_cast<int64_t>(options.seed)},
          {"repetitions", options.repetitions},
          {"long_runs", options.long_runs},
          {"seconds", options.cell_s},
          {"json_runs", options.json_runs},
          {"conversations", options.conversations},
          {"burst_max", options.burst_max},
          {"connections_max", options.connections_max},
          {"output_tokens", options.output_tokens},
          {"box_s", options.box_s}};
}

}  // namespace hussar
