// What a hub says a repository holds, read from its JSON, and which of it a model needs. No network here.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "hub/digest.h"

namespace hussar {

enum class HubKind : uint8_t { kHuggingFace, kModelScope };

struct RemoteFile {
  std::string path;
  int64_t size_bytes = 0;
  Checksum checksum;
};

// More files than this make a listing unusable.
constexpr size_t kListingFilesMax = 20'000;

// Appends the files of one page of a listing; folders are left out. Errors: kInvalid naming what is
// malformed, a path that would leave the model's folder included.
Result<void> read_listing(HubKind hub, std::string_view json, std::vector<RemoteFile>* files);

// The commit in Hugging Face's answer about a revision.
Result<std::string> read_commit(std::string_view json);

// The URL behind rel="next" of a Link header; empty when there is none.
std::string next_page_url(std::string_view link);

// The files to bring, in an order that brings small ones first. Without a selector: a safetensors model's
// weights and JSON, or the one GGUF file. A selector names a GGUF file, whole ("model-q8_0.gguf") or by
// quantisation ("q8_0"). Errors: kNotFound, kInvalid (ambiguous: lists the choices), kUnsupported (a GGUF
// file in parts).
Result<std::vector<RemoteFile>> select_files(const std::vector<RemoteFile>& files, std::string_view selector);

// True for what select_files can choose: a file of a model.
bool is_model_file(std::string_view name);

}  // namespace hussar
