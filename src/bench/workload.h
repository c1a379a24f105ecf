// What a run sends: made-up prompts, a dataset or a trace, as requests that were made before the clock
// starts.
//
// Where more requests are sent than could be held, the made-up ones are used again with another head, so that
// each still differs from all others from its first word on; a dataset's are sent again as they are. Both is
// said in notes().
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "bench/arrivals.h"
#include "bench/dataset.h"
#include "bench/lengths.h"
#include "bench/load.h"
#include "bench/prompts.h"
#include "bench/target.h"
#include "bench/trace.h"

namespace hussar {

struct WorkloadOptions {
  Api api = Api::kChat;
  RequestSpec spec;  // how each request asks; its text and length are filled in
  Lengths input = Lengths::fixed(512), output = Lengths::fixed(128);
  bool output_given = false;  // false: a dataset's or trace's own lengths hold where it has them
  PromptLanguage language = PromptLanguage::kEnglish;
  int32_t shared_prefix_tokens = 0;
  std::string dataset;  // a file; empty: made up
  std::string trace;    // a file; empty: none. Not both
  TraceOptions trace_options;
  double cancel_share = 0;      // of the requests are cancelled ...
  int64_t cancel_after_ms = 0;  // ... so long after they were sent
  uint64_t seed = 0;
  size_t requests_held_max = 8192;  // not for traces
  size_t bytes_held_max = 256 << 20;
};

class Workload {
 public:
  // `requests_wanted`: how many a run will send, 0 where that is not known; no more are made ahead. Asks the
  // server for token counts, blocking. Errors: kInvalid, kNotFound, kIo, kTooLarge (lengths above the model's
  // context, a trace above bytes_held_max), each with the flag at fault as its field.
  static Result<std::unique_ptr<Workload>> prepare(Target& target, const WorkloadOptions& options,
                                                   int64_t requests_wanted);

  // Sources hand out requests one after the other and never the same head twice, over all sources of a
  // workload. The workload must outlive them.
  std::unique_ptr<RequestSource> closed_source();
  std::unique_ptr<RequestSource> open_source(const ArrivalOptions& arrivals);
  std::unique_ptr<RequestSource> trace_source();  // REQUIRES: is_trace(). Every request once

  bool is_trace() const { return is_trace_; }
  double trace_seconds() const;                                     // when the last request is due
  const std::vector<std::string>& notes() const { return notes_; }  // for people, a line each
  const std::string& tokenizer() const { return tokenizer_; }  // how lengths were found: "/tokenize", ...
  // What was asked for, equal for runs that can be compared: without the seed.
  JsonObject description() const;

 private:
  struct Held {
    std::shared_ptr<const std::string> wire;
    size_t head_at = 0, head_bytes = 0;  // 0 bytes: it has none to be overwritten
    int32_t prompt_tokens = -1;          // -1: the server's own count is not known
    int32_t output_tokens_max = -1;
    int64_t at_ns = -1;  // traces
  };
  class ClosedSource;
  class OpenSource;
  class TraceSource;

  Workload(Target& target, const WorkloadOptions& options);
  Result<void> fit_lengths();
  Result<void> make_prompts(int64_t requests_wanted);
  Result<void> load_dataset(int64_t requests_wanted);
  Result<void> load_trace();
  Result<Held> hold_trace_row(TraceRow row, int32_t drawn_output);
  double bytes_a_token(const std::vector<DatasetRow>& rows);
  void note_dataset(const Dataset& dataset, int64_t requests_wanted);
  Result<void> set_text(std::string prompt, std::string system, std::vector<ChatMessage> messages,
                        RequestSpec* spec) const;
  int32_t fitted_output(int32_t input_tokens, int32_t wanted);
  Held hold(const RequestSpec& spec, const MadePrompt* prompt) const;
  int32_t known_tokens(const MadePrompt& prompt) const;
  void calibrate();
  PlannedRequest take();
  PlannedRequest plan(const Held& held, uint64_t index) const;

  Target& target_;
  WorkloadOptions options_;
  int32_t context_tokens_ = -1;  // what is left of it beside a chat template; -1: not known
  std::vector<Held> held_;
  std::optional<PromptMaker> maker_;
  std::vector<std::string> notes_;
  std::string tokenizer_ = "unknown", digest_;
  bool is_trace_ = false;
  int64_t cut_to_context_ = 0;
  uint64_t taken_ = 0;
};

}  // namespace hussar
