// The requests of a workload, made before the clock starts.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <utility>

#include "bench/dataset.h"
#include "bench/prompt_counter.h"
#include "bench/spec_text.h"
#include "bench/workload.h"

namespace hussar {
namespace {

constexpr size_t kRepliesCounted = 64;
constexpr double kBytesATokenGuess = 4;

// FNV-1a with 64 bits: tells files apart, no more.
class Digest {
 public:
  void add(std::string_view text) {
    for (const char c : text) add_byte(static_cast<unsigned char>(c));
    add_byte(0xFF);  // is in no UTF-8
  }
  void add(int64_t number) { add(std::to_string(number)); }
  std::string text() const {
    char buffer[20];
    std::snprintf(buffer, sizeof buffer, "%016llx", static_cast<unsigned long long>(value_));
    return buffer;
  }

 private:
  void add_byte(unsigned char byte) { value_ = (value_ ^ byte) * 0x100000001B3u; }
  uint64_t value_ = 0xCBF29CE484222325u;
};

std::string file_name(const std::string& path) { return path.substr(path.rfind('/') + 1); }

Error with_flag(Error error, const char* flag) {
  error.field = flag;
  return error;
}

}  // namespace

Result<void> Workload::fit_lengths() {
  Lengths& input = options_.input;
  Lengths& output = options_.output;
  if (options_.shared_prefix_tokens > 0 && options_.shared_prefix_tokens >= input.least()) {
    return Error{ErrorCode::kInvalid,
                 "the shared prefix must be shorter than the shortest prompt, " +
                     std::to_string(input.least()) + " tokens",
                 "--shared-prefix-tokens"};
  }
  const int32_t context = target_.context_tokens();
  if (context <= 0) return {};
  const auto does_not_fit = [&] {
    return Error{ErrorCode::kTooLarge,
                 input.text() + " tokens in and " + output.text() +
                     " out do not fit the model's context of " + std::to_string(context) + " tokens",
                 "--input-tokens"};
  };
  if (int64_t{input.least()} + output.least() > context) return does_not_fit();
  if (!input.is_fixed() && !input.limit_to(std::max(1, context_tokens_ - output.least()))) {
    return does_not_fit();
  }
  return {};
}

// What fits beside a prompt that was drawn; fixed lengths were checked and stay.
int32_t Workload::fitted_output(int32_t input_tokens, int32_t wanted) {
  if (context_tokens_ <= 0 || input_tokens < 0) return wanted;
  if (options_.input.is_fixed() && options_.output.is_fixed() && !is_trace_) return wanted;
  const int32_t fitting = std::max(1, context_tokens_ - input_tokens);
  if (wanted <= fitting) return wanted;
  ++cut_to_context_;
  return fitting;
}

void Workload::calibrate() {
  const PromptCounter counter = find_prompt_counter(target_, options_.api);
  tokenizer_ = counter.how;
  PromptOptions prompts;
  prompts.language = options_.language;
  prompts.seed = options_.seed;
  prompts.shared_prefix_tokens = options_.shared_prefix_tokens;
  prompts.counts_max = counter.counts_max;
  maker_ = PromptMaker::calibrate(prompts, counter.count);
  notes_.push_back(maker_->note());
}

Result<void> Workload::make_prompts(int64_t requests_wanted) {
  RETURN_IF_ERROR(fit_lengths());
  calibrate();
  const size_t wanted = requests_wanted > 0 ? static_cast<size_t>(requests_wanted) : SIZE_MAX;
  const size_t held_max = std::min(wanted, options_.requests_held_max);
  Random lengths(options_.seed);
  size_t bytes = 0;
  while (held_.size() < held_max && (held_.empty() || bytes < options_.bytes_held_max)) {
    const int32_t input_tokens = options_.input.draw(lengths);
    RequestSpec spec = options_.spec;
    spec.output_tokens_max = fitted_output(input_tokens, options_.output.draw(lengths));
    const MadePrompt prompt = maker_->make(input_tokens, held_.size());
    spec.prompt = prompt.text;
    held_.push_back(hold(spec, &prompt));
    bytes += held_.back().wire->size();
  }
  if (held_.size() < wanted) {
    notes_.push_back(std::to_string(held_.size()) +
                     " requests are made ahead; those sent beyond them have the same texts behind new heads "
                     "of four words");
  }
  return {};
}

// How long the answers to a ShareGPT file should be: the tokens of the replies in it. Counting them all would
// take a call each, so some are counted, and the others are reckoned by their bytes.
double Workload::bytes_a_token(const std::vector<DatasetRow>& rows) {
  size_t bytes = 0, replies = 0;
  int64_t tokens = 0;
  for (const DatasetRow& row : rows) {
    if (row.reply.empty() || !target_.can_tokenize() || replies == kRepliesCounted) continue;
    const auto counted = target_.count_tokens(row.reply);
    if (!counted.ok()) break;
    ++replies;
    bytes += row.reply.size();
    tokens += *counted;
  }
  const bool any = std::any_of(rows.begin(), rows.end(), [](const DatasetRow& row) {
    return !row.reply.empty() && row.output_tokens < 0;
  });
  if (any && !options_.output_given) {
    notes_.push_back(tokens > 0
                         ? "lengths of answers are those of the file's replies, reckoned from " +
                               std::to_string(replies) + " that the server counted"
                         : "lengths of answers are those of the file's replies, taken as 4 bytes a token");
  }
  return tokens > 0 ? static_cast<double>(bytes) / static_cast<double>(tokens) : kBytesATokenGuess;
}

Result<void> Workload::set_text(std::string prompt, std::string system, std::vector<ChatMessage> messages,
                                RequestSpec* spec) const {
  const bool chat = options_.api == Api::kChat;
  if (!messages.empty() && !chat) {
    return Error{ErrorCode::kInvalid,
                 options_.dataset + options_.trace + " has messages, which only --api chat can send", ""};
  }
  if (!system.empty() && chat) {
    messages = {{"system", std::move(system)}, {"user", std::move(prompt)}};
  } else if (!system.empty()) {
    prompt = system + "\n\n" + prompt;
  }
  spec->prompt = std::move(prompt);
  spec->messages = std::move(messages);
  return {};
}

void Workload::note_dataset(const Dataset& dataset, int64_t requests_wanted) {
  const size_t rows = dataset.rows.size();
  if (dataset.without_person > 0) {
    notes_.push_back(std::to_string(dataset.without_person) +
                     " conversations in which no person speaks were left out");
  }
  if (requests_wanted > 0 && static_cast<size_t>(requests_wanted) <= rows) return;
  if (dataset.cut) notes_.push_back("only the first " + std::to_string(rows) + " rows are used");
  notes_.push_back("the " + std::to_string(rows) +
                   " rows are sent again from the front when all were sent, so a prefix cache may know them");
}

Result<void> Workload::load_dataset(int64_t requests_wanted) {
  DatasetLimits limits;
  limits.rows_max = options_.requests_held_max;
  if (requests_wanted > 0) limits.rows_max = std::min(limits.rows_max, static_cast<size_t>(requests_wanted));
  limits.text_bytes_max = options_.bytes_held_max;
  auto dataset = read_dataset(options_.dataset, limits);
  if (!dataset.ok()) return with_flag(std::move(dataset).error(), "--dataset");
  note_dataset(*dataset, requests_wanted);
  const double reply_bytes_a_token = bytes_a_token(dataset->rows);
  Digest digest;
  Random lengths(options_.seed);
  for (DatasetRow& row : dataset->rows) {
    digest.add(row.system);
    digest.add(row.prompt);
    for (const ChatMessage& message : row.messages) digest.add(message.content);
    digest.add(row.output_tokens);
    digest.add(row.reply);
    RequestSpec spec = options_.spec;
    spec.output_tokens_max = options_.output.draw(lengths);
    if (!options_.output_given && row.output_tokens > 0) {
      spec.output_tokens_max = row.output_tokens;
    } else if (!options_.output_given && !row.reply.empty()) {
      const double tokens = std::ceil(static_cast<double>(row.reply.size()) / reply_bytes_a_token);
      spec.output_tokens_max = static_cast<int32_t>(std::min<double>(tokens, kTokensMax));
    }
    auto set = set_text(std::move(row.prompt), std::move(row.system), std::move(row.messages), &spec);
    if (!set.ok()) return with_flag(set.error(), "--dataset");
    held_.push_back(hold(spec, nullptr));
  }
  digest_ = file_name(options_.dataset) + " " + digest.text();
  return {};
}

Result<void> Workload::load_trace() {
  is_trace_ = true;
  auto trace = read_trace(options_.trace, options_.trace_options, {});
  if (!trace.ok()) return with_flag(std::move(trace).error(), "--trace");
  const bool makes_prompts = std::any_of(trace->rows.begin(), trace->rows.end(),
                                         [](const TraceRow& row) { return row.input_tokens > 0; });
  if (makes_prompts) calibrate();
  if (trace->raised > 0) {
    notes_.push_back(std::to_string(trace->raised) +
                     " requests of the trace have 0 tokens in or out, and were given 1");
  }
  Digest digest;
  Random lengths(options_.seed);
  size_t bytes = 0;
  for (TraceRow& row : trace->rows) {
    for (const int64_t number : {row.at_ns, int64_t{row.input_tokens}, int64_t{row.output_tokens}}) {
      digest.add(number);
    }
    digest.add(row.prompt);
    for (const ChatMessage& message : row.messages) digest.add(message.content);
    auto held = hold_trace_row(std::move(row), options_.output.draw(lengths));
    if (!held.ok()) return with_flag(std::move(held).error(), "--trace");
    held_.push_back(std::move(*held));
    bytes += held_.back().wire->size();
    if (bytes > options_.bytes_held_max) {
      return Error{ErrorCode::kTooLarge,
                   "its first " + std::to_string(held_.size()) + " of " + std::to_string(trace->rows.size()) +
                       " requests fill the memory for requests; --trace-seconds cuts it, --hold-mb raises "
                       "the limit",
                   "--trace"};
    }
  }
  digest_ = file_name(options_.trace) + " " + digest.text() + " at speed " +
            shortest_text(options_.trace_options.speed);
  return {};
}

Result<Workload::Held> Workload::hold_trace_row(TraceRow row, int32_t drawn_output) {
  RequestSpec spec = options_.spec;
  const bool own = !options_.output_given && row.output_tokens > 0;
  spec.output_tokens_max = own ? row.output_tokens : drawn_output;
  Held held;
  if (row.input_tokens < 0) {
    RETURN_IF_ERROR(set_text(std::move(row.prompt), "", std::move(row.messages), &spec));
    held = hold(spec, nullptr);
  } else {
    const int32_t fitting = context_tokens_ > 0 ? context_tokens_ - 1 : row.input_tokens;
    const bool cut = row.input_tokens > fitting;
    const int32_t input_tokens = std::min(row.input_tokens, fitting);
    const int32_t output_tokens = fitted_output(input_tokens, spec.output_tokens_max);
    cut_to_context_ += cut && output_tokens == spec.output_tokens_max;  // else it is counted
    spec.output_tokens_max = output_tokens;
    const MadePrompt prompt =
        maker_->make_from_blocks(row.hash_ids, kHashBlockTokens, input_tokens, held_.size());
    spec.prompt = prompt.text;
    held = hold(spec, nullptr);
    held.prompt_tokens = known_tokens(prompt);
  }
  held.at_ns = row.at_ns;
  return held;
}

}  // namespace hussar
