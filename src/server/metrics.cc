#include "server/metrics.h"

#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <iterator>
#include <limits>
#include <vector>

namespace hussar {

namespace {

using prometheus::Histogram;
using prometheus::MetricFamily;
using prometheus::MetricType;

// Bounds in seconds. A small model answers in milliseconds on one machine and in minutes on another: three a
// decade.
const Histogram::BucketBoundaries seconds_bounds{0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1,  0.2,  0.5,
                                                 1.0,   2.0,   5.0,   10.0, 20.0, 50.0, 100., 200., 500.};
const Histogram::BucketBoundaries tokens_bounds{1,   2,    5,    10,   20,    50,    100,   200,
                                                500, 1000, 2000, 5000, 10000, 20000, 50000, 100000};

const Histogram::BucketBoundaries choices_bounds{1, 2, 5, 10, 20};

double seconds_between(TimePoint from, TimePoint to) {
  return std::chrono::duration<double>(to - from).count();
}

}  // namespace

struct Metrics::Impl {
  Impl(const Engine& e, const GrammarCompiler* g, const std::string& model_name, const std::string& version)
      : engine(e), grammars(g), labels{{"model_name", model_name}} {
    first_token = &histogram("vllm:time_to_first_token_seconds",
                             "From a request's last byte to its first token", seconds_bounds);
    token_gap =
        &histogram("vllm:inter_token_latency_seconds", "Gaps between tokens of one answer", seconds_bounds);
    token_gap_old =
        &histogram("vllm:time_per_output_token_seconds", "The same under its older name", seconds_bounds);
    e2e = &histogram("vllm:e2e_request_latency_seconds", "From a request's last byte to its last token",
                     seconds_bounds);
    queue = &histogram("vllm:request_queue_time_seconds", "From a request's last byte to its admission",
                       seconds_bounds);
    inference =
        &histogram("vllm:request_inference_time_seconds", "From admission to the last token", seconds_bounds);
    prefill =
        &histogram("vllm:request_prefill_time_seconds", "From admission to the first token", seconds_bounds);
    decode =
        &histogram("vllm:request_decode_time_seconds", "From the first to the last token", seconds_bounds);
    prompt_tokens = &histogram("vllm:request_prompt_tokens", "Tokens of a request's prompt", tokens_bounds);
    generation_tokens =
        &histogram("vllm:request_generation_tokens", "Tokens of a request's answer", tokens_bounds);
    token_mean = &histogram("vllm:request_time_per_output_token_seconds",
                            "Mean gap between tokens of one answer", seconds_bounds);
    tokens_limit = &histogram("vllm:request_params_max_tokens", "Token limit of a request", tokens_bounds);
    tokens_limit_old =
        &histogram("vllm:request_max_num_generation_tokens", "The same under its older name", tokens_bounds);
    choices = &histogram("vllm:request_params_n", "Answers that a request asked for", choices_bounds);
    refusals = &prometheus::BuildCounter()
                    .Name("hussar_refused_total")
                    .Help("Requests that were refused, by the error's code")
                    .Labels(labels)
                    .Register(registry);
    responses = &prometheus::BuildCounter()
                     .Name("hussar_http_responses_total")
                     .Help("Answers by path and status")
                     .Labels(labels)
                     .Register(registry);
    prometheus::Labels build = labels;
    build["version"] = version;
    build["device"] = e.device().device;
    build["isa"] = e.device().isa;
    info_labels = std::move(build);
  }

  Histogram& histogram(const char* name, const char* help, const Histogram::BucketBoundaries& bounds) {
    return prometheus::BuildHistogram().Name(name).Help(help).Register(registry).Add(labels, bounds);
  }

  static prometheus::ClientMetric metric(const prometheus::Labels& labels, MetricType type, double value) {
    prometheus::ClientMetric out;
    for (const auto& [name, text] : labels) out.label.push_back({name, text});
    if (type == MetricType::Counter) {
      out.counter.value = value;
    } else {
      out.gauge.value = value;
    }
    return out;
  }
  void add(std::vector<MetricFamily>* out, MetricType type, const char* name, const char* help,
           double value) const {
    out->push_back({name, help, type, {metric(labels, type, value)}});
  }
  // One family with a metric for each value of a label.
  void add(std::vector<MetricFamily>* out, MetricType type, const char* name, const char* help,
           const char* label, const std::vector<std::pair<const char*, double>>& values) const {
    MetricFamily family{name, help, type, {}};
    for (const auto& [text, value] : values) {
      prometheus::Labels all = labels;
      all[label] = text;
      family.metric.push_back(metric(all, type, value));
    }
    out->push_back(std::move(family));
  }
  void add_engine(std::vector<MetricFamily>* out) const;
  prometheus::ClientMetric step_rows(const EngineCounters& now) const;

  void add_grammars(std::vector<MetricFamily>* out) const;

