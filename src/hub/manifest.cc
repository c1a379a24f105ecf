#include "hub/manifest.h"

#include "base/json.h"
#include "hub/digest.h"
#include "hub/listing.h"
#include "hub/names.h"

namespace hussar {
namespace {

constexpr int64_t kFormat = 1;

Result<std::string> text_member(const Json& object, std::string_view key) {
  const Json* member = object.find(key);
  const std::string* text = member != nullptr ? member->as_string() : nullptr;
  if (text == nullptr) return Error{ErrorCode::kInvalid, "no text '" + std::string(key) + "'", ""};
  return *text;
}

Result<ManifestFile> parse_file(const Json& entry) {
  ManifestFile file;
  ASSIGN_OR_RETURN(file.name, text_member(entry, "name"));
  ASSIGN_OR_RETURN(file.sha256, text_member(entry, "sha256"));
  const Json* size = entry.find("size");
  const int64_t* bytes = size != nullptr ? size->as_int() : nullptr;
  if (!is_model_file(file.name) || bytes == nullptr || *bytes < 0 ||
      !make_checksum(Checksum::Kind::kSha256, file.sha256).ok()) {
    return Error{ErrorCode::kInvalid, "an entry of 'files' is malformed", ""};
  }
  file.size_bytes = *bytes;
  return file;
}

}  // namespace

int64_t Manifest::size_bytes() const {
  int64_t sum = 0;
  for (const ManifestFile& file : files) sum += file.size_bytes;
  return sum;
}

std::string Manifest::gguf_file() const {
  if (files.size() != 1) return "";
  return files[0].name.ends_with("safetensors") ? "" : files[0].name;
}

std::string write_manifest(const Manifest& manifest) {
  JsonArray files;
  for (const ManifestFile& file : manifest.files) {
    files.push_back(JsonObject{{"name", file.name}, {"size", file.size_bytes}, {"sha256", file.sha256}});
  }
  return write_json(JsonObject{{"format", kFormat},
                               {"name", manifest.name},
                               {"source", manifest.source},
                               {"repository", manifest.repository},
                               {"revision", manifest.revision},
                               {"pulled_at", manifest.pulled_at},
                               {"files", std::move(files)}}) +
         "\n";
}

Result<Manifest> parse_manifest(std::string_view json) {
  ASSIGN_OR_RETURN(const Json root, parse_json(json, {}));
  const Json* format = root.find("format");
  if (format == nullptr || format->as_int() == nullptr || *format->as_int() != kFormat) {
    return Error{ErrorCode::kInvalid, "not a manifest of format 1", ""};
  }
  Manifest manifest;
  ASSIGN_OR_RETURN(manifest.name, text_member(root, "name"));
  ASSIGN_OR_RETURN(manifest.source, text_member(root, "source"));
  ASSIGN_OR_RETURN(manifest.repository, text_member(root, "repository"));
  ASSIGN_OR_RETURN(manifest.revision, text_member(root, "revision"));
  ASSIGN_OR_RETURN(manifest.pulled_at, text_member(root, "pulled_at"));
  const Json* files = root.find("files");
  const JsonArray* entries = files != nullptr ? files->as_array() : nullptr;
  if (entries == nullptr || entries->empty()) return Error{ErrorCode::kInvalid, "no 'files'", ""};
  for (const Json& entry : *entries) {
    ASSIGN_OR_RETURN(ManifestFile file, parse_file(entry));
    manifest.files.push_back(std::move(file));
  }
  return manifest;
}

}  // namespace hussar
