#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <limits>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "base/bounded_queue.h"
#include "base/json.h"
#include "cli/commands.h"
#include "cli/interrupts.h"
#include "cli/line_reader.h"
#include "cli/loaded_model.h"
#include "cli/progress.h"
#include "cli/terminal_text.h"
#include "server/chat_prompt.h"
#include "text/detokenizer.h"

namespace hussar {
namespace {

constexpr int kExitInterrupted = 130;  // 128 + SIGINT, as shells count

struct ChatOptions {
  ModelLoadOptions load;
  std::string system;
  double temperature = 0.7, top_p = 0.95, min_p = 0.0, repetition_penalty = 1.0;
  int64_t top_k = 0;
  int64_t seed = -1;
  int64_t tokens_max = 2048;
};

// A conversation with one model.
class Chat {
 public:
  Chat(const ChatOptions& options, const LoadedModel& model, Interrupts* interrupts)
      : options_(options),
        model_(model),
        context_(model.server_context(model.file_stem)),
        interrupts_(interrupts),
        terminal_(isatty(STDIN_FILENO) == 1 && isatty(STDOUT_FILENO) == 1),
        next_seed_(options.seed >= 0 ? static_cast<uint64_t>(options.seed) : std::random_device()()) {
    if (!options.system.empty()) add_message("system", options.system);
  }

  // Until the input ends, or Ctrl-C at the prompt.
  Result<void> run() {
    LineReader lines(interrupts_);
    for (std::string line; !terminated_;) {
      if (terminal_) std::fputs("\n> ", stdout), std::fflush(stdout);
      if (lines.next(&line) != LineReader::Event::kLine) break;
      if (line.find_first_not_of(" \t") == std::string::npos) continue;
      add_message("user", line);
      RETURN_IF_ERROR(answer());
    }
    if (terminal_) std::fputs("\n", stdout);
    return {};
  }

 private:
  using Events = BoundedQueue<TokenEvent>;

  void add_message(const char* role, std::string content) {
    messages_.push_back(JsonObject{{"role", role}, {"content", std::move(content)}});
  }

  // The conversation as tokens; the oldest turns are forgotten where it grows over half of the context. Empty
  // when the last message alone is too long.
  Result<std::vector<TokenId>> encode() {
    const size_t first_turn = options_.system.empty() ? 0 : 1;
    for (;;) {
      ASSIGN_OR_RETURN(std::vector<TokenId> ids, encode_chat({.messages = messages_}, context_));
      const size_t context_tokens = static_cast<size_t>(model_.kv.context_max);
      const bool last_turn = messages_.size() <= first_turn + 1;
      if (ids.size() <= context_tokens / 2 || (last_turn && ids.size() < context_tokens)) return ids;
      if (last_turn) return std::vector<TokenId>();
      const auto oldest = messages_.begin() + static_cast<int64_t>(first_turn);
      messages_.erase(oldest, oldest + 2);
      std::fprintf(stderr, "(the conversation is long: its oldest turn is forgotten)\n");
    }
  }

  Request make_request(std::vector<TokenId> prompt) {
    Request request;
    const int64_t room = model_.kv.context_max - static_cast<int64_t>(prompt.size());
    request.tokens_max = static_cast<int32_t>(std::min(options_.tokens_max, room));
    request.prompt = std::move(prompt);
    request.sample.temperature = static_cast<float>(options_.temperature);
    request.sample.top_k = static_cast<int32_t>(options_.top_k);
    request.sample.top_p = static_cast<float>(options_.top_p);
    request.sample.min_p = static_cast<float>(options_.min_p);
    request.sample.repetition_penalty = static_cast<float>(options_.repetition_penalty);
    request.seed = next_seed_++;
    request.stop_ids = model_.stop_ids;
    return request;
  }

  Result<void> answer() {
    ASSIGN_OR_RETURN(std::vector<TokenId> prompt, encode());
    if (prompt.empty()) {
      std::fprintf(stderr, "(this message is longer than the context of %d tokens)\n", model_.kv.context_max);
      messages_.pop_back();
      return {};
    }
    // Room for every event of the answer, so that the engine never waits for the terminal.
    const auto events = std::make_shared<Events>(static_cast<size_t>(model_.kv.context_max) + 1);
    const TimePoint asked = Clock::now();
    ASSIGN_OR_RETURN(const RequestId id, model_.engine->submit(make_request(std::move(prompt)),
                                                               [events](std::span<const TokenEvent> more) {
                                                                 for (TokenEvent event : more)
                                                                   CHECK(events->try_push(std::move(event)));
                                                               }));
    return stream(id, events.get(), asked);
  }

  Result<void> stream(RequestId id, Events* events, TimePoint asked) {
    Detokenizer detokenizer;
    std::string whole;
    TimePoint first_token;
    const auto show = [&](const std::string& text) {
      whole += text;
      std::fputs(terminal_ ? safe_for_terminal(text).c_str() : text.c_str(), stdout);
      std::fflush(stdout);
    };
    for (std::vector<TokenEvent> batch;; batch.clear()) {
      events->wait_until(Clock::now() + std::chrono::milliseconds(50));
      stop_if_interrupted(id);
      events->drain(&batch);
      for (const TokenEvent& event : batch) {
        if (event.token >= 0 && whole.empty() && first_token == TimePoint()) first_token = event.time;
        if (event.token >= 0) show(detokenizer.append(answer_bytes(model_.tokenizer, event.token)));
        if (!event.finish) continue;
        show(detokenizer.finish());
        add_message("assistant", whole);
        return finish(event, asked, first_token);
      }
    }
  }

