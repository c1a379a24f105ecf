#include <cinttypes>
#include <cstdio>
#include <map>
#include <string>
#include <vector>

#include "base/dtype.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/utf8.h"
#include "cli/commands.h"
#include "cli/open_model.h"
#include "cli/terminal_text.h"

namespace hussar {
namespace {

constexpr size_t kTextBytesMax = 60;  // of a string in the table
constexpr size_t kItemsMax = 4;       // of an array in the table

template <typename T>
Json to_json(const T& value) {
  return Json(value);
}
template <typename T>
Json to_json(const std::vector<T>& values) {
  JsonArray array;
  for (const T& value : values) array.push_back(Json(value));
  return array;
}

// A value in at most a line: long texts are cut, of arrays the first items are shown.
std::string short_text(const std::string& text) {
  std::string quoted;
  const std::string_view part = std::string_view(text).substr(0, kTextBytesMax);
  append_json_string(part.substr(0, complete_utf8_prefix_bytes(part)), &quoted);
  quoted = safe_for_terminal(quoted);
  return text.size() > kTextBytesMax ? quoted + "... (" + std::to_string(text.size()) + " bytes)" : quoted;
}
template <typename T>
std::string short_text(const T& value) {
  return write_json(Json(value));
}
template <typename T>
std::string short_text(const std::vector<T>& values) {
  std::string text = "[";
  for (size_t i = 0; i < values.size() && i < kItemsMax; ++i) {
    text += (i > 0 ? ", " : "") + short_text(static_cast<T>(values[i]));
  }
  return text + (values.size() > kItemsMax ? ", ...] (" + std::to_string(values.size()) + " items)" : "]");
}

std::string shape_text(const std::vector<int64_t>& shape) {
  std::string text;
  for (size_t i = 0; i < shape.size(); ++i) text += (i > 0 ? " x " : "") + std::to_string(shape[i]);
  return text;
}

// A name from the file, safe for a terminal and aligned as a column.
std::string name_text(const std::string& name) {
  std::string quoted;
  append_json_string(name, &quoted);
  return safe_for_terminal(quoted.substr(1, quoted.size() - 2));
}

void print_table(const ModelFile& file) {
  std::printf("%s: %s, %zu metadata keys, %zu tensors\n\n", file.path().c_str(),
              bytes_text(file.size_bytes()).c_str(), file.metadata().size(), file.tensors().size());
  for (const auto& [key, value] : file.metadata()) {
    const std::string text = std::visit([](const auto& v) { return short_text(v); }, value);
    std::printf("%-42s %s\n", name_text(key).c_str(), text.c_str());
  }
  std::printf("\n%-36s %-6s %12s  %s\n", "tensor", "type", "bytes", "shape");
  std::map<std::string_view, std::pair<int64_t, int64_t>> totals;  // by type: tensors, bytes
  for (const StoredTensor& tensor : file.tensors()) {
    const std::string_view type = dtype_info(tensor.dtype).name;
    std::printf("%-36s %-6s %12zu  %s\n", name_text(tensor.name).c_str(), std::string(type).c_str(),
                tensor.bytes.size(), shape_text(tensor.shape).c_str());
    totals[type].first += 1;
    totals[type].second += static_cast<int64_t>(tensor.bytes.size());
  }
  std::printf("\n");
  for (const auto& [type, total] : totals) {
    std::printf("%-6s %5" PRId64 " tensors %12" PRId64 " bytes\n", std::string(type).c_str(), total.first,
                total.second);
  }
}

void print_json(const ModelFile& file) {
  JsonObject metadata;
  for (const auto& [key, value] : file.metadata()) {
    metadata.emplace_back(key, std::visit([](const auto& v) { return to_json(v); }, value));
  }
  JsonArray tensors;
  for (const StoredTensor& tensor : file.tensors()) {
    tensors.push_back(JsonObject{{"name", tensor.name},
                                 {"type", dtype_info(tensor.dtype).name},
                                 {"shape", to_json(tensor.shape)},
                                 {"bytes", static_cast<int64_t>(tensor.bytes.size())}});
  }
  const Json all(JsonObject{{"file", file.path()},
                            {"bytes", file.size_bytes()},
                            {"metadata", std::move(metadata)},
                            {"tensors", std::move(tensors)}});
  std::printf("%s\n", write_json(all).c_str());
}

}  // namespace

int run_inspect(const std::vector<std::string>& args) {
  std::vector<std::string> paths;
  bool json = false;
  FlagTable flags("inspect", "Shows a model file's metadata and tensors.", "hussar inspect model.gguf");
  flags.add_positionals("MODEL", &paths, 1, "a file, a folder, or a pulled name");
  flags.add_switch("--json", &json, "all of it as one JSON object");
  if (const auto code = parse_or_exit_code(&flags, "inspect", args)) return *code;
  if (paths.empty()) {
    return report_error(
        "inspect", {ErrorCode::kInvalid, "a MODEL is missing; 'hussar inspect --help' has an example", ""});
  }
  const auto file = open_model(paths[0]);
  if (!file.ok()) return report_error("inspect", file.error());
  json ? print_json(*file) : print_table(*file);
  return 0;
}

}  // namespace hussar
