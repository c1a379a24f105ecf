#include "grammar/json_schema_format.h"

#include <algorithm>
#include <array>

#include "grammar/json_schema_regex_parser.h"

namespace hussar {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_alphanumeric(char c) { return is_digit(c) || is_letter(c); }
bool is_hex(char c) { return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }
bool is_one_of(char c, std::string_view set) { return set.find(c) != std::string_view::npos; }

// Takes what it finds from the front of the text.
class Cursor {
 public:
  explicit Cursor(std::string_view text) : text_(text) {}

  bool at_end() const { return text_.empty(); }
  char peek() const { return text_.empty() ? '\0' : text_[0]; }
  bool take(std::string_view set) {
    if (text_.empty() || !is_one_of(text_[0], set)) return false;
    text_.remove_prefix(1);
    return true;
  }
  // Exactly `count` digits, of a number from min to max.
  bool take_number(size_t count, int min, int max, int* value) {
    if (text_.size() < count || !std::all_of(text_.begin(), text_.begin() + count, is_digit)) return false;
    *value = 0;
    for (size_t i = 0; i < count; ++i) *value = *value * 10 + (text_[i] - '0');
    text_.remove_prefix(count);
    return *value >= min && *value <= max;
  }
  size_t take_digits() {
    const size_t count = std::find_if_not(text_.begin(), text_.end(), is_digit) - text_.begin();
    text_.remove_prefix(count);
    return count;
  }

