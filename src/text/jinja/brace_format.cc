// str.format.
#include <algorithm>

#include "text/jinja/format.h"
#include "text/jinja/literals.h"

namespace hussar::jinja {
namespace {

enum class Numbering { kUnknown, kAutomatic, kManual };

struct FieldReader {
  const Arguments& arguments;
  Numbering numbering = Numbering::kUnknown;
  size_t next = 0;

  Result<Value> find(std::string_view name);
};

Result<Value> FieldReader::find(std::string_view name) {
  const bool digits = !name.empty() && name.find_first_not_of("0123456789") == std::string_view::npos;
  if (name.empty() || digits) {
    const Numbering wanted = digits ? Numbering::kManual : Numbering::kAutomatic;
    if (numbering != Numbering::kUnknown && numbering != wanted)
      return type_error("format() mixes {} and {0}");
    numbering = wanted;
    std::optional<int64_t> index = static_cast<int64_t>(next++);
    if (digits) {
      ASSIGN_OR_RETURN(index, parse_integer(name, 10));
    }
    if (*index >= static_cast<int64_t>(arguments.positional.size()))
      return type_error("format() has too few arguments");
    return arguments.positional[static_cast<size_t>(*index)];
  }
  const auto named = std::find_if(arguments.named.begin(), arguments.named.end(),
                                  [name](const auto& entry) { return entry.first == name; });
  if (named == arguments.named.end())
    return type_error("format() has no argument '" + std::string(name) + "'");
  return named->second;
}

Result<void> append_field(std::string_view field, FieldReader* reader, Origin origin, TextBuilder* out) {
  const size_t conversion = field.find('!');
  const std::string_view name = field.substr(0, conversion);
  const std::string_view kind = conversion == std::string_view::npos ? "!s" : field.substr(conversion);
  const bool simple =
      name.find_first_of(".[{") == std::string_view::npos && field.find(':') == std::string_view::npos;
  if (!simple || (kind != "!s" && kind != "!r")) {
    return unsupported("format() only supports simple fields: {}, {0}, {name}");
  }
  ASSIGN_OR_RETURN(Value value, reader->find(name));
  if (value.text() == nullptr) value = value.with_origin(origin);
  return kind == "!r" ? append_repr(value, out) : append_str(value, out);
}

}  // namespace

Result<Value> format_braces(Runtime& runtime, const Text& format, const Arguments& arguments) {
  const std::string_view bytes = format.bytes();
  TextBuilder out(&runtime.budget);
  FieldReader reader{arguments, Numbering::kUnknown, 0};
  for (size_t position = 0; position < bytes.size() && !out.failed();) {
    const size_t brace = std::min(bytes.find_first_of("{}", position), bytes.size());
    out.append(format, position, brace);
    if (brace == bytes.size()) break;
    if (!runtime.budget.step()) return runtime.budget.exceeded();
    if (brace + 1 < bytes.size() && bytes[brace + 1] == bytes[brace]) {
      out.append(format, brace, brace + 1);
      position = brace + 2;
      continue;
    }
    const size_t close = bytes.find('}', brace);
    if (bytes[brace] == '}' || close == std::string_view::npos)
      return type_error("format() has a brace without its pair");
    RETURN_IF_ERROR(append_field(bytes.substr(brace + 1, close - brace - 1), &reader, format.origin(), &out));
    position = close + 1;
  }
  ASSIGN_OR_RETURN(TextRef text, out.finish());
  return Value(std::move(text));
}

}  // namespace hussar::jinja
