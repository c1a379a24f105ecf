// What was measured in one cell: complete enough that every figure of the report follows from it later, and
// text that gives it back unchanged.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "bench/load.h"
#include "bench/measures.h"
#include "bench/record.h"
#include "bench/report.h"
#include "bench/server_watch.h"

namespace hussar {

struct CellResult {
  std::string id;
  std::string status;  // as MeasuredRow::status
  Text note;           // why it is cut, refused or failed
  double seconds = 0;  // that it took
  JsonObject workload;
  JsonObject extra;  // what no record says: the steps of a burst
  Window window;
  std::vector<RequestRecord> records;
  SelfProof proof;
  std::vector<ServerSample> server_samples;  // at_s since the cell began
};

Json to_json(const CellResult& result);
// Errors: kInvalid, naming what is missing or of a wrong type.
Result<CellResult> read_cell_result(const Json& json);

// Whether a refusal says that the prompt, with its answer, is longer than the model's context: in the words
// of hussar, vLLM, SGLang and llama-server.
bool says_does_not_fit(const RequestRecord& record);

// One self-proof of several runs: the worst of what is a share, everything of what is counted.
void add_proof(const SelfProof& proof, SelfProof* all);

// Successes, warm-up left out.
int64_t count_ok(const std::vector<RequestRecord>& records);

}  // namespace hussar
