#include "base/flags.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <cstdio>
#include <functional>
#include <limits>
#include <optional>

namespace hussar {
namespace {

constexpr size_t kColumns = 80;
constexpr size_t kLeftColumnsMax = 32;  // a longer name pushes its help to the next line

Error flag_error(const std::string& name, const std::string& message) {
  return Error{ErrorCode::kInvalid, name + ": " + message, name};
}

std::string to_text(double value) {
  char buffer[32];
  return {buffer, std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::general).ptr};
}
std::string to_text(int64_t value) { return std::to_string(value); }

template <typename Number>
bool is_open(Number max) {
  return max == std::numeric_limits<Number>::max() || max == std::numeric_limits<Number>::infinity();
}

// For an error line; the help has a shorter form.
template <typename Number>
std::string range_text(Number min, Number max) {
  return is_open(max) ? "at least " + to_text(min) : to_text(min) + " to " + to_text(max);
}
template <typename Number>
std::string range_note(Number min, Number max) {
  return to_text(min) + ".." + (is_open(max) ? "" : to_text(max));
}

// The whole of `text` as a number, or nothing.
template <typename Number>
std::optional<Number> read_number(std::string_view text) {
  Number number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error == std::errc::result_out_of_range) {
    // Outside of any range that a flag can have; the sign says on which side.
    return text[0] == '-' ? std::numeric_limits<Number>::lowest() : std::numeric_limits<Number>::max();
  }
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

template <typename Number>
Result<Number> parse_number(const std::string& name, const std::string& text, Number min, Number max) {
  const auto number = read_number<Number>(text);
  if (!number) {
    const bool whole = std::numeric_limits<Number>::is_integer;
    return flag_error(name, "'" + text + "' is not a " + (whole ? "whole number" : "number"));
  }
  if (!(*number >= min && *number <= max)) {  // so written that NaN is refused too
    return flag_error(name, text + " is out of range " + range_text(min, max));
  }
  return *number;
}

std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find(separator, begin), text.size());
    parts.emplace_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return parts;
}

std::string join(const std::vector<std::string>& parts, std::string_view separator) {
  std::string text;
  for (size_t i = 0; i < parts.size(); ++i) text.append(i > 0 ? separator : "").append(parts[i]);
  return text;
}

// Appends `text` word by word, from column `column` on, with `indent` spaces at the front of each further
// line.
void append_wrapped(std::string_view text, size_t column, size_t indent, std::string* out) {
  bool first = true;
  for (const std::string& word : split(text, ' ')) {
    if (!first && column + 1 + word.size() > kColumns) {
      out->append("\n").append(indent, ' ');
      column = indent;
    } else if (!first) {
      *out += ' ';
      ++column;
    }
    *out += word;
    column += word.size();
    first = false;
  }
  *out += '\n';
}

}  // namespace

struct FlagTable::Impl {
  struct Flag {
    std::string name;
    std::string metavar;  // empty: a switch
    std::string help;     // with default and range
    Presence presence;
    std::function<Result<void>(const std::string&)> store;
    CLI::Option* option;
    bool several = false;
  };
  struct Positionals {
    std::string metavar, help;
    std::vector<std::string>* values;
    size_t count_max;
  };

  void add(std::string_view name, std::string_view metavar, std::string_view help, Presence presence,
           std::function<Result<void>(const std::string&)> store) {
    CLI::Option* option =
        metavar.empty() ? app.add_flag(std::string(name)) : app.add_option(std::string(name));
    option->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);  // given twice: our own error says so
    flags.push_back({std::string(name), std::string(metavar), std::string(help), presence, std::move(store),
                     option, false});
  }

  std::string see_help() const { return "'hussar " + command + " --help' lists the flags"; }
  bool is_flag(std::string_view word) const {
    return std::any_of(flags.begin(), flags.end(), [word](const Flag& flag) { return flag.name == word; });
  }
  Result<void> check_values_present(const std::vector<std::string>& words) const;
  Result<void> store_flag(const Flag& flag) const;
  Result<void> store_positionals(const std::vector<std::string>& rest, const std::vector<std::string>& after);
  std::string usage() const;

  CLI::App app;  // takes the words apart; what they mean is checked here, so that all errors read alike
  std::string command, purpose, example;
  std::vector<Flag> flags;
  std::optional<Positionals> positionals;
};

