// A JSON document as a row of events, for readers that build something of their own and want each number as
// it is written. The same parser as parse_json's reads it.
#pragma once

#include <string_view>

#include "base/json.h"
#include "base/result.h"

namespace hussar {

// What stands in the document, in its order. Texts are valid only during the call. A function that returns
// false ends the reading; it says why in `problem`, a sentence's end such as "the key "a" stands twice".
class JsonEvents {
 public:
  virtual ~JsonEvents() = default;
  virtual bool on_null() = 0;
  virtual bool on_bool(bool value) = 0;
  // The number's text, in JSON's grammar, of any size and precision.
  virtual bool on_number(std::string_view text) = 0;
  virtual bool on_string(std::string_view text) = 0;  // valid UTF-8, escapes resolved
  virtual bool on_array_begin() = 0;
  virtual bool on_array_end() = 0;
  virtual bool on_object_begin() = 0;
  virtual bool on_key(std::string_view text) = 0;
  virtual bool on_object_end() = 0;

  std::string problem;
};

// Reads one RFC 8259 document. Unlike parse_json it leaves duplicate keys to the receiver, and takes numbers
// that overflow a double. Errors: kTooLarge (bytes, depth, values, an exponent beyond 32 bits), kInvalid with
// the byte offset.
Result<void> read_json_events(std::string_view text, const JsonLimits& limits, JsonEvents* events);

}  // namespace hussar
