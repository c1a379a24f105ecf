// What a model is called: a name from the catalog or a repository on a hub, and perhaps which of its files.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace hussar {

// "qwen2.5-0.5b-instruct-gguf:q8_0" or "owner/repo:file.gguf".
struct ModelName {
  std::string base;      // "qwen2.5-0.5b-instruct-gguf" or "owner/repo"
  std::string selector;  // what stands behind the colon: a file, or a quantisation; may be empty

  bool is_repository() const { return base.find('/') != std::string::npos; }
  std::string text() const { return selector.empty() ? base : base + ":" + selector; }
  // The model's folder inside the models' folder: one component, different for different names.
  std::string folder() const;
};

// Names without an owner, and quantisations, are made lower case. Errors: kInvalid, saying how a name looks.
Result<ModelName> parse_model_name(std::string_view text);

// True for a file name that may be created in a model's folder: one component, no leading dot, printable
// ASCII without characters that mean something to a path or a shell's eye ('/', '\\', ':', quotes, spaces),
// at most 200 bytes.
bool is_safe_file_name(std::string_view name);

// True where a path from a hub tries to leave its folder or to fool a reader: absolute, a "..", "." or empty
// part, a control character, or over 1,024 bytes. Others may still be no safe file name.
bool is_hostile_path(std::string_view path);

// "main", "master", a tag or a commit: letters, digits and -._ and '/', at most 128 bytes, no "..".
bool is_safe_revision(std::string_view revision);

// Percent-encodes all but unreserved characters; '/' stays where `keep_slash`.
enum class Slash { kKeep, kEscape };
std::string escape_url(std::string_view text, Slash slash);

}  // namespace hussar
