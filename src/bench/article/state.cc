#include "bench/article/state.h"

#include <fcntl.h>

#include <algorithm>

namespace hussar {
namespace {

constexpr std::string_view kKind = "article run";
constexpr int64_t kVersion = 1;
constexpr size_t kFileBytesMax = size_t{2} << 30;
constexpr JsonLimits kLineLimits{.bytes_max = size_t{1} << 30, .depth_max = 64};

Result<RunState> read_head(std::string_view line) {
  const Error foreign{ErrorCode::kInvalid, "the first line is not that of an article run's state", ""};
  const auto json = parse_json(line, kLineLimits);
  if (!json.ok()) return foreign;
  const Json* kind = json->find("hussar");
  const Json* version = json->find("version");
  const Json* fingerprint = json->find("fingerprint");
  const Json* started = json->find("started_unix_s");
  const Json* speed = json->find("speed");
  RunState state;
  if (!kind || !kind->as_string() || *kind->as_string() != kKind) return foreign;
  if (!version || !version->as_int() || *version->as_int() != kVersion) return foreign;
  if (!fingerprint || !fingerprint->as_object()) return foreign;
  if (!started || !started->as_number(&state.started_unix_s)) return foreign;
  if (!speed || !read_speed(*speed, &state.speed)) return foreign;
  state.fingerprint = *fingerprint->as_object();
  return state;
}

// The text up to the next line end, which is taken too; nothing where the line has no end.
bool take_line(std::string_view* text, std::string_view* line) {
  const size_t end = text->find('\n');
  if (end == std::string_view::npos) return false;
  *line = text->substr(0, end);
  text->remove_prefix(end + 1);
  return true;
}

}  // namespace

Result<RunState> read_run_state(std::string_view text, size_t* whole_bytes) {
  const size_t all_bytes = text.size();
  *whole_bytes = 0;
  std::string_view line;
  if (!take_line(&text, &line)) {
    // The process ended while it wrote the first line; or this is no file of ours.
    constexpr std::string_view kBegin = "{\"hussar\":\"article run\"";
    if (kBegin.starts_with(text.substr(0, kBegin.size()))) return RunState{};
    return Error{ErrorCode::kInvalid, "the first line is not that of an article run's state", ""};
  }
  ASSIGN_OR_RETURN(RunState state, read_head(line));
  *whole_bytes = all_bytes - text.size();
  while (take_line(&text, &line)) {
    const auto json = parse_json(line, kLineLimits);
    if (!json.ok()) break;
    auto cell = read_cell_result(*json);
    if (!cell.ok()) break;
    state.cells.push_back(std::move(*cell));
    *whole_bytes = all_bytes - text.size();
  }
  return state;
}

std::string run_state_head(const RunState& state) {
  const Json head(JsonObject{{"hussar", kKind},
                             {"version", kVersion},
                             {"fingerprint", state.fingerprint},
                             {"started_unix_s", state.started_unix_s},
                             {"speed", to_json(state.speed)}});
  return write_json(head) + "\n";
}

std::string run_state_line(const CellResult& cell) { return write_json(to_json(cell)) + "\n"; }

std::string fingerprint_difference(const JsonObject& stored, const JsonObject& wanted) {
  auto text_of = [](const JsonObject& object, const std::string& key) {
    const auto member =
        std::find_if(object.begin(), object.end(), [&](const auto& one) { return one.first == key; });
    return member == object.end() ? std::string("missing") : write_json(member->second);
  };
  for (const JsonObject* side : {&stored, &wanted}) {
    for (const auto& [key, value] : *side) {
      const std::string a = text_of(stored, key), b = text_of(wanted, key);
      if (a != b) return key + " is " + a + ", not " + b;
    }
  }
  return "";
}

Result<RunStateFile> RunStateFile::open(const std::string& folder, const JsonObject& fingerprint, Start start,
                                        RunState* state) {
  RunStateFile file(folder + "/article-state.jsonl");
  *state = RunState{};
  if (start == Start::kFresh || !file_exists(file.path_)) return file;
  ASSIGN_OR_RETURN(const std::string text, read_small_file(file.path_, kFileBytesMax));
  size_t whole_bytes = 0;
  auto stored = read_run_state(text, &whole_bytes);
  if (!stored.ok()) {
    return Error{
        ErrorCode::kInvalid,
        file.path_ + ": " + stored.error().message + "; choose another --out, or --fresh to replace it", ""};
  }
  if (whole_bytes == 0) return file;
  if (const std::string difference = fingerprint_difference(stored->fingerprint, fingerprint);
      !difference.empty()) {
    return Error{
        ErrorCode::kInvalid,
        folder + " holds another run: its " + difference + "; choose another --out, or --fresh to start over",
        ""};
  }
  // What a cut left behind the last whole line would spoil the next one.
  if (whole_bytes < text.size()) {
    RETURN_IF_ERROR(write_file_whole(file.path_, std::string_view(text).substr(0, whole_bytes)));
  }
  *state = std::move(*stored);
  return file;
}

Result<void> RunStateFile::begin(const RunState& state) {
  return write_file_whole(path_, run_state_head(state));
}

Result<void> RunStateFile::add(const CellResult& cell) {
  ASSIGN_OR_RETURN(const File file, File::open(path_, O_WRONLY | O_APPEND));
  RETURN_IF_ERROR(file.append(run_state_line(cell)));
  return file.sync();
}

}  // namespace hussar
