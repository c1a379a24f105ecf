#include "cli/bench_workload_flags.h"

#include <atomic>
#include <random>
#include <utility>

namespace hussar {
namespace {

constexpr int64_t kHoldMbMax = 64 << 10;
constexpr size_t kExtraBytesMax = 1 << 20;
constexpr int32_t kTriedOutputTokens = 4;

Result<Lengths> read_lengths(const std::string& text, const char* flag) {
  auto lengths = Lengths::parse(text);
  if (!lengths.ok()) return Error{ErrorCode::kInvalid, lengths.error().message, flag};
  return lengths;
}

Result<JsonObject> read_extra(const std::string& text) {
  auto json = parse_json(text, JsonLimits{.bytes_max = kExtraBytesMax});
  if (!json.ok() || json->as_object() == nullptr) {
    return Error{ErrorCode::kInvalid, "a JSON object is wanted, as '{\"min_p\": 0.1}'", "--extra"};
  }
  return *json->as_object();
}

}  // namespace

void add_bench_workload_flags(FlagTable* flags, BenchWorkloadFlags* o) {
  flags->add_string("--input-tokens", &o->input_tokens, "LENGTH",
                    "tokens of a prompt: 512, uniform:128:2048 or lognormal:MEDIAN:SIGMA[:MAX]");
  flags->add_string("--output-tokens", &o->output_tokens, "LENGTH",
                    "most tokens of an answer, written alike; given, it stands above a file's own lengths");
  flags->add_choice("--language", &o->language, {"en", "zh"}, "of made-up prompts");
  flags->add_int("--shared-prefix-tokens", &o->shared_prefix_tokens, 0, kTokensMax,
                 "so many tokens begin every prompt alike, for warm prefix caches; 0: all differ at once");
  flags->add_string("--dataset", &o->dataset, "FILE", "prompts from JSONL or ShareGPT JSON, not made up");
  flags->add_switch("--stream", &o->stream,
                    "answers come token by token; so it is unless --no-stream is given");
  flags->add_switch("--no-stream", &o->no_stream, "answers come whole: no times of tokens are known");
  flags->add_switch("--force-length", &o->force_length,
                    "answers of just --output-tokens, where the server knows ignore_eos or min_tokens");
  flags->add_double("--temperature", &o->temperature, -1, 2, "negative: not sent");
  flags->add_double("--top-p", &o->top_p, -1, 1, "negative: not sent");
  flags->add_double("--repetition-penalty", &o->repetition_penalty, -1, 10, "negative: not sent");
  flags->add_string("--extra", &o->extra, "JSON", "an object whose members are added to each request");
  flags->add_int(
      "--seed", &o->seed, -1, INT64_MAX,
      "of prompts, lengths and times; the same seed sends the same again, which a prefix cache may "
      "know; -1: drawn anew");
  flags->add_int("--hold-mb", &o->hold_mb, 1, kHoldMbMax, "memory for requests that are made ahead");
}

Result<WorkloadOptions> finish_bench_workload_flags(const FlagTable& flags, const BenchTargetFlags& target,
                                                    BenchWorkloadFlags* o) {
  WorkloadOptions workload;
  workload.api = api_of(target.api);
  ASSIGN_OR_RETURN(workload.input, read_lengths(o->input_tokens, "--input-tokens"));
  ASSIGN_OR_RETURN(workload.output, read_lengths(o->output_tokens, "--output-tokens"));
  workload.output_given = flags.given("--output-tokens");
  workload.language = o->language == "zh" ? PromptLanguage::kChinese : PromptLanguage::kEnglish;
  workload.shared_prefix_tokens = static_cast<int32_t>(o->shared_prefix_tokens);
  workload.dataset = o->dataset;
  if (o->stream && o->no_stream) {
    return Error{ErrorCode::kInvalid, "--stream and --no-stream exclude each other", "--no-stream"};
  }
  if (!o->dataset.empty() && (flags.given("--input-tokens") || o->shared_prefix_tokens > 0)) {
    return Error{ErrorCode::kInvalid,
                 "a dataset brings its own prompts: leave --input-tokens and "
                 "--shared-prefix-tokens out",
                 "--dataset"};
  }
  workload.spec.stream = !o->no_stream;
  workload.spec.force_length = o->force_length;
  workload.spec.temperature = o->temperature;
  workload.spec.top_p = o->top_p;
  workload.spec.repetition_penalty = o->repetition_penalty;
  if (!o->extra.empty()) {
    ASSIGN_OR_RETURN(workload.spec.extra, read_extra(o->extra));
  }
  if (o->seed < 0) {
    std::random_device device;
    o->seed =
        static_cast<int64_t>(((uint64_t{device()} << 32) | device()) >> 12);  // 52 bits: whole in any JSON
  }
  workload.seed = static_cast<uint64_t>(o->seed);
  workload.bytes_held_max = static_cast<size_t>(o->hold_mb) << 20;
  return workload;
}

Result<void> try_one_request(Target& target, const WorkloadOptions& workload, const LoadTimeouts& timeouts,
                             std::string* warning) {
  RequestSpec spec = workload.spec;
  spec.prompt = "Hello";
  spec.output_tokens_max = kTriedOutputTokens;
  PlannedRequest planned;
  planned.wire = target.wire(workload.api, spec);
  planned.streamed = spec.stream;
  ListSource source({planned});
  LoadShape shape;
  shape.stages = {{}};
  const std::atomic<bool> stop = false;
  LoadOptions options;
  options.timeouts = timeouts;
  const RunLog log = run_load(target, source, shape, options, stop);
  if (log.records.empty()) return {};
  const RequestRecord& record = log.records[0];
  const std::string what = "a first request failed: " + record.detail;
  switch (record.outcome) {
    case Outcome::kOk:
    case Outcome::kEmptyAnswer:  // a model may have nothing to say to a greeting
      return {};
    case Outcome::kBadJson:
      return Error{ErrorCode::kInvalid,
                   what + (spec.stream ? "; for a server that can't stream, add --no-stream" : ""), ""};
    case Outcome::kHttp4xx:
      return Error{ErrorCode::kInvalid, what, ""};
    case Outcome::kConnectFailed:
    case Outcome::kConnectTimeout:
      return Error{ErrorCode::kIo, what, ""};
    default:
      *warning = what;
      return {};
  }
}

}  // namespace hussar
