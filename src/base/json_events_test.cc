#include "base/json_events.h"

#include <gtest/gtest.h>

#include <string>

namespace hussar {
namespace {

// Writes down what it is told; stops at the string "stop".
class Recorder : public JsonEvents {
 public:
  bool on_null() override { return note("null"); }
  bool on_bool(bool value) override { return note(value ? "true" : "false"); }
  bool on_number(std::string_view text) override { return note(text); }
  bool on_string(std::string_view text) override {
    if (text == "stop") return problem = "it says stop", false;
    return note("'" + std::string(text) + "'");
  }
  bool on_array_begin() override { return note("["); }
  bool on_array_end() override { return note("]"); }
  bool on_object_begin() override { return note("{"); }
  bool on_key(std::string_view text) override { return note(std::string(text) + ":"); }
  bool on_object_end() override { return note("}"); }

  std::string heard;

 private:
  bool note(std::string_view text) {
    heard += text;
    heard += ' ';
    return true;
  }
};

std::string heard(const std::string& text) {
  Recorder recorder;
  const auto read = read_json_events(text, {}, &recorder);
  return read.ok() ? recorder.heard : read.error().message;
}

TEST(JsonEvents, ComeInTheOrderOfTheText) {
  EXPECT_EQ(heard(R"({"b":[1,"x\u00e9\n",null],"a":{"c":true,"d":false},"b":[]})"),
            "{ b: [ 1 'x\u00e9\n' null ] a: { c: true d: false } b: [ ] } ");
}

TEST(JsonEvents, NumbersStayAsTheyAreWritten) {
  for (const std::string number :
       {"0", "-0", "1.0", "1e400", "-12345678901234567890123", "18446744073709551615", "0.10", "1E+2",
        "3.14159265358979323846264338327950288"})
    EXPECT_EQ(heard(number), number + " ");
  const std::string long_number(20'000, '7');
  EXPECT_EQ(heard("[" + long_number + "]"), "[ " + long_number + " ] ");
}

TEST(JsonEvents, LongTextsArriveWhole) {
  const std::string text(20'000, 'a');
  EXPECT_EQ(heard("[\"" + text + "\\u0041\",{\"" + text + "\":1}]"),
            "[ '" + text + "A' { " + text + ": 1 } ] ");
}

TEST(JsonEvents, TheReceiverEndsTheReading) {
  EXPECT_EQ(heard(R"(["go","stop","on"])"), "invalid JSON at byte 11: it says stop");
}

TEST(JsonEvents, LimitsAndFaultsAreErrors) {
  Recorder recorder;
  EXPECT_EQ(read_json_events("[[[1]]]", {.depth_max = 2}, &recorder).error().code, ErrorCode::kTooLarge);
  EXPECT_EQ(read_json_events("[1,2]", {.bytes_max = 4}, &recorder).error().code, ErrorCode::kTooLarge);
  EXPECT_EQ(read_json_events("[1,2]", {.values_max = 2}, &recorder).error().code, ErrorCode::kTooLarge);
  EXPECT_TRUE(read_json_events("[1,2]", {.values_max = 3}, &recorder).ok());
  EXPECT_EQ(read_json_events("1e99999999999", {}, &recorder).error().code, ErrorCode::kTooLarge);
  for (const char* text : {"", "[1", "[1]]", "01", "\"\xff\"", "\"\\ud800\"", "nul", "+1", "NaN"})
    EXPECT_EQ(read_json_events(text, {}, &recorder).error().code, ErrorCode::kInvalid) << text;
}

}  // namespace
}  // namespace hussar