  const Engine& engine;
  const GrammarCompiler* const grammars;
  const prometheus::Labels labels;
  prometheus::Labels info_labels;
  prometheus::Registry registry;
  Histogram *first_token, *token_gap, *token_gap_old, *e2e, *queue, *inference, *prefill, *decode;
  Histogram *prompt_tokens, *generation_tokens, *token_mean, *tokens_limit, *tokens_limit_old, *choices;
  prometheus::Family<prometheus::Counter>* refusals;
  prometheus::Family<prometheus::Counter>* responses;
};

// Of steps by their rows, which the engine counts in powers of two.
prometheus::ClientMetric Metrics::Impl::step_rows(const EngineCounters& now) const {
  prometheus::ClientMetric out = metric(labels, MetricType::Gauge, 0);
  out.gauge = {};
  uint64_t steps = 0;
  double rows = 1;
  for (size_t i = 0; i + 1 < std::size(now.steps_by_rows); ++i, rows *= 2) {
    steps += static_cast<uint64_t>(now.steps_by_rows[i]);
    out.histogram.bucket.push_back({steps, rows});
  }
  out.histogram.bucket.push_back({static_cast<uint64_t>(now.steps), std::numeric_limits<double>::infinity()});
  out.histogram.sample_count = static_cast<uint64_t>(now.steps);
  out.histogram.sample_sum = static_cast<double>(now.rows);
  return out;
}

void Metrics::Impl::add_engine(std::vector<MetricFamily>* out) const {
  constexpr MetricType kGauge = MetricType::Gauge, kCounter = MetricType::Counter;
  const EngineCounters now = engine.counters();
  const auto finished = [&](FinishReason reason) {
    return static_cast<double>(now.finished[static_cast<size_t>(reason)]);
  };
  const double usage = now.blocks_all > 0 ? static_cast<double>(now.blocks_used) / now.blocks_all : 0;
  const auto total = [](int64_t count) { return static_cast<double>(count); };

  add(out, kGauge, "vllm:num_requests_running", "Requests that generate now", now.running);
  add(out, kGauge, "vllm:num_requests_waiting", "Requests in the queue", now.waiting);
  add(out, kGauge, "vllm:kv_cache_usage_perc", "Share of KV blocks that requests hold, 0 to 1", usage);
  add(out, kGauge, "vllm:gpu_cache_usage_perc", "The same under its older name", usage);
  add(out, kCounter, "vllm:prompt_tokens_total", "Prompt tokens of admitted requests, cached ones included",
      total(now.prompt_tokens));
  add(out, kCounter, "vllm:generation_tokens_total", "Generated tokens", total(now.generated_tokens));
  for (const char* name : {"vllm:prefix_cache_queries_total", "vllm:gpu_prefix_cache_queries_total"}) {
    add(out, kCounter, name, "Prompt tokens looked up in the prefix cache", total(now.prefix_queried_tokens));
  }
  for (const char* name : {"vllm:prefix_cache_hits_total", "vllm:gpu_prefix_cache_hits_total"}) {
    add(out, kCounter, name, "Prompt tokens taken from the prefix cache", total(now.prefix_hit_tokens));
  }
  out->push_back({"vllm:iteration_tokens_total",
                  "Tokens of one forward pass, of prompts and of answers",
                  MetricType::Histogram,
                  {step_rows(now)}});
  add(out, kCounter, "vllm:num_preemptions_total", "Always 0: an admitted request keeps its blocks", 0);
  add(out, kCounter, "vllm:request_success_total", "Ended requests by reason", "finished_reason",
      {{"stop", finished(FinishReason::kStop)},
       {"length", finished(FinishReason::kLength)},
       {"abort", finished(FinishReason::kCancelled) + finished(FinishReason::kShutdown)},
       {"deadline", finished(FinishReason::kDeadline)},
       {"error", finished(FinishReason::kError)}});

  add(out, kGauge, "hussar_kv_blocks", "KV blocks by state", "state",
      {{"free", now.blocks_free}, {"cached", now.blocks_cached}, {"used", now.blocks_used}});
  add(out, kCounter, "hussar_requests_accepted_total", "Requests that the engine took",
      total(now.requests_accepted));
  add(out, kCounter, "hussar_requests_refused_total", "Requests that it refused, a full queue included",
      total(now.requests_refused));
  add(out, kCounter, "hussar_deadline_refused_total", "Requests whose deadline could not be met",
      total(now.deadline_refused));
  const LoadEstimate load = engine.load(0, 1);
  add(out, kGauge, "hussar_queue_wait_seconds", "How long a request that comes now would wait",
      load.wait_seconds);
  add(out, kGauge, "hussar_feasible_requests_per_second",
      "Requests as they were lately that the device can answer a second",
      load.request_seconds > 0 ? 1 / load.request_seconds : 0);
  add(out, kGauge, "hussar_feasible_tokens_per_second", "Tokens that it can work through a second", "kind",
      {{"prompt", load.prompt_tokens_per_second}, {"generated", load.generated_tokens_per_second}});
  add(out, kGauge, "hussar_engine_idle_seconds", "Since the engine's last turn: readiness watches it",
      seconds_between(now.last_step, Clock::now()));
  add(out, kCounter, "hussar_surplus_tokens_total",
      "Tokens computed for answers that had ended meanwhile, or that failed their schema's check",
      total(now.surplus_tokens));
  add(out, kCounter, "hussar_schema_check_failed_total", "Answers that failed their schema's check",
      total(now.checks_failed));
  add(out, kCounter, "vllm:spec_decode_num_draft_tokens_total", "Tokens that were guessed ahead",
      total(now.drafted_tokens));
  add(out, kCounter, "vllm:spec_decode_num_accepted_tokens_total", "Those that were right",
      total(now.drafts_accepted));
  add(out, kCounter, "hussar_steps_total", "Forward passes", total(now.steps));
  add(out, kCounter, "hussar_masks_late_total", "Steps that an answer sat out because its grammar took long",
      total(now.masks_late));
}

void Metrics::Impl::add_grammars(std::vector<MetricFamily>* out) const {
  const GrammarCounters now = grammars->counters();
  const auto add_counter = [&](const char* name, const char* help, int64_t count) {
    add(out, MetricType::Counter, name, help, static_cast<double>(count));
  };
  add_counter("hussar_schema_compiled_total", "Schemas, expressions and grammars compiled", now.compiled);
  add_counter("hussar_schema_refused_total", "Those refused as malformed, unsupported or too costly",
              now.refused);
  add_counter("hussar_schema_cache_hits_total", "Those that were known already", now.cache_hits);
  add(out, MetricType::Gauge, "hussar_schema_cache_bytes", "What is kept of them",
      static_cast<double>(now.cache_bytes));
}

Metrics::Metrics(const Engine& engine, const GrammarCompiler* grammars, const std::string& model_name,
                 const std::string& version)
    : impl_(std::make_unique<Impl>(engine, grammars, model_name, version)) {}
Metrics::~Metrics() = default;

void Metrics::observe_first_token(double seconds) { impl_->first_token->Observe(seconds); }

void Metrics::observe_token_gap(double seconds) {
  impl_->token_gap->Observe(seconds);
  impl_->token_gap_old->Observe(seconds);
}

void Metrics::observe_request(const RequestTimes& times) {
  constexpr TimePoint kNever{};
  impl_->prompt_tokens->Observe(times.prompt_tokens);
  impl_->generation_tokens->Observe(times.generated_tokens);
  if (times.admitted != kNever) impl_->queue->Observe(seconds_between(times.received, times.admitted));
  if (times.tokens_max > 0) {
    impl_->tokens_limit->Observe(times.tokens_max);
    impl_->tokens_limit_old->Observe(times.tokens_max);
  }
  if (times.first_token == kNever) return;
  if (times.generated_tokens > 1) {
    impl_->token_mean->Observe(seconds_between(times.first_token, times.last_token) /
                               (times.generated_tokens - 1));
  }
  impl_->e2e->Observe(seconds_between(times.received, times.last_token));
  impl_->decode->Observe(seconds_between(times.first_token, times.last_token));
  if (times.admitted == kNever) return;
  impl_->prefill->Observe(seconds_between(times.admitted, times.first_token));
  impl_->inference->Observe(seconds_between(times.admitted, times.last_token));
}

void Metrics::observe_choices(int64_t n) { impl_->choices->Observe(static_cast<double>(n)); }

void Metrics::count_response(std::string_view route, int status) {
  impl_->responses->Add({{"path", std::string(route)}, {"status", std::to_string(status)}}).Increment();
}

void Metrics::count_refusal(std::string_view code) {
  impl_->refusals->Add({{"code", std::string(code)}}).Increment();
}

std::string Metrics::text(size_t connections) const {
  std::vector<MetricFamily> families = impl_->registry.Collect();
  impl_->add_engine(&families);
  if (impl_->grammars != nullptr) impl_->add_grammars(&families);
  impl_->add(&families, MetricType::Gauge, "hussar_http_connections", "Open connections",
             static_cast<double>(connections));
  const EngineOptions& options = impl_->engine.options();
  prometheus::Labels cache = impl_->labels;
  cache["block_size"] = std::to_string(impl_->engine.device().kv_block_tokens);
  cache["num_gpu_blocks"] = std::to_string(options.kv_blocks);
  cache["enable_prefix_caching"] = options.prefix_cache ? "True" : "False";
  families.push_back({"vllm:cache_config_info",
                      "The KV pool: its blocks are the device's, whatever that is",
                      MetricType::Gauge,
                      {Impl::metric(cache, MetricType::Gauge, 1)}});
  families.push_back({"hussar_info",
                      "What is served, and by what",
                      MetricType::Gauge,
                      {Impl::metric(impl_->info_labels, MetricType::Gauge, 1)}});
  return prometheus::TextSerializer().Serialize(families);
}

}  // namespace hussar
