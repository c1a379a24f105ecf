#include "base/json.h"

#include <algorithm>
#include <boost/json/basic_parser_impl.hpp>
#include <boost/json/src.hpp>
#include <charconv>
#include <cmath>
#include <limits>

#include "base/json_events.h"
#include "base/utf8.h"

namespace hussar {
namespace {

using BoostError = boost::system::error_code;
using BoostText = boost::json::string_view;

// Receives the parser's events and builds the value. A handler that returns false stops the parser; `problem`
// then says why.
class Builder {
 public:
  static constexpr size_t max_object_size = std::numeric_limits<size_t>::max();  // NOLINT: the parser's names
  static constexpr size_t max_array_size = max_object_size;                      // NOLINT
  static constexpr size_t max_key_size = max_object_size;                        // NOLINT
  static constexpr size_t max_string_size = max_object_size;                     // NOLINT

  static constexpr ErrorCode kExponentError = ErrorCode::kInvalid;  // of an exponent beyond 32 bits

  bool on_document_begin(BoostError&) { return true; }
  bool on_document_end(BoostError&) { return true; }
  bool on_array_begin(BoostError&) { return open(JsonArray()); }
  bool on_array_end(size_t, BoostError&) { return close(); }
  bool on_object_begin(BoostError&) { return open(JsonObject()); }
  bool on_object_end(size_t, BoostError& ec) { return has_duplicate_key() ? fail(ec) : close(); }
  bool on_key_part(BoostText text, size_t, BoostError&) { return add_part(text); }
  bool on_key(BoostText text, size_t, BoostError&) {
    add_part(text);
    open_.back().key = std::move(part_);
    part_.clear();
    return true;
  }
  bool on_string_part(BoostText text, size_t, BoostError&) { return add_part(text); }
  bool on_string(BoostText text, size_t, BoostError&) {
    add_part(text);
    std::string whole = std::move(part_);
    part_.clear();
    return add(std::move(whole));
  }
  bool on_number_part(BoostText text, BoostError&) { return add_part(text); }
  bool on_int64(int64_t number, BoostText, BoostError&) {
    part_.clear();
    return add(number);
  }
  bool on_uint64(uint64_t, BoostText text, BoostError& ec) { return on_double(0, text, ec); }
  // The parser's own conversion is off by an ulp now and then; from_chars rounds correctly. But it reports a
  // number that is too small like one that is too large, and there the rough value tells them apart.
  bool on_double(double rough, BoostText text, BoostError& ec) {
    add_part(text);
    double number = 0;
    const auto [end, error] = std::from_chars(part_.data(), part_.data() + part_.size(), number);
    if (error == std::errc::result_out_of_range && std::abs(rough) >= 1) {
      problem = "the number " + shorten(part_) + " is too large";
      return fail(ec);
    }
    if (error == std::errc::result_out_of_range) number = part_[0] == '-' ? -0.0 : 0.0;
    part_.clear();
    return add(number);
  }
  bool on_bool(bool value, BoostError&) { return add(value); }
  bool on_null(BoostError&) { return add(nullptr); }
  bool on_comment_part(BoostText, BoostError&) { return true; }
  bool on_comment(BoostText, BoostError&) { return true; }

  Json root;
  std::string problem;
  size_t values_left = 0;
  bool too_many = false;

 private:
  struct Open {
    Json container;
    std::string key;  // of the member that comes next
  };

  static bool fail(BoostError& ec) {
    ec = boost::json::error::exception;  // any will do: `problem` is what is shown
    return false;
  }

  static std::string shorten(const std::string& text) {
    return text.size() <= 40 ? text : text.substr(0, 40) + "...";
  }

  bool add_part(BoostText text) {
    part_.append(text.data(), text.size());
    return true;
  }

  bool open(Json container) {
    open_.push_back({std::move(container), {}});
    return true;
  }

  bool close() {
    Json done = std::move(open_.back().container);
    open_.pop_back();
    return add(std::move(done));
  }

  bool add(Json value) {
    if (values_left-- == 0) return too_many = true, false;
    if (open_.empty()) {
      root = std::move(value);
    } else if (auto* array = std::get_if<JsonArray>(&open_.back().container.value())) {
      array->push_back(std::move(value));
    } else {
      std::get<JsonObject>(open_.back().container.value())
          .emplace_back(std::move(open_.back().key), std::move(value));
      open_.back().key.clear();
    }
    return true;
  }

