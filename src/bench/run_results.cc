#include "bench/run_results.h"

#include <cmath>
#include <filesystem>
#include <set>
#include <utility>

#include "base/files.h"
#include "bench/measures.h"

namespace hussar {
namespace {

constexpr std::string_view kSchema = "hussar-bench-results";
constexpr int64_t kVersion = 1;
constexpr size_t kRowsMax = 1000;
constexpr size_t kSamplesMax = 20'000;  // of one metric
constexpr size_t kTextBytesMax = 4096;
constexpr std::string_view kGroupSizes = "itl_ms_group_sizes";

// Texts are shown in lines and tables: a control character would break out of them.
std::string one_line(const std::string& text) {
  std::string line;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    line += byte < 0x20 || byte == 0x7f ? ' ' : c;
  }
  return line;
}

// Reads members of one object; the first that is missing or impossible ends the reading, named by its path.
class Members {
 public:
  // REQUIRES: json is an object.
  Members(const Json& json, std::string path, std::string* problem)
      : json_(json), path_(std::move(path)), problem_(problem) {}

  std::string text(const char* name) {
    const Json* member = find(name);
    if (member == nullptr) return "";
    if (!member->as_string()) return fail(name, "a string"), "";
    if (member->as_string()->size() > kTextBytesMax) return fail(name, "a shorter string"), "";
    return one_line(*member->as_string());
  }
  bool flag(const char* name) {
    const Json* member = find(name);
    if (member == nullptr) return false;
    if (!member->as_bool()) return fail(name, "true or false"), false;
    return *member->as_bool();
  }
  int64_t count(const char* name) {
    const Json* member = find(name);
    if (member == nullptr) return 0;
    const int64_t* value = member->as_int();
    if (!value || *value < 0 || static_cast<double>(*value) > kResultsNumberMax)
      return fail(name, "a count"), 0;
    return *value;
  }
  double number(const char* name) {
    const Json* member = find(name);
    double value = 0;
    if (member == nullptr) return 0;
    if (!member->as_number(&value) || !(std::abs(value) <= kResultsNumberMax))
      return fail(name, "a sound number"), 0;
    return value;
  }
  // Null after a problem.
  const JsonObject* object(const char* name) {
    const Json* member = find(name);
    if (member == nullptr) return nullptr;
    if (!member->as_object()) fail(name, "an object");
    return member->as_object();
  }
  JsonObject object_copy(const char* name) {
    const JsonObject* members = object(name);
    return members == nullptr ? JsonObject() : *members;
  }
  const JsonArray* array(const char* name) {
    const Json* member = find(name);
    if (member == nullptr) return nullptr;
    if (!member->as_array()) fail(name, "an array");
    return member->as_array();
  }

  // Null, once something failed or where the member is missing; then it has been said.
  const Json* find(const char* name) {
    if (!problem_->empty()) return nullptr;
    const Json* member = json_.find(name);
    if (member == nullptr) *problem_ = path_to(name) + " is missing";
    return member;
  }
  bool is_null(const char* name) {
    const Json* member = json_.find(name);
    return member != nullptr && member->is_null();
  }
  void fail(std::string_view name, std::string_view wanted) {
    if (problem_->empty()) *problem_ = path_to(name) + " must be " + std::string(wanted);
  }
  std::string path_to(std::string_view name) const {
    return path_.empty() ? std::string(name) : path_ + "." + std::string(name);
  }
  std::string* problem() const { return problem_; }

