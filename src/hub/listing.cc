#include "hub/listing.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <set>

#include "base/json.h"
#include "hub/names.h"

namespace hussar {
namespace {

constexpr size_t kJsonBytesMax = 8 << 20;
constexpr int32_t kJsonDepthMax = 32;
constexpr int64_t kFileBytesMax = int64_t{1} << 50;
constexpr size_t kChoicesShownMax = 20;
constexpr std::string_view kIndexFile = "model.safetensors.index.json";
constexpr std::array<std::string_view, 6> kDocuments = {"config.json",         "generation_config.json",
                                                        "tokenizer.json",      "tokenizer_config.json",
                                                        "chat_template.jinja", kIndexFile};

Error malformed(const std::string& what) {
  return {ErrorCode::kInvalid, "the hub's list of files is malformed: " + what, ""};
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return out;
}

const std::string* string_member(const Json& object, std::string_view key) {
  const Json* member = object.find(key);
  return member != nullptr ? member->as_string() : nullptr;
}

Result<int64_t> size_member(const Json& object, std::string_view key, const std::string& path) {
  const Json* member = object.find(key);
  const int64_t* size = member != nullptr ? member->as_int() : nullptr;
  if (size == nullptr || *size < 0 || *size > kFileBytesMax) {
    return malformed("'" + path + "' has no usable size");
  }
  return *size;
}

Result<Checksum> checksum_of(Checksum::Kind kind, const std::string& hex, const std::string& path) {
  auto checksum = make_checksum(kind, hex);
  if (!checksum.ok()) return malformed("'" + path + "' has no usable checksum");
  return checksum;
}

Result<std::string> checked_path(const Json& entry, std::string_view key) {
  const std::string* path = string_member(entry, key);
  if (path == nullptr) return malformed("a file without a path");
  if (is_hostile_path(*path)) {
    std::string shown;
    append_json_string(path->substr(0, 100), &shown);
    return malformed("a path that could leave the model's folder, " + shown + "; nothing of it is taken");
  }
  return *path;
}

// {"type": "file", "path": ..., "size": ..., "oid": git's SHA-1, "lfs": {"oid": SHA-256, "size": ...}}
Result<void> add_hugging_face(const Json& entry, std::vector<RemoteFile>* files) {
  const std::string* type = string_member(entry, "type");
  ASSIGN_OR_RETURN(std::string path, checked_path(entry, "path"));
  if (type == nullptr || *type != "file") return {};
  RemoteFile file{std::move(path), 0, {}};
  const Json* lfs = entry.find("lfs");
  const bool large = lfs != nullptr && lfs->as_object() != nullptr;
  ASSIGN_OR_RETURN(file.size_bytes, size_member(large ? *lfs : entry, "size", file.path));
  const std::string* oid = string_member(large ? *lfs : entry, "oid");
  if (oid == nullptr) return malformed("'" + file.path + "' has no checksum");
  const auto kind = large ? Checksum::Kind::kSha256 : Checksum::Kind::kGitBlobSha1;
  ASSIGN_OR_RETURN(file.checksum, checksum_of(kind, *oid, file.path));
  files->push_back(std::move(file));
  return {};
}

// {"Type": "blob", "Path": ..., "Size": ..., "Sha256": ...}
Result<void> add_model_scope(const Json& entry, std::vector<RemoteFile>* files) {
  const std::string* type = string_member(entry, "Type");
  ASSIGN_OR_RETURN(std::string path, checked_path(entry, "Path"));
  if (type == nullptr || *type != "blob") return {};
  RemoteFile file{std::move(path), 0, {}};
  ASSIGN_OR_RETURN(file.size_bytes, size_member(entry, "Size", file.path));
  const std::string* sha256 = string_member(entry, "Sha256");
  if (sha256 != nullptr && !sha256->empty()) {
    ASSIGN_OR_RETURN(file.checksum, checksum_of(Checksum::Kind::kSha256, *sha256, file.path));
  }
  files->push_back(std::move(file));
  return {};
}

const JsonArray* entries_of(HubKind hub, const Json& answer) {
  if (hub == HubKind::kHuggingFace) return answer.as_array();
  const Json* data = answer.find("Data");
  const Json* list = data != nullptr ? data->find("Files") : nullptr;
  return list != nullptr ? list->as_array() : nullptr;
}

bool is_gguf(std::string_view name) { return lower(name).ends_with(".gguf"); }

// "model-00001-of-00003.gguf": one of several parts.
bool is_gguf_part(std::string_view name) {
  const std::string text = lower(name);
  const size_t of = text.rfind("-of-");
  return of != std::string::npos && of > 0 && std::isdigit(static_cast<unsigned char>(text[of - 1])) != 0;
}

// True where `quant` stands in the name as a word: behind a separator, and before one or the ending.
bool holds_quant(const std::string& name, const std::string& quant) {
  const std::string text = lower(name);
  for (size_t at = text.find(quant); at != std::string::npos; at = text.find(quant, at + 1)) {
    const bool begins = at > 0 && (text[at - 1] == '-' || text[at - 1] == '.' || text[at - 1] == '_');
    const size_t end = at + quant.size();
    if (begins && end < text.size() && (text[end] == '.' || text[end] == '-')) return true;
  }
  return false;
}

Error choices_error(ErrorCode code, const std::string& problem, const std::vector<RemoteFile>& choices) {
  std::string text = problem;
  for (size_t i = 0; i < choices.size() && i < kChoicesShownMax; ++i) {
    text += (i == 0 ? ": " : ", ") + choices[i].path;
  }
  if (choices.size() > kChoicesShownMax) text += ", ...";
  return {code, std::move(text), ""};
}

Result<std::vector<RemoteFile>> select_gguf(const std::vector<RemoteFile>& ggufs, std::string_view selector) {
  std::vector<RemoteFile> chosen;
  const std::string quant = lower(selector);
  for (const RemoteFile& file : ggufs) {
    const bool wanted =
        selector.empty() || (is_gguf(selector) ? file.path == selector : holds_quant(file.path, quant));
    if (wanted) chosen.push_back(file);
  }
  if (chosen.empty()) {
    if (ggufs.empty()) {
      return Error{ErrorCode::kNotFound, "the repository has neither safetensors nor GGUF files at its top",
                   ""};
    }
    return choices_error(ErrorCode::kNotFound,
                         "no file matches ':" + std::string(selector) + "'; the repository has", ggufs);
  }
  if (is_gguf_part(chosen[0].path)) {
    return Error{
        ErrorCode::kUnsupported,
        chosen[0].path + " is one of several parts, which hussar does not read; choose a file that is whole",
        ""};
  }
  if (chosen.size() == 1) return chosen;
  return choices_error(ErrorCode::kInvalid, "several files would do; name one behind a colon, as in ':q8_0'",
                       chosen);
}

// The weights that the index speaks of: "model.safetensors" or "model-00001-of-00002.safetensors"; a
// repository can hold the same weights under other names too.
bool is_weights_file(std::string_view name, bool sharded) {
  if (!sharded) return name == "model.safetensors";
  return name.starts_with("model-") && name.ends_with(".safetensors");
}

}  // namespace

bool is_model_file(std::string_view name) {
  return is_safe_file_name(name) &&
         (std::find(kDocuments.begin(), kDocuments.end(), name) != kDocuments.end() ||
          name.ends_with(".safetensors") || is_gguf(name));
}

Result<void> read_listing(HubKind hub, std::string_view json, std::vector<RemoteFile>* files) {
  const auto answer = parse_json(json, {kJsonBytesMax, kJsonDepthMax});
  if (!answer.ok()) return malformed(answer.error().message);
  const JsonArray* entries = entries_of(hub, *answer);
  if (entries == nullptr) return malformed("it holds no files");
  if (files->size() + entries->size() > kListingFilesMax) {
    return malformed("more than " + std::to_string(kListingFilesMax) + " files");
  }
  for (const Json& entry : *entries) {
    RETURN_IF_ERROR(hub == HubKind::kHuggingFace ? add_hugging_face(entry, files)
                                                 : add_model_scope(entry, files));
  }
  return {};
}

Result<std::string> read_commit(std::string_view json) {
  const auto answer = parse_json(json, {kJsonBytesMax, kJsonDepthMax});
  if (!answer.ok()) return malformed(answer.error().message);
  const std::string* sha = string_member(*answer, "sha");
  if (sha == nullptr || !make_checksum(Checksum::Kind::kGitBlobSha1, *sha).ok()) {
    return malformed("it names no commit");
  }
  return *sha;
}

std::string next_page_url(std::string_view link) {
  // <https://...>; rel="next", <https://...>; rel="last"
  for (size_t at = 0; (at = link.find('<', at)) != std::string_view::npos;) {
    const size_t end = link.find('>', at);
    if (end == std::string_view::npos) return "";
    const std::string_view rest = link.substr(end, link.find('<', end) - end);
    if (rest.find("rel=\"next\"") != std::string_view::npos)
      return std::string(link.substr(at + 1, end - at - 1));
    at = end;
  }
  return "";
}

Result<std::vector<RemoteFile>> select_files(const std::vector<RemoteFile>& files,
                                             std::string_view selector) {
  std::vector<RemoteFile> ggufs, documents, weights;
  std::set<std::string> seen;
  for (const RemoteFile& file : files) {
    if (!seen.insert(file.path).second) return malformed("'" + file.path + "' stands in it twice");
  }
  const bool sharded = seen.contains(std::string(kIndexFile));
  for (const RemoteFile& file : files) {
    if (!is_model_file(file.path)) continue;  // in a subfolder, hidden, or nothing that a model needs
    if (is_gguf(file.path)) {
      ggufs.push_back(file);
    } else if (is_weights_file(file.path, sharded)) {
      weights.push_back(file);
    } else if (!file.path.ends_with(".safetensors")) {
      documents.push_back(file);
    }
  }
  if (!selector.empty() || weights.empty() || !seen.contains("config.json"))
    return select_gguf(ggufs, selector);
  documents.insert(documents.end(), weights.begin(), weights.end());
  return documents;
}

}  // namespace hussar
