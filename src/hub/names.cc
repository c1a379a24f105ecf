#include "hub/names.h"

#include <algorithm>
#include <cctype>

namespace hussar {
namespace {

constexpr size_t kPartBytesMax = 96;
constexpr size_t kFileNameBytesMax = 200;
constexpr size_t kPathBytesMax = 1024;
constexpr size_t kRevisionBytesMax = 128;

bool is_word_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
         c == '.';
}

// A part of a name: what hubs allow in owners and repositories. It never begins with a dot or a dash, so that
// it is neither hidden nor taken for a flag.
bool is_name_part(std::string_view part) {
  return !part.empty() && part.size() <= kPartBytesMax && part[0] != '.' && part[0] != '-' &&
         std::all_of(part.begin(), part.end(), is_word_char);
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return out;
}

}  // namespace

std::string ModelName::folder() const {
  // '+' and '@' can't stand in a name, so that no two names share a folder.
  std::string folder = text();
  std::replace(folder.begin(), folder.end(), '/', '+');
  std::replace(folder.begin(), folder.end(), ':', '@');
  return folder;
}

Result<ModelName> parse_model_name(std::string_view text) {
  const size_t colon = text.find(':');
  const std::string_view base = text.substr(0, colon);
  const std::string_view selector = colon == std::string_view::npos ? "" : text.substr(colon + 1);
  const size_t slash = base.find('/');
  const std::string_view owner = base.substr(0, slash);
  const std::string_view repository = slash == std::string_view::npos ? "repository" : base.substr(slash + 1);
  const bool selector_fits =
      colon == std::string_view::npos || (is_name_part(selector) && is_safe_file_name(selector));
  if (!is_name_part(owner) || !is_name_part(repository) || !selector_fits) {
    return Error{ErrorCode::kInvalid,
                 "not a model's name; names look like qwen2.5-0.5b-instruct, "
                 "qwen2.5-0.5b-instruct-gguf:q8_0 or owner/repository:file.gguf",
                 ""};
  }
  ModelName name{std::string(base), std::string(selector)};
  if (!name.is_repository()) name.base = lower(base);
  if (!lower(selector).ends_with(".gguf")) name.selector = lower(selector);
  return name;
}

bool is_safe_file_name(std::string_view name) {
  constexpr std::string_view kRefused = R"(/\:*?"'<>|`$&;#%~!{}[] )";
  return !name.empty() && name.size() <= kFileNameBytesMax && name[0] != '.' && name[0] != '-' &&
         std::all_of(name.begin(), name.end(), [kRefused](char c) {
           return c > ' ' && c < 0x7F && kRefused.find(c) == std::string_view::npos;
         });
}

bool is_hostile_path(std::string_view path) {
  if (path.empty() || path.size() > kPathBytesMax) return true;
  for (const char c : path) {
    if (static_cast<unsigned char>(c) < ' ' || c == 0x7F) return true;
  }
  for (size_t begin = 0; begin <= path.size();) {
    const size_t end = std::min(path.find('/', begin), path.size());
    const std::string_view part = path.substr(begin, end - begin);
    if (part.empty() || part == "." || part == "..") return true;
    begin = end + 1;
  }
  return false;
}

bool is_safe_revision(std::string_view revision) {
  if (revision.empty() || revision.size() > kRevisionBytesMax || revision[0] == '-') return false;
  return revision.find("..") == std::string_view::npos &&
         std::all_of(revision.begin(), revision.end(), [](char c) { return is_word_char(c) || c == '/'; });
}

std::string escape_url(std::string_view text, Slash slash) {
  constexpr char kHex[] = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    if (is_word_char(c) || c == '~' || (c == '/' && slash == Slash::kKeep)) {
      out += c;
    } else {
      const auto byte = static_cast<unsigned char>(c);
      out += {'%', kHex[byte >> 4], kHex[byte & 15]};
    }
  }
  return out;
}

}  // namespace hussar