 private:
  std::string_view text_;
};

bool take_date(Cursor* at) {
  int year = 0, month = 0, day = 0;
  if (!at->take_number(4, 0, 9999, &year) || !at->take("-") || !at->take_number(2, 1, 12, &month) ||
      !at->take("-") || !at->take_number(2, 1, 31, &day))
    return false;
  static constexpr std::array<int, 12> kDays = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  const bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
  return day <= kDays[static_cast<size_t>(month - 1)] && (month != 2 || leap || day <= 28);
}

// RFC 3339's full-time. A leap second is legal where it is 23:59:60 in UTC.
bool take_time(Cursor* at) {
  int hour = 0, minute = 0, second = 0, offset_hour = 0, offset_minute = 0;
  if (!at->take_number(2, 0, 23, &hour) || !at->take(":") || !at->take_number(2, 0, 59, &minute) ||
      !at->take(":") || !at->take_number(2, 0, 60, &second))
    return false;
  if (at->take(".") && at->take_digits() == 0) return false;
  const bool behind_utc = at->peek() == '-';
  if (!at->take("zZ")) {
    if (!at->take("+-") || !at->take_number(2, 0, 23, &offset_hour) || !at->take(":") ||
        !at->take_number(2, 0, 59, &offset_minute))
      return false;
  }
  if (second < 60) return true;
  const int offset = (offset_hour * 60 + offset_minute) * (behind_utc ? -1 : 1);
  const int utc = ((hour * 60 + minute - offset) % 1440 + 1440) % 1440;
  return utc == 23 * 60 + 59;
}

bool is_date(std::string_view text) {
  Cursor at(text);
  return take_date(&at) && at.at_end();
}

bool is_time(std::string_view text) {
  Cursor at(text);
  return take_time(&at) && at.at_end();
}

bool is_date_time(std::string_view text) {
  Cursor at(text);
  return take_date(&at) && at.take("tT") && take_time(&at) && at.at_end();
}

// Elements in the order of `units`, each at most once and none left out between two (RFC 3339, appendix A).
// The number of elements, or -1.
int take_duration_elements(Cursor* at, std::string_view units) {
  int count = 0;
  size_t unit = 0;
  while (is_digit(at->peek())) {
    at->take_digits();
    const size_t found = units.find(at->peek());
    if (at->peek() == '\0' || found == std::string_view::npos || found < unit) return -1;
    if (count > 0 && found != unit) return -1;
    at->take(units);
    unit = found + 1;
    ++count;
  }
  return count;
}

bool is_duration(std::string_view text) {
  Cursor at(text);
  if (!at.take("P")) return false;
  if (text.size() > 2 && text.back() == 'W') return at.take_digits() == text.size() - 2;
  const int dates = take_duration_elements(&at, "YMD");
  if (dates < 0) return false;
  if (at.at_end()) return dates > 0;
  return at.take("T") && take_duration_elements(&at, "HMS") > 0 && at.at_end();
}

bool is_ipv4(std::string_view text) {
  Cursor at(text);
  for (int part = 0; part < 4; ++part) {
    if (part > 0 && !at.take(".")) return false;
    int value = 0;
    int digits = 0;
    const bool leading_zero = at.peek() == '0';
    for (int digit = 0; digits < 3 && at.take_number(1, 0, 9, &digit); ++digits) value = value * 10 + digit;
    if (digits == 0 || value > 255 || (leading_zero && digits > 1)) return false;
  }
  return at.at_end();
}

bool is_ipv6(std::string_view text) {
  int groups = 0;
  bool compressed = false;
  if (text.substr(0, 2) == "::") {
    compressed = true;
    text.remove_prefix(2);
    if (text.empty()) return true;
  }
  while (true) {
    const std::string_view part = text.substr(0, text.find(':'));
    if (part.size() == text.size() && is_ipv4(part)) {
      groups += 2;
      break;
    }
    if (part.empty() || part.size() > 4 || !std::all_of(part.begin(), part.end(), is_hex)) return false;
    ++groups;
    text.remove_prefix(part.size());
    if (text.empty()) break;
    text.remove_prefix(1);  // the colon
    if (!text.empty() && text[0] == ':') {
      if (compressed) return false;
      compressed = true;
      text.remove_prefix(1);
      if (text.empty()) break;
    }
  }
  return compressed ? groups <= 7 : groups == 8;
}

bool is_hostname(std::string_view text) {
  if (text.empty() || text.size() > 253) return false;
  while (true) {
    const std::string_view label = text.substr(0, text.find('.'));
    const bool legal =
        !label.empty() && label.size() <= 63 && label.front() != '-' && label.back() != '-' &&
        std::all_of(label.begin(), label.end(), [](char c) { return is_alphanumeric(c) || c == '-'; });
    if (!legal) return false;
    if (label.size() == text.size()) return true;
    text.remove_prefix(label.size() + 1);
  }
}

// The part before the @ of an address of RFC 5321: atoms with single dots between them, or a quoted text.
bool is_local_part(std::string_view text) {
  if (text.size() >= 2 && text.front() == '"' && text.back() == '"') {
    text = text.substr(1, text.size() - 2);
    for (size_t i = 0; i < text.size(); ++i) {
      if (text[i] == '"') return false;
      if (text[i] == '\\' && ++i == text.size()) return false;
      if (text[i] < ' ' || text[i] > '~') return false;
    }
    return true;
  }
  bool after_dot = true;
  for (const char c : text) {
    const bool legal = c == '.' ? !after_dot : is_alphanumeric(c) || is_one_of(c, "!#$%&'*+-/=?^_`{|}~");
    if (!legal) return false;
    after_dot = c == '.';
  }
  return !after_dot;
}

bool is_email(std::string_view text) {
  const size_t at = text.rfind('@');
  if (at == std::string_view::npos || at > 64 || !is_local_part(text.substr(0, at))) return false;
  const std::string_view domain = text.substr(at + 1);
  if (domain.size() < 2 || domain.front() != '[' || domain.back() != ']') return is_hostname(domain);
  const std::string_view literal = domain.substr(1, domain.size() - 2);
  return literal.substr(0, 5) == "IPv6:" ? is_ipv6(literal.substr(5)) : is_ipv4(literal);
}

bool is_uuid(std::string_view text) {
  if (text.size() != 36) return false;
  for (size_t i = 0; i < text.size(); ++i) {
    const bool hyphen = i == 8 || i == 13 || i == 18 || i == 23;
    if (hyphen ? text[i] != '-' : !is_hex(text[i])) return false;
  }
  return true;
}

// Characters of RFC 3986 that may stand unescaped, those in `more`, and %XX.
bool is_uri_text(std::string_view text, std::string_view more) {
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%') {
      if (i + 2 >= text.size() || !is_hex(text[i + 1]) || !is_hex(text[i + 2])) return false;
      i += 2;
    } else if (!is_alphanumeric(text[i]) && !is_one_of(text[i], "-._~!$&'()*+,;=") &&
               !is_one_of(text[i], more)) {
      return false;
    }
  }
  return true;
}

bool is_authority(std::string_view text) {
  const size_t at = text.rfind('@');
  if (at != std::string_view::npos) {
    if (!is_uri_text(text.substr(0, at), ":")) return false;
    text.remove_prefix(at + 1);
  }
  size_t host_size = std::min(text.rfind(':'), text.size());
  if (!text.empty() && text[0] == '[') {
    host_size = text.find(']');
    if (host_size == std::string_view::npos) return false;
    const std::string_view address = text.substr(1, host_size - 1);
    // "v1.x": an address of the future.
    const bool future = address.size() > 3 && is_one_of(address[0], "vV") && is_hex(address[1]) &&
                        address.find('.') != std::string_view::npos && is_uri_text(address, ":") &&
                        address.find('%') == std::string_view::npos;
    if (!future && !is_ipv6(address)) return false;
    ++host_size;
  } else if (!is_uri_text(text.substr(0, host_size), "")) {
    return false;
  }
  text.remove_prefix(host_size);
  return text.empty() || (text[0] == ':' && std::all_of(text.begin() + 1, text.end(), is_digit));
}

