// The state of a run that may be interrupted: a text file in the report's folder with a line for each
// finished cell, added when the cell has ended. A run that finds one goes on behind its last whole line.
//
//   {"hussar":"article run","version":1,"fingerprint":{...},"started_unix_s":...,"speed":{...}}
//   {"id":"latency/128/cold",...}
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/files.h"
#include "base/json.h"
#include "base/result.h"
#include "bench/article/cell_result.h"
#include "bench/article/plan.h"

namespace hussar {

struct RunState {
  JsonObject fingerprint;  // target, model and options: what must be equal to go on
  double started_unix_s = 0;
  Speed speed;
  std::vector<CellResult> cells;  // in the order in which they ended
};

// REQUIRES: `text` holds the whole file. What stands behind the last line that is whole and well formed
// counts for nothing; its length is `whole_bytes`. Errors: kInvalid where the first line is not that of such
// a file; with nothing at all, not even a first line, the state is empty and whole_bytes 0.
Result<RunState> read_run_state(std::string_view text, size_t* whole_bytes);
std::string run_state_head(const RunState& state);
std::string run_state_line(const CellResult& cell);

// The first member that differs, as "seconds is 60, not 30", for people; empty when all are equal.
std::string fingerprint_difference(const JsonObject& stored, const JsonObject& wanted);

// The file of one run, open for adding.
class RunStateFile {
 public:
  enum class Start { kResume, kFresh };
  // Reads what `folder` holds; `state` has it afterwards, or is empty (no speed, no cells) where there is
  // nothing to go on from. Errors: kIo; kInvalid when it is of another run, naming what differs and what to
  // do.
  static Result<RunStateFile> open(const std::string& folder, const JsonObject& fingerprint, Start start,
                                   RunState* state);

  // Begins the file, before its first cell. Errors: kIo.
  Result<void> begin(const RunState& state);
  // On the disk when this returns. Errors: kIo.
  Result<void> add(const CellResult& cell);

 private:
  explicit RunStateFile(std::string path) : path_(std::move(path)) {}
  std::string path_;
};

}  // namespace hussar