FlagTable::FlagTable(std::string_view command, std::string_view purpose, std::string_view example)
    : impl_(new Impl) {
  impl_->command = command;
  impl_->purpose = purpose;
  impl_->example = example;
  impl_->app.set_help_flag("");
  impl_->app.allow_extras();
}

FlagTable::~FlagTable() { delete impl_; }

void FlagTable::add_string(std::string_view name, std::string* value, std::string_view metavar,
                           std::string_view help, Presence presence) {
  const std::string note = presence == kRequired ? " [required]" : value->empty() ? "" : " [" + *value + "]";
  impl_->add(name, metavar, std::string(help) + note, presence,
             [value](const std::string& text) -> Result<void> {
               *value = text;
               return {};
             });
}

void FlagTable::add_strings(std::string_view name, std::vector<std::string>* values, std::string_view metavar,
                            std::string_view help) {
  impl_->add(name, metavar, std::string(help) + " [may be repeated]", kOptional,
             [values](const std::string& text) -> Result<void> {
               values->push_back(text);
               return {};
             });
  impl_->flags.back().several = true;
}

void FlagTable::add_int(std::string_view name, int64_t* value, int64_t min, int64_t max,
                        std::string_view help) {
  const std::string note = " [" + to_text(*value) + "; " + range_note(min, max) + "]";
  impl_->add(name, "N", std::string(help) + note, kOptional,
             [value, min, max, flag = std::string(name)](const std::string& text) -> Result<void> {
               ASSIGN_OR_RETURN(*value, parse_number<int64_t>(flag, text, min, max));
               return {};
             });
}

void FlagTable::add_double(std::string_view name, double* value, double min, double max,
                           std::string_view help) {
  const std::string note = " [" + to_text(*value) + "; " + range_note(min, max) + "]";
  impl_->add(name, "X", std::string(help) + note, kOptional,
             [value, min, max, flag = std::string(name)](const std::string& text) -> Result<void> {
               ASSIGN_OR_RETURN(*value, parse_number<double>(flag, text, min, max));
               return {};
             });
}

void FlagTable::add_switch(std::string_view name, bool* value, std::string_view help) {
  impl_->add(name, "", help, kOptional,
             [value, flag = std::string(name)](const std::string& text) -> Result<void> {
               if (text != "true") return flag_error(flag, "takes no value");
               *value = true;
               return {};
             });
}

void FlagTable::add_choice(std::string_view name, std::string* value, const std::vector<std::string>& choices,
                           std::string_view help) {
  const std::string note = " [" + *value + "; " + join(choices, "|") + "]";
  impl_->add(name, "NAME", std::string(help) + note, kOptional,
             [value, choices, flag = std::string(name)](const std::string& text) -> Result<void> {
               if (std::find(choices.begin(), choices.end(), text) == choices.end()) {
                 return flag_error(flag, "'" + text + "' is not one of " + join(choices, ", "));
               }
               *value = text;
               return {};
             });
}

void FlagTable::add_int_list(std::string_view name, std::vector<int64_t>* values, int64_t min, int64_t max,
                             std::string_view help) {
  std::vector<std::string> defaults;
  for (const int64_t value : *values) defaults.push_back(to_text(value));
  const std::string note = " [" + join(defaults, ",") + "; " + range_note(min, max) + "]";
  impl_->add(name, "N,...", std::string(help) + note, kOptional,
             [values, min, max, flag = std::string(name)](const std::string& text) -> Result<void> {
               std::vector<int64_t> parsed;
               for (const std::string& part : split(text, ',')) {
                 ASSIGN_OR_RETURN(const int64_t number, parse_number<int64_t>(flag, part, min, max));
                 parsed.push_back(number);
               }
               *values = std::move(parsed);
               return {};
             });
}

void FlagTable::add_positionals(std::string_view metavar, std::vector<std::string>* values, int32_t count_max,
                                std::string_view help) {
  impl_->positionals = {std::string(metavar), std::string(help), values, static_cast<size_t>(count_max)};
}

// A flag at the end, a flag in front of another flag, or "--name=": CLI11 would take the next word, whatever
// it is.
Result<void> FlagTable::Impl::check_values_present(const std::vector<std::string>& words) const {
  for (size_t i = 0; i < words.size(); ++i) {
    for (const Flag& flag : flags) {
      if (flag.metavar.empty()) continue;
      const bool bare = words[i] == flag.name && (i + 1 == words.size() || is_flag(words[i + 1]));
      if (bare || words[i] == flag.name + "=")
        return flag_error(flag.name, "needs a value (" + flag.metavar + ")");
      if (words[i] == flag.name) ++i;  // its value, which is no flag
      if (i == words.size()) break;
    }
  }
  return {};
}

