// What GET /metrics tells, under vLLM's names, so that its dashboards, routers and autoscalers work here too.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/types.h"
#include "engine/engine.h"
#include "grammar/grammar_compiler.h"

namespace hussar {

// The times of one request that got a terminal event; what never came is TimePoint{}.
struct RequestTimes {
  TimePoint received, admitted, first_token, last_token;
  int32_t prompt_tokens = 0, generated_tokens = 0;
  int32_t discarded_tokens = 0;  // generated too, for answers that failed their schema's check
  int32_t tokens_max = 0;
};

// Thread-safe.
class Metrics {
 public:
  // `engine` and `grammars` (null: none) outlive the object.
  Metrics(const Engine& engine, const GrammarCompiler* grammars, const std::string& model_name,
          const std::string& version);
  ~Metrics();

  void observe_first_token(double seconds);
  void observe_token_gap(double seconds);
  void observe_request(const RequestTimes& times);
  void observe_choices(int64_t n);  // of a request that was answered or failed, as it asked for
  void count_response(std::string_view route, int status);
  void count_refusal(std::string_view code);  // as in the error object

  // Prometheus's text format; the engine's counters as they are now.
  std::string text(size_t connections) const;
  static constexpr std::string_view kContentType = "text/plain; version=0.0.4; charset=utf-8";

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace hussar
