#include "bench/article/cell_result.h"

#include <algorithm>
#include <charconv>
#include <iterator>

namespace hussar {
namespace {

// "GAP:TOKENS GAP:TOKENS ...", each gap in nanoseconds since the chunk before (the first: since the run's
// start): a tenth of what an array of objects takes.
std::string chunks_text(const std::vector<TextChunk>& chunks) {
  std::string text;
  int64_t before = 0;
  for (const TextChunk& chunk : chunks) {
    if (!text.empty()) text.push_back(' ');
    text += std::to_string(chunk.at_ns - before) + ':' + std::to_string(chunk.tokens);
    before = chunk.at_ns;
  }
  return text;
}

bool read_number(std::string_view* text, int64_t* number) {
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), *number);
  if (error != std::errc()) return false;
  text->remove_prefix(static_cast<size_t>(end - text->data()));
  return true;
}

bool read_chunks(std::string_view text, std::vector<TextChunk>* chunks) {
  constexpr int64_t kTimeMax = int64_t{1} << 60;
  int64_t at_ns = 0;
  while (!text.empty()) {
    int64_t gap = 0, tokens = 0;
    if (!read_number(&text, &gap) || !text.starts_with(':')) return false;
    text.remove_prefix(1);
    if (!read_number(&text, &tokens) || tokens < 0 || tokens > INT32_MAX) return false;
    if (gap < -kTimeMax || gap > kTimeMax - std::max<int64_t>(0, at_ns)) return false;
    at_ns += gap;
    chunks->push_back({at_ns, static_cast<int32_t>(tokens)});
    if (text.empty()) break;
    if (!text.starts_with(' ') || text.size() == 1) return false;
    text.remove_prefix(1);
  }
  return true;
}

// One table for both ways, so that no member is written but not read; and names for all members, so that one
// that is added to a struct and not here does not compile. A Codec has `member(name, variable)`.
template <typename Codec, typename Record>
void describe_record(Codec& codec, Record& r) {
  auto& [index, user, stage, label, scheduled_ns, sent_ns, connected_ns, written_ns, head_ns, first_token_ns,
         last_token_ns, end_ns, connection_reused, streamed, outcome, detail, http_status, retry_after_s,
         prompt_tokens, cached_tokens, output_tokens, token_source, finish_reason, server_ttft_s, chunks,
         text, text_bytes] = r;
  codec.member("index", index);
  codec.member("user", user);
  codec.member("stage", stage);
  codec.member("label", label);
  codec.member("scheduled_ns", scheduled_ns);
  codec.member("sent_ns", sent_ns);
  codec.member("connected_ns", connected_ns);
  codec.member("written_ns", written_ns);
  codec.member("head_ns", head_ns);
  codec.member("first_token_ns", first_token_ns);
  codec.member("last_token_ns", last_token_ns);
  codec.member("end_ns", end_ns);
  codec.member("connection_reused", connection_reused);
  codec.member("streamed", streamed);
  codec.member("outcome", outcome, kOutcomeCount);
  codec.member("detail", detail);
  codec.member("http_status", http_status);
  codec.member("retry_after_s", retry_after_s);
  codec.member("prompt_tokens", prompt_tokens);
  codec.member("cached_tokens", cached_tokens);
  codec.member("output_tokens", output_tokens);
  codec.member("token_source", token_source, 3);
  codec.member("finish_reason", finish_reason);
  codec.member("server_ttft_s", server_ttft_s);
  codec.member("chunks", chunks);
  codec.member("text", text);
  codec.member("text_bytes", text_bytes);
}

template <typename Codec, typename Sample>
void describe_sample(Codec& codec, Sample& s) {
  auto& [at_s, running, waiting, kv_use, preemptions, prompt_tokens, generation_tokens, resident_bytes,
         cpu_cores, memory_available_bytes, gpu_memory_bytes, gpu_memory_total_bytes, gpu_power_w,
         gpu_utilisation] = s;
  codec.member("at_s", at_s);
  codec.member("running", running);
  codec.member("waiting", waiting);
  codec.member("kv_use", kv_use);
  codec.member("preemptions", preemptions);
  codec.member("prompt_tokens", prompt_tokens);
  codec.member("generation_tokens", generation_tokens);
  codec.member("resident_bytes", resident_bytes);
  codec.member("cpu_cores", cpu_cores);
  codec.member("memory_available_bytes", memory_available_bytes);
  codec.member("gpu_memory_bytes", gpu_memory_bytes);
  codec.member("gpu_memory_total_bytes", gpu_memory_total_bytes);
  codec.member("gpu_power_w", gpu_power_w);
  codec.member("gpu_utilisation", gpu_utilisation);
}

