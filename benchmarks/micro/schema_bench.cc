// What checking a finished answer against its schema costs, on one thread: microseconds to compile the schema
// and to validate an instance (best of many runs), and the steps that the validation takes.
//
//   schema_bench
//
// A line for each case: bytes of the schema and the instance, then the three figures. A check beside decoding
// should be far below the milliseconds that one token takes.
#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>

#include "base/check.h"
#include "base/types.h"
#include "grammar/json_schema_validator.h"

namespace hussar {
namespace {

constexpr int kRuns = 300;

struct Case {
  const char* name;
  std::string schema, instance;
};

std::string list_of(const std::string& item, int count) {
  std::string list = "[";
  for (int i = 0; i < count; ++i) list += (i == 0 ? "" : ",") + item;
  return list + "]";
}

std::vector<Case> cases() {
  const std::string person =
      R"({"type":"object","properties":{"name":{"type":"string","minLength":1,"maxLength":80},)"
      R"("age":{"type":"integer","minimum":0,"maximum":150},"email":{"type":"string","pattern":"^[\\w.-]+@[\\w.-]+$"},)"
      R"("tags":{"type":"array","items":{"enum":["a","b","c"]},"uniqueItems":true}},)"
      R"("required":["name","age"],"additionalProperties":false})";
  const std::string ada = R"({"name":"Ada Lovelace","age":36,"email":"ada@example.org","tags":["a","c"]})";
  return {
      {"one person", person, ada},
      {"1000 people", R"({"type":"array","items":)" + person + "}", list_of(ada, 1000)},
      {"the metaschema", R"({"$ref":"https://json-schema.org/draft/2020-12/schema"})", person},
      {"(a+)+b, 10 kB", R"({"pattern":"(a+)+b"})", '"' + std::string(10'000, 'a') + '"'},
  };
}

template <typename Work>
double best_us(const Work& work) {
  double best = 1e9;
  for (int run = 0; run < kRuns; ++run) {
    const TimePoint begin = Clock::now();
    work();
    best = std::min(best, std::chrono::duration<double, std::micro>(Clock::now() - begin).count());
  }
  return best;
}

// The least budget that is enough.
int64_t steps_of(const JsonSchema& schema, const std::string& instance) {
  int64_t low = 0, high = 1 << 30;
  while (low < high) {
    JsonSchema::InstanceLimits limits;
    limits.steps_max = (low + high) / 2;
    const bool enough = schema.validate(instance, limits).kind != SchemaVerdict::Kind::kUndecided;
    (enough ? high : low) = limits.steps_max + (enough ? 0 : 1);
  }
  return low;
}

void run() {
  std::printf("%-16s %9s %9s %12s %12s %10s\n", "case", "schema B", "text B", "compile us", "validate us",
              "steps");
  for (const Case& c : cases()) {
    const auto schema = JsonSchema::compile(c.schema, {});
    CHECK(schema.ok());
    const double compile_us = best_us([&] { CHECK(JsonSchema::compile(c.schema, {}).ok()); });
    const double validate_us = best_us([&] { (void)schema->validate(c.instance, {}); });
    std::printf("%-16s %9zu %9zu %12.1f %12.1f %10lld\n", c.name, c.schema.size(), c.instance.size(),
                compile_us, validate_us, static_cast<long long>(steps_of(*schema, c.instance)));
  }
}

}  // namespace
}  // namespace hussar

int main() {
  hussar::run();
  return 0;
}