  // Sorted, so that a hostile object of a hundred thousand keys costs no square.
  bool has_duplicate_key() {
    const JsonObject& object = std::get<JsonObject>(open_.back().container.value());
    std::vector<std::string_view> keys;
    keys.reserve(object.size());
    for (const auto& [key, value] : object) keys.push_back(key);
    std::sort(keys.begin(), keys.end());
    const auto twice = std::adjacent_find(keys.begin(), keys.end());
    if (twice == keys.end()) return false;
    problem = "the key ";
    append_json_string(shorten(std::string(*twice)), &problem);
    problem += " stands twice in one object";
    return true;
  }

  std::vector<Open> open_;
  std::string part_;  // of a string, key or number whose end has not come yet
};

// Hands the parser's events on, whole texts only.
class Forwarder {
 public:
  static constexpr size_t max_object_size = std::numeric_limits<size_t>::max();  // NOLINT: the parser's names
  static constexpr size_t max_array_size = max_object_size;                      // NOLINT
  static constexpr size_t max_key_size = max_object_size;                        // NOLINT
  static constexpr size_t max_string_size = max_object_size;                     // NOLINT

  // A number whose exponent the parser can't hold is legal JSON, and nobody asked for its value yet.
  static constexpr ErrorCode kExponentError = ErrorCode::kTooLarge;

  explicit Forwarder(JsonEvents* events) : events_(events) {}

  bool on_document_begin(BoostError&) { return true; }
  bool on_document_end(BoostError&) { return true; }
  bool on_array_begin(BoostError& ec) { return count() && checked(events_->on_array_begin(), ec); }
  bool on_array_end(size_t, BoostError& ec) { return checked(events_->on_array_end(), ec); }
  bool on_object_begin(BoostError& ec) { return count() && checked(events_->on_object_begin(), ec); }
  bool on_object_end(size_t, BoostError& ec) { return checked(events_->on_object_end(), ec); }
  bool on_key_part(BoostText text, size_t, BoostError&) { return add_part(text); }
  bool on_key(BoostText text, size_t, BoostError& ec) { return checked(events_->on_key(whole(text)), ec); }
  bool on_string_part(BoostText text, size_t, BoostError&) { return add_part(text); }
  bool on_string(BoostText text, size_t, BoostError& ec) {
    return count() && checked(events_->on_string(whole(text)), ec);
  }
  bool on_number_part(BoostText text, BoostError&) { return add_part(text); }
  bool on_int64(int64_t, BoostText text, BoostError& ec) { return on_number(text, ec); }
  bool on_uint64(uint64_t, BoostText text, BoostError& ec) { return on_number(text, ec); }
  bool on_double(double, BoostText text, BoostError& ec) { return on_number(text, ec); }
  bool on_bool(bool value, BoostError& ec) { return count() && checked(events_->on_bool(value), ec); }
  bool on_null(BoostError& ec) { return count() && checked(events_->on_null(), ec); }
  bool on_comment_part(BoostText, BoostError&) { return true; }
  bool on_comment(BoostText, BoostError&) { return true; }

  std::string problem;
  size_t values_left = 0;
  bool too_many = false;

 private:
  bool on_number(BoostText text, BoostError& ec) {
    return count() && checked(events_->on_number(whole(text)), ec);
  }
  bool count() { return values_left-- > 0 || (too_many = true, false); }
  bool checked(bool goes_on, BoostError& ec) {
    part_.clear();
    if (goes_on) return true;
    problem = std::move(events_->problem);
    ec = boost::json::error::exception;
    return false;
  }
  bool add_part(BoostText text) {
    part_.append(text.data(), text.size());
    return true;
  }
  // The last part's own text where it is the only one.
  std::string_view whole(BoostText text) {
    if (part_.empty()) return {text.data(), text.size()};
    add_part(text);
    return part_;
  }

