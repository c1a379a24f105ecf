#include <algorithm>

#include "text/jinja/filter_tables.h"
#include "text/jinja/format.h"
#include "text/jinja/text_functions.h"

namespace hussar::jinja {
namespace {

Result<void> no_arguments(const char* name, const Arguments& arguments) {
  RETURN_IF_ERROR(bind(name, arguments, {}, 0));
  return {};
}

Result<Value> filter_upper(Runtime& runtime, const Value& value, const Arguments& arguments) {
  RETURN_IF_ERROR(no_arguments("upper", arguments));
  ASSIGN_OR_RETURN(const TextRef text, to_text(runtime, value));
  return change_case(runtime, *text, Case::kUpper);
}

Result<Value> filter_lower(Runtime& runtime, const Value& value, const Arguments& arguments) {
  RETURN_IF_ERROR(no_arguments("lower", arguments));
  ASSIGN_OR_RETURN(const TextRef text, to_text(runtime, value));
  return change_case(runtime, *text, Case::kLower);
}

Result<Value> filter_capitalize(Runtime& runtime, const Value& value, const Arguments& arguments) {
  RETURN_IF_ERROR(no_arguments("capitalize", arguments));
  ASSIGN_OR_RETURN(const TextRef text, to_text(runtime, value));
  return capitalize(runtime, *text);
}

Result<Value> filter_title(Runtime& runtime, const Value& value, const Arguments& arguments) {
  RETURN_IF_ERROR(no_arguments("title", arguments));
  ASSIGN_OR_RETURN(const TextRef text, to_text(runtime, value));
  return title_words(runtime, *text);
}

Result<Value> filter_string(Runtime& runtime, const Value& value, const Arguments& arguments) {
  RETURN_IF_ERROR(no_arguments("string", arguments));
  ASSIGN_OR_RETURN(TextRef text, to_text(runtime, value));
  return Value(std::move(text));
}

Result<Value> filter_trim(Runtime& runtime, const Value& value, const Arguments& arguments) {
  ASSIGN_OR_RETURN(const auto bound, bind("trim", arguments, {"chars"}, 0));
  ASSIGN_OR_RETURN(const TextRef text, to_text(runtime, value));
  const Text* characters = nullptr;
  if (bound[0] != nullptr && !bound[0]->is<None>()) {
    ASSIGN_OR_RETURN(characters, text_argument("trim", *bound[0]));
  }
  return strip(runtime, *text, characters, Side::kBoth);
}

Result<Value> filter_replace(Runtime& runtime, const Value& value, const Arguments& arguments) {
  ASSIGN_OR_RETURN(const auto bound, bind("replace", arguments, {"old", "new", "count"}, 2));
  ASSIGN_OR_RETURN(const TextRef text, to_text(runtime, value));
  ASSIGN_OR_RETURN(const TextRef old_text, to_text(runtime, *bound[0]));
  ASSIGN_OR_RETURN(const TextRef new_text, to_text(runtime, *bound[1]));
  int64_t count = kAll;
  if (bound[2] != nullptr && !bound[2]->is<None>()) {
    ASSIGN_OR_RETURN(count, integer_argument("replace", *bound[2]));
  }
  return replace(runtime, *text, *old_text, *new_text, count);
}

Result<Value> filter_center(Runtime& runtime, const Value& value, const Arguments& arguments) {
  ASSIGN_OR_RETURN(const auto bound, bind("center", arguments, {"width"}, 0));
  ASSIGN_OR_RETURN(const TextRef text, to_text(runtime, value));
  int64_t width = 80;
  if (bound[0] != nullptr) {
    ASSIGN_OR_RETURN(width, integer_argument("center", *bound[0]));
  }
  return pad(runtime, *text, width, nullptr, Side::kBoth);
}

// The result is a plain string: nothing here escapes text by itself, so that there is no "safe" kind of it.
Result<Value> filter_escape(Runtime& runtime, const Value& value, const Arguments& arguments) {
  constexpr std::pair<std::string_view, std::string_view> kEscapes[] = {
      {"&", "&amp;"}, {"<", "&lt;"}, {">", "&gt;"}, {"'", "&#39;"}, {"\"", "&#34;"}};
  RETURN_IF_ERROR(no_arguments("escape", arguments));
  ASSIGN_OR_RETURN(const TextRef text, to_text(runtime, value));
  Value result(text);
  for (const auto& [character, escape] : kEscapes) {
    const Text from(std::string(character), {}, Charge());
    const Text to(std::string(escape), {}, Charge());
    ASSIGN_OR_RETURN(result, replace(runtime, *result.text(), from, to, kAll));
  }
  return result;
}

Result<Value> filter_format(Runtime& runtime, const Value& value, const Arguments& arguments) {
  ASSIGN_OR_RETURN(const TextRef text, to_text(runtime, value));
  if (!arguments.positional.empty() && !arguments.named.empty()) {
    return type_error("format can't take positional and named arguments at once");
  }
  if (!arguments.named.empty()) {
    DictBuilder dict(&runtime.budget);
    for (const auto& [name, argument] : arguments.named) {
      ASSIGN_OR_RETURN(Value key, make_text(&runtime.budget, name, Origin::kTemplate));
      RETURN_IF_ERROR(dict.set(std::move(key), argument));
    }
    ASSIGN_OR_RETURN(const Value mapping, dict.finish(arguments.origin()));
    return format_percent(runtime, *text, mapping);
  }
  SequenceBuilder items(&runtime.budget);
  for (const Value& argument : arguments.positional) items.push(argument);
  ASSIGN_OR_RETURN(const Value tuple, items.finish(SequenceKind::kTuple, arguments.origin()));
  return format_percent(runtime, *text, tuple);
}

Result<Value> filter_indent(Runtime& runtime, const Value& value, const Arguments& arguments) {
  ASSIGN_OR_RETURN(const auto bound, bind("indent", arguments, {"width", "first", "blank"}, 0));
  ASSIGN_OR_RETURN(const Text* text, text_argument("indent", value));
  Value indentation;
  if (bound[0] != nullptr && bound[0]->text() != nullptr) {
    indentation = *bound[0];
  } else {
    int64_t width = 4;
    if (bound[0] != nullptr) {
      ASSIGN_OR_RETURN(width, integer_argument("indent", *bound[0]));
    }
    const Text nothing("", {}, Charge());
    ASSIGN_OR_RETURN(indentation, pad(runtime, nothing, width, nullptr, Side::kLeft));
  }
  // jinja2 appends a newline before it splits, so that a last line that is complete is followed by an empty
  // one.
  TextBuilder with_newline(&runtime.budget);
  with_newline.append(*text);
  with_newline.append("\n", text->origin());
  ASSIGN_OR_RETURN(const TextRef source, with_newline.finish());
  ASSIGN_OR_RETURN(const std::vector<Value> lines, split_lines(runtime, *source, false));
  const Origin place = text->origin();
  const auto append = [place](const Text& inserted, TextBuilder* out) {
    place == Origin::kForeign ? out->append(inserted.bytes(), Origin::kForeign) : out->append(inserted);
  };
  TextBuilder out(&runtime.budget);
  for (size_t i = 0; i < lines.size() && !out.failed(); ++i) {
    if (i > 0) out.append("\n", place);
    const bool indented = i == 0 ? flag(bound[1]) : flag(bound[2]) || lines[i].text()->size() != 0;
    if (indented) append(*indentation.text(), &out);
    out.append(*lines[i].text());
  }
  ASSIGN_OR_RETURN(TextRef result, out.finish());
  return Value(std::move(result));
}

Result<Value> filter_tojson(Runtime& runtime, const Value& value, const Arguments& arguments) {
  ASSIGN_OR_RETURN(const auto bound,
                   bind("tojson", arguments, {"ensure_ascii", "indent", "separators", "sort_keys"}, 0));
  JsonStyle style;
  style.ensure_ascii = flag(bound[0]);
  style.sort_keys = flag(bound[3]);
  if (bound[1] != nullptr && !bound[1]->is<None>()) {
    if (bound[1]->text() != nullptr) {
      style.indent.emplace(bound[1]->text()->bytes());
    } else {
      constexpr int64_t kIndentMax = 256;
      ASSIGN_OR_RETURN(const int64_t width, integer_argument("tojson", *bound[1]));
      if (width > kIndentMax) return unsupported("tojson's indent is too large");
      style.indent.emplace(static_cast<size_t>(std::max<int64_t>(width, 0)), ' ');
    }
    style.item_separator = ",";
  }
  if (bound[2] != nullptr && !bound[2]->is<None>()) {
    const Sequence* separators = bound[2]->list_or_tuple();
    const bool fits = separators != nullptr && separators->items.size() == 2 &&
                      separators->items[0].text() != nullptr && separators->items[1].text() != nullptr;
    if (!fits) return type_error("tojson's separators must be two strings");
    style.item_separator = separators->items[0].text()->bytes();
    style.key_separator = separators->items[1].text()->bytes();
  }
  TextBuilder out(&runtime.budget);
  RETURN_IF_ERROR(append_json(runtime, value, style, &out));
  ASSIGN_OR_RETURN(TextRef text, out.finish());
  return Value(std::move(text));
}

constexpr Filter kTextFilters[] = {
    {"upper", filter_upper},   {"lower", filter_lower},   {"capitalize", filter_capitalize},
    {"title", filter_title},   {"string", filter_string}, {"safe", filter_string},
    {"trim", filter_trim},     {"center", filter_center}, {"replace", filter_replace},
    {"escape", filter_escape}, {"e", filter_escape},      {"forceescape", filter_escape},
    {"format", filter_format}, {"indent", filter_indent}, {"tojson", filter_tojson},
};

}  // namespace

std::span<const Filter> text_filters() { return kTextFilters; }

}  // namespace hussar::jinja