 private:
  const Json& json_;
  std::string path_;
  std::string* problem_;
};

constexpr const char* kDistributions[] = {
    "ttft_ms",           "e2e_ms", "ttft_scheduled_ms",       "e2e_scheduled_ms",
    "tpot_ms",           "itl_ms", "normalised_ms_per_token", "prompt_tokens_each",
    "output_tokens_each"};
constexpr const char* kRates[] = {"qps_steady", "output_tokens_per_s_steady", "total_tokens_per_s_steady",
                                  "goodput_qps"};

void read_summary(const Json& json, const std::string& path, std::string* problem, RunSummary* summary) {
  if (!json.as_object()) {
    *problem = path + " must be an object or null";
    return;
  }
  Members members(json, path, problem);
  summary->ok = members.count("ok");
  summary->errors = members.count("errors");
  summary->steady_s = members.number("steady_s");
  for (const char* name : kRates) {
    if (!members.is_null(name)) summary->rates[name] = members.number(name);
  }
  for (const char* name : kDistributions) {
    const Json* distribution = members.find(name);
    if (distribution == nullptr) return;
    if (!distribution->as_object()) return members.fail(name, "an object");
    Members figures(*distribution, members.path_to(name), problem);
    RunDistribution out;
    out.count = figures.count("count");
    if (out.count == 0) continue;
    out.mean = figures.number("mean");
    out.p50 = figures.number("p50");
    out.p90 = figures.number("p90");
    out.p99 = figures.number("p99");
    summary->distributions[name] = out;
  }
}

// Numbers of one metric; empty after a problem.
std::vector<double> read_numbers(const Json& json, const std::string& path, std::string* problem) {
  std::vector<double> numbers;
  if (!json.as_array()) {
    *problem = path + " must be an array";
    return numbers;
  }
  if (json.as_array()->size() > kSamplesMax) {
    *problem = path + " must have " + std::to_string(kSamplesMax) + " numbers at most";
    return numbers;
  }
  for (const Json& item : *json.as_array()) {
    double number = 0;
    if (!item.as_number(&number) || !(std::abs(number) <= kResultsNumberMax)) {
      *problem = path + " must hold sound numbers only";
      return {};
    }
    numbers.push_back(number);
  }
  return numbers;
}

bool are_group_sizes(const std::vector<double>& sizes, size_t samples) {
  double sum = 0;
  for (const double size : sizes) {
    if (size < 1 || size != std::floor(size)) return false;
    sum += size;
  }
  return sum == static_cast<double>(samples);
}

void read_samples(const JsonObject& object, const std::string& path, std::string* problem,
                  RunSummary* summary) {
  for (const auto& [name, json] : object) {
    const std::string at = path + "." + one_line(name);
    std::vector<double> numbers = read_numbers(json, at, problem);
    if (!problem->empty()) return;
    if (!numbers.empty()) summary->samples[name] = std::move(numbers);
  }
  const auto sizes = summary->samples.find(std::string(kGroupSizes));
  if (sizes == summary->samples.end()) return;
  const auto gaps = summary->samples.find("itl_ms");
  if (!are_group_sizes(sizes->second, gaps == summary->samples.end() ? 0 : gaps->second.size())) {
    *problem = path + "." + std::string(kGroupSizes) + " must be counts that add up to those of itl_ms";
    return;
  }
  summary->itl_group_sizes.assign(sizes->second.begin(), sizes->second.end());
  summary->samples.erase(sizes);
}

RunRow read_row(const Json& json, const std::string& path, std::string* problem) {
  RunRow row;
  if (!json.as_object()) {
    *problem = path + " must be an object";
    return row;
  }
  Members members(json, path, problem);
  row.id = members.text("id");
  row.status = members.text("status");
  row.note = members.text("note");
  row.workload = members.object_copy("workload");
  row.extra = members.object_copy("extra");
  const JsonObject* samples = members.object("samples");
  const Json* summary = members.find("summary");
  if (summary == nullptr || summary->is_null()) return row;
  row.summarised = true;
  read_summary(*summary, members.path_to("summary"), problem, &row.summary);
  if (problem->empty()) read_samples(*samples, members.path_to("samples"), problem, &row.summary);
  return row;
}

void read_rows(const JsonArray& rows, std::string* problem, RunResults* results) {
  if (rows.size() > kRowsMax) {
    *problem = "rows must be " + std::to_string(kRowsMax) + " at most";
    return;
  }
  std::set<std::string> ids;
  for (size_t i = 0; i < rows.size() && problem->empty(); ++i) {
    const std::string path = "rows[" + std::to_string(i) + "]";
    results->rows.push_back(read_row(rows[i], path, problem));
    if (problem->empty() && !ids.insert(results->rows.back().id).second)
      *problem = path + ".id stands twice: " + results->rows.back().id;
  }
}

Error no_results(const std::string& why) {
  return {ErrorCode::kInvalid, "not a results.json of hussar bench: " + why, ""};
}

}  // namespace

Result<RunResults> parse_results(std::string_view json) {
  ASSIGN_OR_RETURN(const Json document, parse_json(json, JsonLimits{.bytes_max = kResultsBytesMax,
                                                                    .values_max = kResultsValuesMax}));
  std::string problem;
  RunResults results;
  if (!document.as_object()) return no_results("it is " + std::string(document.type_name()));
  Members members(document, "", &problem);
  const std::string schema = members.text("schema");
  if (!problem.empty() || schema != kSchema)
    return no_results("schema must be \"" + std::string(kSchema) + "\"");
  const int64_t version = members.count("version");
  if (problem.empty() && version != kVersion) {
    return no_results("its version is " + std::to_string(version) + ", this program reads version " +
                      std::to_string(kVersion));
  }
  results.kind = members.text("kind");
  results.started = members.text("started");
  results.interrupted = members.flag("interrupted");
  results.client_limited = members.flag("client_limited");
  results.environment = members.object_copy("environment");
  results.workload = members.object_copy("workload");
  if (const Json* target = members.find("target"); target != nullptr) {
    if (!target->as_object()) return no_results("target must be an object");
    Members server(*target, "target", &problem);
    results.url = server.text("url");
    results.model = server.text("model");
    results.server = server.text("server");
    results.api = server.text("api");
    results.tokenizer = server.text("tokenizer");
    results.hardware = server.text("hardware");
  }
  if (const JsonArray* rows = members.array("rows"); rows != nullptr && problem.empty())
    read_rows(*rows, &problem, &results);
  if (!problem.empty()) return no_results(problem);
  return results;
}

Result<RunResults> load_results(const std::string& path) {
  std::error_code ignored;
  const std::string file = std::filesystem::is_directory(path, ignored)
                               ? (std::filesystem::path(path) / "results.json").string()
                               : path;
  ASSIGN_OR_RETURN(const std::string text, read_small_file(file, kResultsBytesMax));
  auto results = parse_results(text);
  if (!results.ok()) return Error{results.error().code, file + ": " + results.error().message, ""};
  return results;
}

}  // namespace hussar
