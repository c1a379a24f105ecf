// Evaluates src/bench/measures.h for the Python oracle: one JSON object a line in, {"records": [...],
// "window": [steady begin, steady end, end], "slo": {...} or null, "count_max": n}, one {"summary": ...,
// "samples": ...} a line out.
#include <cstdio>
#include <iostream>
#include <optional>
#include <string>
#include <vector>

#include "base/check.h"
#include "base/json.h"
#include "bench/measures.h"
#include "bench/record.h"

namespace {

using namespace hussar;

int64_t integer(const Json& object, const char* key) {
  const Json* member = object.find(key);
  CHECK_NOTE(member && member->as_int(), key);
  return *member->as_int();
}
double number(const Json& object, const char* key) {
  const Json* member = object.find(key);
  double value = 0;
  CHECK_NOTE(member && member->as_number(&value), key);
  return value;
}
bool flag(const Json& object, const char* key) {
  const Json* member = object.find(key);
  CHECK_NOTE(member && member->as_bool(), key);
  return *member->as_bool();
}
const JsonArray& array(const Json& object, const char* key) {
  const Json* member = object.find(key);
  CHECK_NOTE(member && member->as_array(), key);
  return *member->as_array();
}
int64_t item(const JsonArray& items, size_t index) {
  CHECK(index < items.size() && items[index].as_int());
  return *items[index].as_int();
}

RequestRecord read_record(const Json& json) {
  RequestRecord record;
  record.stage = static_cast<int32_t>(integer(json, "stage"));
  record.scheduled_ns = integer(json, "scheduled_ns");
  record.sent_ns = integer(json, "sent_ns");
  record.connected_ns = integer(json, "connected_ns");
  record.first_token_ns = integer(json, "first_token_ns");
  record.last_token_ns = integer(json, "last_token_ns");
  record.end_ns = integer(json, "end_ns");
  record.connection_reused = flag(json, "connection_reused");
  record.streamed = flag(json, "streamed");
  const Json* outcome = json.find("outcome");
  CHECK(outcome && outcome->as_string());
  int index = 0;
  while (outcome_name(static_cast<Outcome>(index)) != *outcome->as_string()) ++index;
  record.outcome = static_cast<Outcome>(index);
  record.prompt_tokens = static_cast<int32_t>(integer(json, "prompt_tokens"));
  record.cached_tokens = static_cast<int32_t>(integer(json, "cached_tokens"));
  record.output_tokens = static_cast<int32_t>(integer(json, "output_tokens"));
  record.server_ttft_s = number(json, "server_ttft_s");
  for (const Json& chunk : array(json, "chunks")) {
    CHECK(chunk.as_array());
    record.chunks.push_back({item(*chunk.as_array(), 0), static_cast<int32_t>(item(*chunk.as_array(), 1))});
  }
  return record;
}

Json evaluate(const Json& line) {
  std::vector<RequestRecord> records;
  for (const Json& json : array(line, "records")) records.push_back(read_record(json));
  const JsonArray& ends = array(line, "window");
  const Window window{item(ends, 0), item(ends, 1), item(ends, 2)};
  std::optional<Slo> slo;
  if (const Json* limits = line.find("slo"); limits && limits->as_object()) {
    slo = Slo{number(*limits, "ttft_ms"), number(*limits, "tpot_ms"), number(*limits, "itl_ms"),
              number(*limits, "e2e_ms")};
  }
  JsonObject samples;
  for (const auto& [name, values] :
       metric_samples(records, window, static_cast<size_t>(integer(line, "count_max")))) {
    samples.emplace_back(name, JsonArray(values.begin(), values.end()));
  }
  return JsonObject{{"summary", to_json(summarize(records, window, slo))}, {"samples", std::move(samples)}};
}

}  // namespace

int main() {
  std::string text;
  while (std::getline(std::cin, text)) {
    const auto line = parse_json(text, JsonLimits{.bytes_max = 64 << 20});
    CHECK(line.ok());
    std::printf("%s\n", write_json(evaluate(*line)).c_str());
  }
  return 0;
}