  JsonEvents* events_;
  std::string part_;
};

boost::json::parse_options parse_options(const JsonLimits& limits) {
  boost::json::parse_options options;
  options.max_depth = static_cast<size_t>(limits.depth_max);
  return options;
}

// Reads the whole text with either handler.
template <typename Handler>
Result<void> run_parser(boost::json::basic_parser<Handler>* parser, std::string_view text,
                        const JsonLimits& limits) {
  if (text.size() > limits.bytes_max) {
    return Error{ErrorCode::kTooLarge,
                 "the JSON text has " + std::to_string(text.size()) + " bytes, more than the limit of " +
                     std::to_string(limits.bytes_max),
                 ""};
  }
  Handler& handler = parser->handler();
  handler.values_left = limits.values_max;
  BoostError ec;
  const size_t read_bytes = parser->write_some(false, text.data(), text.size(), ec);
  if (handler.too_many) {
    return Error{ErrorCode::kTooLarge,
                 "the JSON text has more values than the limit of " + std::to_string(limits.values_max), ""};
  }
  if (!ec && read_bytes < text.size()) ec = boost::json::error::extra_data;
  if (!ec) return {};
  if (ec == boost::json::error::too_deep) {
    return Error{
        ErrorCode::kTooLarge,
        "the JSON text is nested deeper than the limit of " + std::to_string(limits.depth_max) + " levels",
        ""};
  }
  return Error{ec == boost::json::error::exponent_overflow ? Handler::kExponentError : ErrorCode::kInvalid,
               "invalid JSON at byte " + std::to_string(read_bytes) + ": " +
                   (handler.problem.empty() ? ec.message() : handler.problem),
               ""};
}

void append_number(double number, std::string* out) {
  if (!std::isfinite(number)) {
    *out += "null";
    return;
  }
  char buffer[32];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, number).ptr;
  const std::string_view text(buffer, end - buffer);
  *out += text;
  // So that it is read back as a double.
  if (text.find_first_of(".e") == std::string_view::npos) *out += ".0";
}

void append_escaped(char c, std::string* out) {
  static constexpr char kHex[] = "0123456789abcdef";
  switch (c) {
    case '"':
      *out += "\\\"";
      return;
    case '\\':
      *out += "\\\\";
      return;
    case '\n':
      *out += "\\n";
      return;
    case '\r':
      *out += "\\r";
      return;
    case '\t':
      *out += "\\t";
      return;
    case '\b':
      *out += "\\b";
      return;
    case '\f':
      *out += "\\f";
      return;
    default:
      *out += "\\u00";
      out->push_back(kHex[c >> 4 & 15]);
      out->push_back(kHex[c & 15]);
  }
}

struct Writer {
  std::string* out;

  void operator()(std::nullptr_t) const { *out += "null"; }
  void operator()(bool value) const { *out += value ? "true" : "false"; }
  void operator()(int64_t value) const { *out += std::to_string(value); }
  void operator()(double value) const { append_number(value, out); }
  void operator()(const std::string& value) const { append_json_string(value, out); }
  void operator()(const JsonArray& array) const {
    *out += '[';
    for (size_t i = 0; i < array.size(); ++i) {
      if (i > 0) *out += ',';
      std::visit(*this, array[i].value());
    }
    *out += ']';
  }
  void operator()(const JsonObject& object) const {
    *out += '{';
    for (size_t i = 0; i < object.size(); ++i) {
      if (i > 0) *out += ',';
      append_json_string(object[i].first, out);
      *out += ':';
      std::visit(*this, object[i].second.value());
    }
    *out += '}';
  }
};

}  // namespace

bool Json::as_number(double* number) const {
  if (const double* value = std::get_if<double>(&value_)) return *number = *value, true;
  if (const int64_t* value = as_int()) return *number = static_cast<double>(*value), true;
  return false;
}

const Json* Json::find(std::string_view key) const {
  const JsonObject* object = as_object();
  if (object == nullptr) return nullptr;
  for (const auto& [name, value] : *object) {
    if (name == key) return &value;
  }
  return nullptr;
}

std::string_view Json::type_name() const {
  static constexpr std::string_view kNames[] = {"null",   "boolean", "integer", "number",
                                                "string", "array",   "object"};
  return kNames[value_.index()];
}

Result<Json> parse_json(std::string_view text, const JsonLimits& limits) {
  boost::json::basic_parser<Builder> parser(parse_options(limits));
  RETURN_IF_ERROR(run_parser(&parser, text, limits));
  return std::move(parser.handler().root);
}

Result<void> read_json_events(std::string_view text, const JsonLimits& limits, JsonEvents* events) {
  boost::json::basic_parser<Forwarder> parser(parse_options(limits), events);
  return run_parser(&parser, text, limits);
}

std::string write_json(const Json& value) {
  std::string out;
  std::visit(Writer{&out}, value.value());
  return out;
}

void append_json_string(std::string_view text, std::string* out) {
  if (!is_valid_utf8(text)) return append_json_string(replace_invalid_utf8(text), out);
  *out += '"';
  size_t begin = 0;  // of the part that needs no escapes
  for (size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if (byte >= 0x20 && byte != '"' && byte != '\\') continue;
    *out += text.substr(begin, i - begin);
    append_escaped(text[i], out);
    begin = i + 1;
  }
  *out += text.substr(begin);
  *out += '"';
}

}  // namespace hussar
