// The methods of strings.
#include <algorithm>
#include <iterator>

#include "base/utf8.h"
#include "text/jinja/format.h"
#include "text/jinja/methods.h"
#include "text/jinja/text_functions.h"

namespace hussar::jinja {
namespace {

template <Case to>
Result<Value> method_case(Runtime& runtime, const Value& self, const Arguments& arguments) {
  RETURN_IF_ERROR(bind("case", arguments, {}, 0));
  return change_case(runtime, *self.text(), to);
}

Result<Value> method_capitalize(Runtime& runtime, const Value& self, const Arguments& arguments) {
  RETURN_IF_ERROR(bind("capitalize", arguments, {}, 0));
  return capitalize(runtime, *self.text());
}

Result<Value> method_title(Runtime& runtime, const Value& self, const Arguments& arguments) {
  RETURN_IF_ERROR(bind("title", arguments, {}, 0));
  return title_letters(runtime, *self.text());
}

// Null for an absent or None argument.
Result<const Text*> optional_text(std::string_view function, const Value* argument) {
  if (argument == nullptr || argument->is<None>()) return static_cast<const Text*>(nullptr);
  return text_argument(function, *argument);
}

// Python gives the parameters of most of these methods no names.
Result<void> refuse_named(const Arguments& arguments) {
  if (arguments.named.empty()) return {};
  return type_error("the method takes no named arguments");
}

template <Side side>
Result<Value> method_strip(Runtime& runtime, const Value& self, const Arguments& arguments) {
  RETURN_IF_ERROR(refuse_named(arguments));
  ASSIGN_OR_RETURN(const auto bound, bind("strip", arguments, {"chars"}, 0));
  ASSIGN_OR_RETURN(const Text* characters, optional_text("strip", bound[0]));
  return strip(runtime, *self.text(), characters, side);
}

template <Side side_of_text>
Result<Value> method_pad(Runtime& runtime, const Value& self, const Arguments& arguments) {
  RETURN_IF_ERROR(refuse_named(arguments));
  ASSIGN_OR_RETURN(const auto bound, bind("just", arguments, {"width", "fillchar"}, 1));
  ASSIGN_OR_RETURN(const int64_t width, integer_argument("just", *bound[0]));
  const Text* fill = nullptr;
  if (bound[1] != nullptr) {
    ASSIGN_OR_RETURN(fill, text_argument("just", *bound[1]));
  }
  return pad(runtime, *self.text(), width, fill, side_of_text);
}

Result<Value> method_zfill(Runtime& runtime, const Value& self, const Arguments& arguments) {
  RETURN_IF_ERROR(refuse_named(arguments));
  ASSIGN_OR_RETURN(const auto bound, bind("zfill", arguments, {"width"}, 1));
  ASSIGN_OR_RETURN(const int64_t width, integer_argument("zfill", *bound[0]));
  const Text& text = *self.text();
  const size_t sign = text.bytes().starts_with('-') || text.bytes().starts_with('+') ? 1 : 0;
  TextBuilder builder(&runtime.budget);
  builder.append(text, 0, sign);
  for (auto size = static_cast<int64_t>(text.code_points()); size < width && !builder.failed(); ++size) {
    builder.append("0", text.origin());
  }
  builder.append(text, sign, text.size());
  ASSIGN_OR_RETURN(TextRef result, builder.finish());
  return Value(std::move(result));
}

using Split = Result<Value> (*)(Runtime&, const Text&, const Text*, int64_t);

template <Split split_text>
Result<Value> method_split(Runtime& runtime, const Value& self, const Arguments& arguments) {
  ASSIGN_OR_RETURN(const auto bound, bind("split", arguments, {"sep", "maxsplit"}, 0));
  ASSIGN_OR_RETURN(const Text* separator, optional_text("split", bound[0]));
  int64_t splits = -1;
  if (bound[1] != nullptr) {
    ASSIGN_OR_RETURN(splits, integer_argument("split", *bound[1]));
  }
  return split_text(runtime, *self.text(), separator, splits);
}

Result<Value> method_splitlines(Runtime& runtime, const Value& self, const Arguments& arguments) {
  ASSIGN_OR_RETURN(const auto bound, bind("splitlines", arguments, {"keepends"}, 0));
  const bool keep_ends = bound[0] != nullptr && bound[0]->truthy();
  ASSIGN_OR_RETURN(std::vector<Value> lines, split_lines(runtime, *self.text(), keep_ends));
  SequenceBuilder items(&runtime.budget);
  for (Value& line : lines) items.push(std::move(line));
  return items.finish(SequenceKind::kList, self.origin());
}

template <Side side>
Result<Value> method_partition(Runtime& runtime, const Value& self, const Arguments& arguments) {
  RETURN_IF_ERROR(refuse_named(arguments));
  ASSIGN_OR_RETURN(const auto bound, bind("partition", arguments, {"sep"}, 1));
  ASSIGN_OR_RETURN(const Text* separator, text_argument("partition", *bound[0]));
  if (separator->size() == 0) return type_error("a separator can't be empty");
  const Text& text = *self.text();
  const size_t work = side == Side::kRight ? text.size() / 64 * separator->size() : text.size();
  if (!runtime.budget.touch(work)) return runtime.budget.exceeded();
  const size_t match = side == Side::kLeft ? find_bytes(text.bytes(), separator->bytes(), 0)
                                           : find_bytes_back(text.bytes(), separator->bytes(), text.size());
  const bool found = match != std::string_view::npos;
  const size_t absent = side == Side::kLeft ? text.size() : 0;
  const size_t borders[] = {0, found ? match : absent, found ? match + separator->size() : absent,
                            text.size()};
  SequenceBuilder items(&runtime.budget);
  for (size_t i = 0; i < 3; ++i) {
    ASSIGN_OR_RETURN(Value part, substring(runtime, text, borders[i], borders[i + 1]));
    items.push(std::move(part));
  }
  return items.finish(SequenceKind::kTuple, self.origin());
}

Result<Value> method_replace(Runtime& runtime, const Value& self, const Arguments& arguments) {
  RETURN_IF_ERROR(refuse_named(arguments));
  ASSIGN_OR_RETURN(const auto bound, bind("replace", arguments, {"old", "new", "count"}, 2));
  ASSIGN_OR_RETURN(const Text* old_text, text_argument("replace", *bound[0]));
  ASSIGN_OR_RETURN(const Text* new_text, text_argument("replace", *bound[1]));
  int64_t count = kAll;
  if (bound[2] != nullptr) {
    ASSIGN_OR_RETURN(count, integer_argument("replace", *bound[2]));
  }
  return replace(runtime, *self.text(), *old_text, *new_text, count);
}

Result<Value> method_join(Runtime& runtime, const Value& self, const Arguments& arguments) {
  RETURN_IF_ERROR(refuse_named(arguments));
  ASSIGN_OR_RETURN(const auto bound, bind("join", arguments, {"iterable"}, 1));
  ASSIGN_OR_RETURN(const SequenceRef items, iterate(&runtime.budget, *bound[0]));
  for (const Value& item : items->items) {
    if (item.text() == nullptr) return type_error("join() needs strings");
  }
  return join(runtime, *self.text(), items->items, bound[0]->origin());
}

// The part of a text that optional start and end arguments name, as byte offsets; false when it lies behind
// the text.
struct Window {
  bool valid;
  size_t begin, end;
};

Result<Window> window(const Text& text, const Value* start, const Value* end) {
  const auto size = static_cast<int64_t>(text.code_points());
  const auto resolve = [size](const Value* value, int64_t absent) -> Result<int64_t> {
    if (value == nullptr || value->is<None>()) return absent;
    ASSIGN_OR_RETURN(const int64_t index, integer_argument("find", *value));
    return index < 0 ? std::max<int64_t>(index + size, 0) : index;
  };
  ASSIGN_OR_RETURN(const int64_t from, resolve(start, 0));
  ASSIGN_OR_RETURN(int64_t to, resolve(end, size));
  to = std::min(to, size);
  if (from > to) return Window{false, 0, 0};
  return Window{true, text.offset_of(static_cast<size_t>(from)), text.offset_of(static_cast<size_t>(to))};
}

enum class Missing { kMinusOne, kError };

template <Side side, Missing missing>
Result<Value> method_find(Runtime& runtime, const Value& self, const Arguments& arguments) {
  RETURN_IF_ERROR(refuse_named(arguments));
  ASSIGN_OR_RETURN(const auto bound, bind("find", arguments, {"sub", "start", "end"}, 1));
  ASSIGN_OR_RETURN(const Text* needle, text_argument("find", *bound[0]));
  const Text& text = *self.text();
  const size_t work = side == Side::kRight ? text.size() / 64 * (needle->size() + 1) : text.size();
  if (!runtime.budget.touch(work + text.size())) return runtime.budget.exceeded();
  ASSIGN_OR_RETURN(const Window part, window(text, bound[1], bound[2]));
  size_t match = std::string_view::npos;
  if (part.valid) {
    const std::string_view bytes = text.bytes().substr(0, part.end);
    match = side == Side::kLeft ? find_bytes(bytes, needle->bytes(), part.begin)
                                : find_bytes_back(bytes, needle->bytes(), part.end);
    if (match != std::string_view::npos && match < part.begin) match = std::string_view::npos;
  }
  if (match == std::string_view::npos) {
    if (missing == Missing::kError) return type_error("the substring is not there");
    return Value(int64_t{-1}, self.origin());
  }
  return Value(static_cast<int64_t>(text.code_points_before(match)), self.origin());
}

Result<Value> method_count(Runtime& runtime, const Value& self, const Arguments& arguments) {
  RETURN_IF_ERROR(refuse_named(arguments));
  ASSIGN_OR_RETURN(const auto bound, bind("count", arguments, {"sub", "start", "end"}, 1));
  ASSIGN_OR_RETURN(const Text* needle, text_argument("count", *bound[0]));
  const Text& text = *self.text();
  if (!runtime.budget.touch(text.size())) return runtime.budget.exceeded();
  ASSIGN_OR_RETURN(const Window part, window(text, bound[1], bound[2]));
  int64_t count = 0;
  if (part.valid && needle->size() == 0) {
    count = static_cast<int64_t>(text.code_points_before(part.end) - text.code_points_before(part.begin)) + 1;
  } else if (part.valid) {
    const std::string_view bytes = text.bytes().substr(0, part.end);
    for (size_t match = part.begin;
         (match = find_bytes(bytes, needle->bytes(), match)) != std::string_view::npos;) {
      ++count;
      match += needle->size();
    }
  }
  return Value(count, self.origin());
}

template <Side side>
Result<Value> method_begins(Runtime& runtime, const Value& self, const Arguments& arguments) {
  RETURN_IF_ERROR(refuse_named(arguments));
  ASSIGN_OR_RETURN(const auto bound, bind("startswith", arguments, {"prefix", "start", "end"}, 1));
  ASSIGN_OR_RETURN(const Window part, window(*self.text(), bound[1], bound[2]));
  const Sequence* options = bound[0]->sequence();
  const bool tuple = options != nullptr && options->kind == SequenceKind::kTuple;
  bool found = false;
  for (size_t i = 0; i < (tuple ? options->items.size() : 1); ++i) {
    ASSIGN_OR_RETURN(const Text* affix, text_argument("startswith", tuple ? options->items[i] : *bound[0]));
    if (!runtime.budget.touch(affix->size())) return runtime.budget.exceeded();
    const std::string_view bytes = self.text()->bytes().substr(part.begin, part.end - part.begin);
    found = found || (part.valid && (side == Side::kLeft ? bytes.starts_with(affix->bytes())
                                                         : bytes.ends_with(affix->bytes())));
  }
  return Value(found, self.origin());
}

template <Side side>
Result<Value> method_remove(Runtime& runtime, const Value& self, const Arguments& arguments) {
  RETURN_IF_ERROR(refuse_named(arguments));
  ASSIGN_OR_RETURN(const auto bound, bind("removeprefix", arguments, {"prefix"}, 1));
  ASSIGN_OR_RETURN(const Text* affix, text_argument("removeprefix", *bound[0]));
  const Text& text = *self.text();
  size_t begin = 0;
  size_t end = text.size();
  if (side == Side::kLeft && text.bytes().starts_with(affix->bytes())) begin = affix->size();
  if (side == Side::kRight && text.bytes().ends_with(affix->bytes())) end -= affix->size();
  return substring(runtime, text, begin, end);
}

// Whether there is a character and all of them are of a kind.
template <typename Is>
Result<Value> all_characters(Runtime& runtime, const Value& self, const Arguments& arguments, const Is& is) {
  RETURN_IF_ERROR(bind("is", arguments, {}, 0));
  const std::string_view bytes = self.text()->bytes();
  if (!runtime.budget.touch(bytes.size())) return runtime.budget.exceeded();
  bool all = !bytes.empty();
  for (size_t offset = 0; all && offset < bytes.size();) all = is(next_code_point(bytes, &offset));
  return Value(all, self.origin());
}

Result<Value> method_isspace(Runtime& runtime, const Value& self, const Arguments& arguments) {
  return all_characters(runtime, self, arguments, is_space);
}

Result<Value> method_isalpha(Runtime& runtime, const Value& self, const Arguments& arguments) {
  return all_characters(runtime, self, arguments, is_alpha);
}

Result<Value> method_isdecimal(Runtime& runtime, const Value& self, const Arguments& arguments) {
  return all_characters(runtime, self, arguments, is_decimal);
}

// Superscript digits count too.
Result<Value> method_isdigit(Runtime& runtime, const Value& self, const Arguments& arguments) {
  return all_characters(runtime, self, arguments, [](char32_t c) {
    return is_decimal(c) || c == 0xB2 || c == 0xB3 || c == 0xB9 || c == 0x2070 ||
           (c >= 0x2074 && c <= 0x2079) || (c >= 0x2080 && c <= 0x2089);
  });
}

Result<Value> method_isalnum(Runtime& runtime, const Value& self, const Arguments& arguments) {
  return all_characters(runtime, self, arguments, [](char32_t c) { return is_alpha(c) || is_numeric(c); });
}

template <Case wanted>
Result<Value> method_has_case(Runtime& runtime, const Value& self, const Arguments& arguments) {
  bool any = false;
  const auto fits = [&any](char32_t c) {
    const bool wanted_case = wanted == Case::kUpper ? is_upper(c) : is_lower(c);
    any |= wanted_case;
    return wanted_case || !(is_upper(c) || is_lower(c) || is_title(c));
  };
  ASSIGN_OR_RETURN(const Value all, all_characters(runtime, self, arguments, fits));
  return Value(all.truthy() && any, self.origin());
}

Result<Value> method_format(Runtime& runtime, const Value& self, const Arguments& arguments) {
  return format_braces(runtime, *self.text(), arguments);
}

constexpr MethodEntry kTextMethods[] = {
    {"upper", method_case<Case::kUpper>},
    {"lower", method_case<Case::kLower>},
    {"capitalize", method_capitalize},
    {"title", method_title},
    {"strip", method_strip<Side::kBoth>},
    {"lstrip", method_strip<Side::kLeft>},
    {"rstrip", method_strip<Side::kRight>},
    {"center", method_pad<Side::kBoth>},
    {"ljust", method_pad<Side::kLeft>},
    {"rjust", method_pad<Side::kRight>},
    {"zfill", method_zfill},
    {"split", method_split<split>},
    {"rsplit", method_split<split_right>},
    {"splitlines", method_splitlines},
    {"partition", method_partition<Side::kLeft>},
    {"rpartition", method_partition<Side::kRight>},
    {"replace", method_replace},
    {"join", method_join},
    {"find", method_find<Side::kLeft, Missing::kMinusOne>},
    {"rfind", method_find<Side::kRight, Missing::kMinusOne>},
    {"index", method_find<Side::kLeft, Missing::kError>},
    {"rindex", method_find<Side::kRight, Missing::kError>},
    {"count", method_count},
    {"startswith", method_begins<Side::kLeft>},
    {"endswith", method_begins<Side::kRight>},
    {"removeprefix", method_remove<Side::kLeft>},
    {"removesuffix", method_remove<Side::kRight>},
    {"isspace", method_isspace},
    {"isalpha", method_isalpha},
    {"isdecimal", method_isdecimal},
    {"isdigit", method_isdigit},
    {"isalnum", method_isalnum},
    {"isupper", method_has_case<Case::kUpper>},
    {"islower", method_has_case<Case::kLower>},
    {"format", method_format},
    {"casefold", nullptr},
    {"encode", nullptr},
    {"expandtabs", nullptr},
    {"format_map", nullptr},
    {"isascii", nullptr},
    {"isidentifier", nullptr},
    {"isnumeric", nullptr},
    {"isprintable", nullptr},
    {"istitle", nullptr},
    {"maketrans", nullptr},
    {"swapcase", nullptr},
    {"translate", nullptr},
};

}  // namespace

const MethodEntry* find_text_method(std::string_view name) {
  const auto found = std::find_if(std::begin(kTextMethods), std::end(kTextMethods),
                                  [name](const MethodEntry& entry) { return entry.name == name; });
  return found == std::end(kTextMethods) ? nullptr : &*found;
}

}  // namespace hussar::jinja
