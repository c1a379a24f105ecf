#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <optional>
#include <string>

#include "base/files.h"
#include "base/flags.h"
#include "base/json.h"
#include "base/log.h"
#include "bench/mock_server.h"
#include "cli/commands.h"
#include "cli/interrupts.h"
#include "net/http_server.h"

namespace hussar {
namespace {

struct MockFlags {
  MockOptions mock;
  int64_t port = 8080;
  int64_t seed = 1;
  std::string ttft_kind = "constant", itl_kind = "constant";
  std::string output_tokens = "64", faults, split = "none", usage = "asked", record;
};

void add_delay_flags(FlagTable* flags, const std::string& name, MockDelay* delay, std::string* kind,
                     const std::string& what) {
  constexpr double kMsMax = 3'600'000;
  flags->add_double("--" + name + "-ms", &delay->mean_ms, 0, kMsMax, what + ": mean");
  flags->add_double("--" + name + "-spread-ms", &delay->spread_ms, 0, kMsMax, "half width, or deviation");
  flags->add_choice("--" + name + "-kind", kind, mock_delay_kinds(), "its distribution");
}

void add_flags(FlagTable* flags, MockFlags* f) {
  constexpr int64_t kTokensMax = 1'000'000, kMsMax = 86'400'000;
  MockOptions& mock = f->mock;
  flags->add_string("--host", &mock.host, "ADDRESS", "address to listen on");
  flags->add_int("--port", &f->port, 0, 65535, "port to listen on; 0: any free one");
  flags->add_string("--model", &mock.model, "NAME", "the model's name");
  flags->add_int("--context-tokens", &mock.context_tokens, 1, kTokensMax, "prompt and answer together");
  flags->add_int("--seed", &f->seed, 0, INT64_MAX, "of delays, lengths, texts and faults");
  add_delay_flags(flags, "ttft", &mock.ttft, &f->ttft_kind, "request to first token");
  add_delay_flags(flags, "itl", &mock.itl, &f->itl_kind, "token to token");
  flags->add_string("--output-tokens", &f->output_tokens, "N|MIN:MAX", "length of an answer by itself");
  flags->add_int("--tokens-per-chunk", &mock.tokens_per_chunk, 1, kTokensMax, "in one event");
  flags->add_int("--events-per-send", &mock.events_per_send, 1, kTokensMax, "that go out together");
  flags->add_int("--role-ms", &mock.role_ms, -1, kMsMax, "chat: role chunk; -1: with the first text");
  flags->add_int("--comment-ms", &mock.comment_ms, 0, kMsMax, "keep-alive comments so often; 0: none");
  flags->add_choice("--split", &f->split, {"none", "utf8", "line"}, "cut events in two there");
  flags->add_int("--split-gap-ms", &mock.split_gap_ms, 0, kMsMax, "between the two parts");
  flags->add_choice("--usage", &f->usage, {"asked", "always", "never"}, "in streams");
  flags->add_string("--fault-rates", &f->faults, "LIST", "truncate=0.05,429=0.01: shares of answers");
  flags->add_int("--fault-after-tokens", &mock.fault_after_tokens, 0, kTokensMax, "where they strike");
  flags->add_int("--stall-ms", &mock.stall_ms, 0, kMsMax, "of a stall; 0: for ever");
  flags->add_int("--retry-after-s", &mock.retry_after_s, 0, 86'400, "told with 429 and 503");
  flags->add_int("--running-max", &mock.running_max, 0, kTokensMax, "more get a 429; 0: no limit");
  flags->add_int("--accept-delay-ms", &mock.accept_delay_ms, 0, kMsMax, "before a connection is read");
  flags->add_int("--freeze-at-ms", &mock.freeze_at_ms, -1, kMsMax, "all stands still then; -1: never");
  flags->add_int("--freeze-ms", &mock.freeze_ms, 0, kMsMax, "for so long");
  flags->add_string("--record", &f->record, "FILE", "what was really sent, a JSON line a request");
}

MockDelay::Kind delay_kind(const std::string& name) {
  const auto& kinds = mock_delay_kinds();
  return static_cast<MockDelay::Kind>(std::find(kinds.begin(), kinds.end(), name) - kinds.begin());
}

// What the words of the command line mean.
Result<void> apply_words(MockFlags* f) {
  f->mock.port = static_cast<int>(f->port);
  f->mock.seed = static_cast<uint64_t>(f->seed);
  f->mock.ttft.kind = delay_kind(f->ttft_kind);
  f->mock.itl.kind = delay_kind(f->itl_kind);
  f->mock.split = f->split == "utf8"   ? MockSplit::kUtf8
                  : f->split == "line" ? MockSplit::kLine
                                       : MockSplit::kNone;
  f->mock.usage = f->usage == "always"  ? MockUsage::kAlways
                  : f->usage == "never" ? MockUsage::kNever
                                        : MockUsage::kAsAsked;
  f->mock.keep_chunks = !f->record.empty();
  auto rates = parse_mock_fault_rates(f->faults);
  if (!rates.ok()) return Error{ErrorCode::kInvalid, rates.error().message, "--fault-rates"};
  f->mock.fault_rates = *rates;
  auto tokens = parse_mock_tokens(f->output_tokens);
  if (!tokens.ok()) return Error{ErrorCode::kInvalid, tokens.error().message, "--output-tokens"};
  f->mock.output_tokens = *tokens;
  return {};
}

// The truths of a run, one a line, under a temporary name until they are whole. Lines are written on the
// server's thread, when an answer has ended.
class TruthFile {
 public:
  static Result<TruthFile> create(const std::string& path) {
    const std::string part = path + ".part-" + std::to_string(getpid());
    ASSIGN_OR_RETURN(File file, File::open(part, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND));
    return TruthFile(std::move(file), part, path);
  }

  void add(const MockTruth& truth) {
    lines_ += write_json(mock_truth_json(truth)) + "\n";
    if (lines_.size() > kBufferBytes) flush();
  }
  Result<void> finish() {
    flush();
    if (!failure_.ok()) return failure_;
    RETURN_IF_ERROR(file_.sync());
    return rename_file(part_, path_);
  }

 private:
  static constexpr size_t kBufferBytes = 1 << 20;

  TruthFile(File file, std::string part, std::string path)
      : file_(std::move(file)), part_(std::move(part)), path_(std::move(path)) {}
  void flush() {
    if (failure_.ok()) failure_ = file_.append(lines_);
    lines_.clear();
  }

  File file_;
  std::string part_, path_;
  std::string lines_;
  Result<void> failure_;  // the first; nothing is written after it
};

void print_faults(const MockServer& server) {
  const auto counts = server.fault_counts();
  std::string text;
  for (size_t i = 0; i < counts.size(); ++i) {
    if (counts[i] == 0) continue;
    text += " " + std::string(mock_fault_name(static_cast<MockFault>(i))) + "=" + std::to_string(counts[i]);
  }
  std::printf("answers%s\n", text.empty() ? " none" : text.c_str());
}

Result<void> serve_mock(const MockFlags& flags) {
  raise_open_files_limit();
  Interrupts interrupts;
  std::optional<TruthFile> record;
  if (!flags.record.empty()) {
    ASSIGN_OR_RETURN(record, TruthFile::create(flags.record));
  }
  ASSIGN_OR_RETURN(const auto server, MockServer::start(flags.mock, [&record](const MockTruth& truth) {
                     if (record) record->add(truth);
                   }));
  std::printf("a mock of the model %s listens at %s\n", flags.mock.model.c_str(), server->url().c_str());
  std::fflush(stdout);
  interrupts.wait();
  interrupts.let_through();
  server->stop();
  print_faults(*server);
  if (record) return record->finish();
  return {};
}

}  // namespace

int run_mock(const std::vector<std::string>& args) {
  MockFlags options;
  FlagTable flags("mock", "Serves an OpenAI-compatible API without a model, with known delays and faults.",
                  "hussar mock --ttft-ms 50 --itl-ms 20 --fault-rates truncate=0.05 --record truth.jsonl");
  add_flags(&flags, &options);
  if (const auto code = parse_or_exit_code(&flags, "mock", args)) return *code;
  auto done = apply_words(&options);
  if (done.ok()) done = serve_mock(options);
  return done.ok() ? 0 : report_error("mock", done.error());
}

}  // namespace hussar
