// Reads a JSON document from its front to its end, value by value, without building or copying anything: for
// events that come by the hundred thousand. It accepts what base/json's parse_json accepts, but for one
// thing: whether a key stands twice in an object is left to the caller, who alone knows the keys that matter.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace hussar {

// The inside of a string as it stands in the document; checked, so that decoding can't fail.
struct RawString {
  std::string_view text;
  bool escaped = false;  // holds a backslash
};
void append_decoded(const RawString& raw, std::string* out);

// After a fault every function returns "no more" and failed() is true. The caller takes each value: by one of
// the read functions, by enter and next until they say no, or by skip().
//   if (cursor.peek() == JsonCursor::Kind::kObject) {
//     cursor.enter();
//     while (cursor.next_member(&key)) cursor.skip();
//   }
class JsonCursor {
 public:
  enum class Kind { kNull, kFalse, kTrue, kNumber, kString, kArray, kObject, kNone };  // kNone: a fault

  JsonCursor(std::string_view text, int32_t depth_max);

  bool failed() const { return failed_; }
  // The caller found a fault of its own.
  void refuse() { fail(); }
  // Nothing but space is left. False otherwise, and then a fault.
  bool end();

  // Of the value that comes next. REQUIRES for each function below: peek() names what it takes.
  Kind peek();
  void enter();
  bool next_member(RawString* key);
  bool next_element();
  RawString read_string();
  std::string_view read_number();  // as it is written
  // Any value. Returns how many elements or members it had.
  int32_t skip();

 private:
  Kind fail();
  void skip_space();
  bool take(char c);
  bool next_item(char close);
  void read_word(std::string_view word);
  bool read_escape();
  bool read_hex(uint32_t* unit);
  bool read_digits();

  const char* at_;
  const char* const end_;
  int32_t depth_left_;
  bool fresh_ = false;  // a container was entered and nothing of it taken
  bool failed_ = false;
};

}  // namespace hussar
