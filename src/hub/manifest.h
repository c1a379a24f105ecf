// What was pulled: written last into a model's folder, as manifest.json. A folder without one is no model.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace hussar {

struct ManifestFile {
  std::string name;
  int64_t size_bytes = 0;
  std::string sha256;
};

struct Manifest {
  std::string name;        // as the user calls it
  std::string source;      // the hub's URL
  std::string repository;  // there
  std::string revision;    // the commit where the hub says it
  std::string pulled_at;   // "2026-01-31T12:00:00Z"
  std::vector<ManifestFile> files;

  int64_t size_bytes() const;
  // The one GGUF file, or empty: then the folder is the model.
  std::string gguf_file() const;
};

std::string write_manifest(const Manifest& manifest);

// Every field checked: the files' names can't leave the folder. Errors: kInvalid naming what is wrong.
Result<Manifest> parse_manifest(std::string_view json);

}  // namespace hussar