enum class UriKind { kAbsolute, kReference };

bool is_uri(std::string_view text, UriKind kind) {
  const size_t fragment = std::min(text.find('#'), text.size());
  if (fragment < text.size() && !is_uri_text(text.substr(fragment + 1), ":@/?")) return false;
  text = text.substr(0, fragment);
  const size_t query = std::min(text.find('?'), text.size());
  if (query < text.size() && !is_uri_text(text.substr(query + 1), ":@/?")) return false;
  text = text.substr(0, query);
  const size_t colon = text.find_first_of(":/");
  const bool has_scheme = colon != std::string_view::npos && text[colon] == ':';
  if (has_scheme) {
    const std::string_view scheme = text.substr(0, colon);
    const bool legal = !scheme.empty() && is_letter(scheme[0]) &&
                       std::all_of(scheme.begin(), scheme.end(),
                                   [](char c) { return is_alphanumeric(c) || is_one_of(c, "+-."); });
    if (!legal) return false;
    text.remove_prefix(colon + 1);
  } else if (kind == UriKind::kAbsolute) {
    return false;
  }
  if (text.substr(0, 2) == "//") {
    const std::string_view authority = text.substr(2, std::min(text.find('/', 2), text.size()) - 2);
    if (!is_authority(authority)) return false;
    text.remove_prefix(2 + authority.size());
  }
  return is_uri_text(text, ":@/");
}

bool is_json_pointer(std::string_view text) {
  if (!text.empty() && text[0] != '/') return false;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '~' && (i + 1 == text.size() || !is_one_of(text[i + 1], "01"))) return false;
  }
  return true;
}

bool is_relative_json_pointer(std::string_view text) {
  const size_t digits = std::find_if_not(text.begin(), text.end(), is_digit) - text.begin();
  if (digits == 0 || (digits > 1 && text[0] == '0')) return false;
  text.remove_prefix(digits);
  return text == "#" || is_json_pointer(text);
}

FormatAnswer check_regex(std::string_view text) {
  const auto tree = parse_regex(text, RegexDialect::kStrict, {});
  if (tree.ok()) return FormatAnswer::kValid;
  return tree.error().code == ErrorCode::kInvalid ? FormatAnswer::kInvalid : FormatAnswer::kUnknown;
}

struct Format {
  std::string_view name;
  bool (*matches)(std::string_view text);
};

constexpr Format kFormats[] = {
    {"date", is_date},
    {"time", is_time},
    {"date-time", is_date_time},
    {"duration", is_duration},
    {"email", is_email},
    {"hostname", is_hostname},
    {"ipv4", is_ipv4},
    {"ipv6", is_ipv6},
    {"uuid", is_uuid},
    {"uri", [](std::string_view text) { return is_uri(text, UriKind::kAbsolute); }},
    {"uri-reference", [](std::string_view text) { return is_uri(text, UriKind::kReference); }},
    {"json-pointer", is_json_pointer},
    {"relative-json-pointer", is_relative_json_pointer},
};

constexpr std::string_view kUnchecked[] = {"idn-email", "idn-hostname", "iri", "iri-reference",
                                           "uri-template"};

// Null where there is none.
const Format* find_format(std::string_view name) {
  const auto* found =
      std::find_if(std::begin(kFormats), std::end(kFormats), [&](const Format& f) { return f.name == name; });
  return found == std::end(kFormats) ? nullptr : found;
}

}  // namespace

bool is_checked_format(std::string_view format) {
  return format == "regex" || find_format(format) != nullptr;
}

bool is_unchecked_standard_format(std::string_view format) {
  return std::find(std::begin(kUnchecked), std::end(kUnchecked), format) != std::end(kUnchecked);
}

FormatAnswer check_format(std::string_view format, std::string_view text, StepBudget* budget) {
  budget->take(1 + static_cast<int64_t>(text.size()));
  if (format == "regex") return check_regex(text);
  const Format* known = find_format(format);
  if (known == nullptr) return FormatAnswer::kUnknown;
  return known->matches(text) ? FormatAnswer::kValid : FormatAnswer::kInvalid;
}

}  // namespace hussar