template <typename Codec, typename Proof>
void describe_proof(Codec& codec, Proof& p) {
  auto& [lateness_ns, cpu_share, loop, client_limited, reason] = p;
  codec.member("lateness_ns", lateness_ns);
  codec.member("cpu_share", cpu_share);
  codec.member("timer_delay_counts", loop.timer_delay_counts);
  codec.member("timer_delay_max_ns", loop.timer_delay_max_ns);
  codec.member("thread_cpu_ns", loop.thread_cpu_ns);
  codec.member("run_ns", loop.run_ns);
  codec.member("client_limited", client_limited);
  codec.member("reason", reason);
}

template <typename Codec, typename Cell>
void describe_cell(Codec& codec, Cell& c) {
  auto& [id, status, note, seconds, workload, extra, window, records, proof, server_samples] = c;
  codec.member("id", id);
  codec.member("status", status);
  codec.member("note", note.en);
  codec.member("note_zh", note.zh);
  codec.member("seconds", seconds);
  codec.member("workload", workload);
  codec.member("extra", extra);
  codec.member("steady_begin_ns", window.steady_begin_ns);
  codec.member("steady_end_ns", window.steady_end_ns);
  codec.member("window_end_ns", window.end_ns);
  codec.member("records", records);
  codec.member("proof", proof);
  codec.member("server_samples", server_samples);
}

class Writer {
 public:
  void member(const char* name, int64_t value) { object.emplace_back(name, value); }
  void member(const char* name, int32_t value) { object.emplace_back(name, value); }
  void member(const char* name, bool value) { object.emplace_back(name, value); }
  void member(const char* name, double value) { object.emplace_back(name, value); }
  void member(const char* name, const std::string& value) { object.emplace_back(name, value); }
  void member(const char* name, const JsonObject& value) { object.emplace_back(name, value); }
  void member(const char* name, const std::vector<TextChunk>& chunks) {
    object.emplace_back(name, chunks_text(chunks));
  }
  template <typename Enum>
  void member(const char* name, Enum value, int) {
    object.emplace_back(name, static_cast<int>(value));
  }
  template <typename Number>
  requires std::is_integral_v<Number>
  void member(const char* name, const std::vector<Number>& numbers) {
    JsonArray array;
    for (const Number number : numbers) array.emplace_back(static_cast<int64_t>(number));
    object.emplace_back(name, std::move(array));
  }
  void member(const char* name, const std::vector<RequestRecord>& records) {
    JsonArray array;
    for (const RequestRecord& record : records) {
      Writer writer;
      describe_record(writer, record);
      array.emplace_back(std::move(writer.object));
    }
    object.emplace_back(name, std::move(array));
  }
  void member(const char* name, const std::vector<ServerSample>& samples) {
    JsonArray array;
    for (const ServerSample& sample : samples) {
      Writer writer;
      describe_sample(writer, sample);
      array.emplace_back(std::move(writer.object));
    }
    object.emplace_back(name, std::move(array));
  }
  void member(const char* name, const SelfProof& proof) {
    Writer writer;
    describe_proof(writer, proof);
    object.emplace_back(name, std::move(writer.object));
  }

  JsonObject object;
};

// Members come in the order in which they were written, so that reading looks at each once.
class Reader {
 public:
  explicit Reader(const Json& json) : object_(json.as_object()) {}

  const std::string& problem() const { return problem_; }