  void stop_if_interrupted(RequestId id) {
    const Interrupts::Kind kind = interrupts_->take();
    if (kind == Interrupts::Kind::kNone) return;
    terminated_ = terminated_ || kind == Interrupts::Kind::kTerminate;
    model_.engine->cancel(id);
  }

  Result<void> finish(const TokenEvent& last, TimePoint asked, TimePoint first_token) {
    std::fputs("\n", stdout);
    std::fflush(stdout);
    if (last.finish == FinishReason::kError) return Error{ErrorCode::kDeviceFault, last.error, ""};
    if (last.finish == FinishReason::kLength) std::fprintf(stderr, "(the answer was cut at its limit)\n");
    if (!terminal_ || last.generated_tokens < 1) return {};
    const std::chrono::duration<double> waited = first_token - asked, wrote = last.time - first_token;
    std::fprintf(stderr, "(%d tokens, the first after %.2f s", last.generated_tokens, waited.count());
    if (last.generated_tokens > 1 && wrote.count() > 0) {
      std::fprintf(stderr, ", then %.1f a second", (last.generated_tokens - 1) / wrote.count());
    }
    std::fprintf(stderr, ")\n");
    return {};
  }

  const ChatOptions& options_;
  const LoadedModel& model_;
  const ServerContext context_;
  Interrupts* interrupts_;
  const bool terminal_;
  uint64_t next_seed_;  // one for each answer
  JsonArray messages_;
  bool terminated_ = false;
};

// What the command line leaves out is as the model asks.
void apply_defaults(const GenerationConfig& config, const FlagTable& flags, ChatOptions* options) {
  const auto apply = [&flags](const char* flag, const auto& value, auto* to) {
    if (value && !flags.given(flag)) *to = *value;
  };
  const GenerationDefaults& defaults = config.defaults;
  apply("--temperature", defaults.temperature, &options->temperature);
  // As in a request, 0 means the likeliest token alone and -1 means off.
  apply("--top-p", defaults.top_p, &options->top_p);
  options->top_p = std::max(options->top_p, 0.0001);
  apply("--top-k", defaults.top_k, &options->top_k);
  options->top_k = std::max<int64_t>(options->top_k, 0);
  apply("--min-p", defaults.min_p, &options->min_p);
  apply("--repetition-penalty", defaults.repetition_penalty, &options->repetition_penalty);
  apply("--max-tokens", defaults.tokens_max, &options->tokens_max);
  for (const std::string& setting : config.unsupported)
    std::fprintf(stderr, "(%s of generation_config.json is not supported)\n", setting.c_str());
}

Result<void> chat(ChatOptions options, const FlagTable& flags, Interrupts* interrupts) {
  options.load.running_max = 1;
  options.load.kv.contexts_max = 1;
  std::unique_ptr<LoadedModel> model;
  {
    LoadProgress progress;
    ASSIGN_OR_RETURN(model, load_model(options.load, [&](int64_t done_bytes, int64_t all_bytes) {
                       progress.show(done_bytes, all_bytes);
                       if (interrupts->take() != Interrupts::Kind::kNone) _exit(kExitInterrupted);
                     }));
  }
  if (!model->chat_template) {
    return Error{ErrorCode::kUnsupported, "can't chat: " + model->template_problem, ""};
  }
  apply_defaults(model->generation, flags, &options);
  const DeviceInfo& device = model->engine->device();
  std::fprintf(
      stderr, "%s, %s, on %s (%s, %d threads), %d tokens of context; Ctrl-C stops an answer, Ctrl-D leaves\n",
      model->name.c_str(), model->format.c_str(), device.device.c_str(), device.isa.c_str(), device.threads,
      model->kv.context_max);
  if (const std::string text = defaults_text(model->generation.defaults); !text.empty())
    std::fprintf(stderr, "generation_config.json: %s; flags go first\n", text.c_str());
  return Chat(options, *model, interrupts).run();
}

}  // namespace

int run_chat(const std::vector<std::string>& args) {
  ChatOptions options;
  FlagTable flags("chat",
                  "A conversation in the terminal. Standard input may be a pipe: each line is a message.",
                  "hussar chat --model model.gguf --temperature 0.3");
  add_model_flags(&flags, &options.load);
  flags.add_string("--system", &options.system, "TEXT", "system message");
  flags.add_double("--temperature", &options.temperature, 0, 100, "0: always the likeliest token");
  flags.add_double("--top-p", &options.top_p, 0.0001, 1, "share of the likeliest tokens");
  flags.add_int("--top-k", &options.top_k, 0, 1'000'000, "count of the likeliest tokens; 0: off");
  flags.add_double("--min-p", &options.min_p, 0, 1, "share of the likeliest one's; 0: off");
  flags.add_double("--repetition-penalty", &options.repetition_penalty, 0.01, 100, "1: off");
  flags.add_int("--seed", &options.seed, -1, std::numeric_limits<int64_t>::max(), "-1: by chance");
  flags.add_int("--max-tokens", &options.tokens_max, 1, 1'000'000'000, "of one answer");
  if (const auto code = parse_or_exit_code(&flags, "chat", args)) return *code;
  Interrupts interrupts;
  const auto done = chat(std::move(options), flags, &interrupts);
  return done.ok() ? 0 : report_error("chat", done.error());
}

}  // namespace hussar