Result<void> FlagTable::Impl::store_flag(const Flag& flag) const {
  const auto& results = flag.option->results();
  if (results.size() > 1 && !flag.several) return flag_error(flag.name, "is given more than once");
  for (const std::string& result : results) RETURN_IF_ERROR(flag.store(result));
  if (!results.empty() || flag.presence == kOptional) return {};
  return flag_error(flag.name, "is missing; " + see_help());
}

Result<void> FlagTable::Impl::store_positionals(const std::vector<std::string>& rest,
                                                const std::vector<std::string>& after) {
  for (const std::string& word : rest) {
    const bool number = word.size() > 1 && word[1] >= '0' && word[1] <= '9';
    if (word.size() > 1 && word[0] == '-' && !number) {
      const std::string name = word.substr(0, word.find('='));
      return Error{ErrorCode::kInvalid, "unknown flag " + name + "; " + see_help(), name};
    }
  }
  std::vector<std::string> words = rest;
  words.insert(words.end(), after.begin(), after.end());
  const size_t count_max = positionals ? positionals->count_max : 0;
  if (words.size() > count_max) {
    return Error{ErrorCode::kInvalid, "unexpected word '" + words[count_max] + "'; " + see_help(), ""};
  }
  if (positionals) *positionals->values = std::move(words);
  return {};
}

Result<FlagTable::Outcome> FlagTable::parse(const std::vector<std::string>& args) {
  // What stands behind "--" is never a flag.
  const auto mark = std::find(args.begin(), args.end(), "--");
  std::vector<std::string> words(args.begin(), mark);
  const std::vector<std::string> after(mark == args.end() ? mark : mark + 1, args.end());
  for (const char* help_flag : {"--help", "-h"}) {
    if (std::find(words.begin(), words.end(), help_flag) == words.end()) continue;
    std::fputs(help().c_str(), stdout);
    return Outcome::kHelpShown;
  }
  RETURN_IF_ERROR(impl_->check_values_present(words));
  std::reverse(words.begin(), words.end());  // CLI11 takes them from the back
  try {
    impl_->app.parse(words);
  } catch (const CLI::Error& error) {
    return Error{ErrorCode::kInvalid, std::string(error.what()) + "; " + impl_->see_help(), ""};
  }
  RETURN_IF_ERROR(impl_->store_positionals(impl_->app.remaining(), after));
  for (const Impl::Flag& flag : impl_->flags) RETURN_IF_ERROR(impl_->store_flag(flag));
  return Outcome::kRun;
}

bool FlagTable::given(std::string_view name) const {
  const auto flag = std::find_if(impl_->flags.begin(), impl_->flags.end(),
                                 [name](const Impl::Flag& f) { return f.name == name; });
  CHECK(flag != impl_->flags.end());
  return !flag->option->results().empty();
}

std::string FlagTable::Impl::usage() const {
  std::string text = "hussar " + command;
  for (const Flag& flag : flags) {
    if (flag.presence == kRequired) text += " " + flag.name + " " + flag.metavar;
  }
  text += " [flags]";
  if (positionals) text += " [" + positionals->metavar + (positionals->count_max > 1 ? " ...]" : "]");
  return text;
}

std::string FlagTable::help() const {
  std::vector<std::pair<std::string, std::string>> lines;
  if (impl_->positionals) lines.emplace_back(impl_->positionals->metavar, impl_->positionals->help);
  for (const Impl::Flag& flag : impl_->flags) {
    lines.emplace_back(flag.metavar.empty() ? flag.name : flag.name + " " + flag.metavar, flag.help);
  }
  size_t left_columns = 0;
  for (const auto& [left, right] : lines) {
    if (left.size() <= kLeftColumnsMax) left_columns = std::max(left_columns, left.size());
  }
  const size_t indent = left_columns + 4;
  std::string text;
  append_wrapped(impl_->purpose, 0, 0, &text);
  text += "Usage: " + impl_->usage() + "\nFlags, with [default; range]:\n";
  for (const auto& [left, right] : lines) {
    text += "  " + left;
    if (left.size() > left_columns) {
      text.append("\n").append(indent, ' ');
    } else {
      text.append(indent - 2 - left.size(), ' ');
    }
    append_wrapped(right, indent, indent, &text);
  }
  return text + "Example:\n  " + impl_->example + "\n";
}

}  // namespace hussar