  void member(const char* name, int64_t& value) {
    const Json* json = next(name);
    const int64_t* number = json ? json->as_int() : nullptr;
    number ? void(value = *number) : fail(name);
  }
  void member(const char* name, int32_t& value) {
    int64_t wide = 0;
    member(name, wide);
    if (wide < INT32_MIN || wide > INT32_MAX) return fail(name);
    value = static_cast<int32_t>(wide);
  }
  void member(const char* name, bool& value) {
    const Json* json = next(name);
    const bool* flag = json ? json->as_bool() : nullptr;
    flag ? void(value = *flag) : fail(name);
  }
  void member(const char* name, double& value) {
    const Json* json = next(name);
    if (!json || !json->as_number(&value)) fail(name);
  }
  void member(const char* name, std::string& value) {
    const Json* json = next(name);
    const std::string* text = json ? json->as_string() : nullptr;
    text ? void(value = *text) : fail(name);
  }
  void member(const char* name, JsonObject& value) {
    const Json* json = next(name);
    const JsonObject* object = json ? json->as_object() : nullptr;
    object ? void(value = *object) : fail(name);
  }
  void member(const char* name, std::vector<TextChunk>& chunks) {
    const Json* json = next(name);
    const std::string* text = json ? json->as_string() : nullptr;
    if (!text || !read_chunks(*text, &chunks)) fail(name);
  }
  template <typename Enum>
  void member(const char* name, Enum& value, int count) {
    int64_t number = 0;
    member(name, number);
    if (number < 0 || number >= count) return fail(name);
    value = static_cast<Enum>(number);
  }
  template <typename Number>
  requires std::is_integral_v<Number>
  void member(const char* name, std::vector<Number>& numbers) {
    each(name, [&](const Json& json) {
      const int64_t* number = json.as_int();
      if (number) numbers.push_back(static_cast<Number>(*number));
      return number != nullptr;
    });
  }
  void member(const char* name, std::vector<RequestRecord>& records) {
    each(name, [&](const Json& json) {
      Reader reader(json);
      describe_record(reader, records.emplace_back());
      return reader.take_over(this);
    });
  }
  void member(const char* name, std::vector<ServerSample>& samples) {
    each(name, [&](const Json& json) {
      Reader reader(json);
      describe_sample(reader, samples.emplace_back());
      return reader.take_over(this);
    });
  }
  void member(const char* name, SelfProof& proof) {
    const Json* json = next(name);
    if (!json) return fail(name);
    Reader reader(*json);
    describe_proof(reader, proof);
    (void)reader.take_over(this);
  }

 private:
  const Json* next(const char* name) {
    if (!object_ || at_ >= object_->size() || (*object_)[at_].first != name) return nullptr;
    return &(*object_)[at_++].second;
  }
  void fail(const char* name) {
    if (problem_.empty()) problem_ = name;
  }
  bool take_over(Reader* outer) const {
    if (!problem_.empty()) outer->fail(problem_.c_str());
    return problem_.empty();
  }
  template <typename Read>
  void each(const char* name, Read read) {
    const Json* json = next(name);
    const JsonArray* array = json ? json->as_array() : nullptr;
    if (!array || !std::all_of(array->begin(), array->end(), read)) fail(name);
  }

  const JsonObject* object_;
  size_t at_ = 0;
  std::string problem_;
};

bool contains_any(std::string_view text, std::initializer_list<std::string_view> words) {
  return std::any_of(words.begin(), words.end(),
                     [&](std::string_view word) { return text.find(word) != std::string_view::npos; });
}

}  // namespace

Json to_json(const CellResult& result) {
  Writer writer;
  describe_cell(writer, result);
  return std::move(writer.object);
}

Result<CellResult> read_cell_result(const Json& json) {
  CellResult result;
  Reader reader(json);
  describe_cell(reader, result);
  if (reader.problem().empty()) return result;
  return Error{ErrorCode::kInvalid, "'" + reader.problem() + "' is missing or not what it should be", ""};
}

bool says_does_not_fit(const RequestRecord& record) {
  if (record.outcome != Outcome::kHttp4xx && record.outcome != Outcome::kInBandError) return false;
  std::string detail = record.detail;
  std::transform(detail.begin(), detail.end(), detail.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return contains_any(detail, {"context_length_exceeded", "maximum context length", "model's context length",
                               "context size", "exceed_context_size", "context window"});
}

int64_t count_ok(const std::vector<RequestRecord>& records) {
  return std::count_if(records.begin(), records.end(), [](const RequestRecord& record) {
    return record.stage >= 0 && record.outcome == Outcome::kOk;
  });
}

void add_proof(const SelfProof& proof, SelfProof* all) {
  all->lateness_ns.insert(all->lateness_ns.end(), proof.lateness_ns.begin(), proof.lateness_ns.end());
  all->cpu_share = std::max(all->cpu_share, proof.cpu_share);
  auto& counts = all->loop.timer_delay_counts;
  counts.resize(std::max(counts.size(), proof.loop.timer_delay_counts.size()));
  for (size_t i = 0; i < proof.loop.timer_delay_counts.size(); ++i)
    counts[i] += proof.loop.timer_delay_counts[i];
  all->loop.timer_delay_max_ns = std::max(all->loop.timer_delay_max_ns, proof.loop.timer_delay_max_ns);
  all->loop.thread_cpu_ns += proof.loop.thread_cpu_ns;
  all->loop.run_ns += proof.loop.run_ns;
  if (proof.client_limited && !all->client_limited) all->reason = proof.reason;
  all->client_limited = all->client_limited || proof.client_limited;
}

}  // namespace hussar
