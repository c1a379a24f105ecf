#include "base/json.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <limits>
#include <random>

namespace hussar {
namespace {

const JsonLimits kLimits;

std::string rewritten(std::string_view text) {
  const auto parsed = parse_json(text, kLimits);
  return parsed.ok() ? write_json(*parsed) : "error: " + parsed.error().message;
}

bool refused(std::string_view text) {
  const auto parsed = parse_json(text, kLimits);
  return !parsed.ok() && parsed.error().code == ErrorCode::kInvalid;
}

TEST(Json, KeepsOrderTypesAndText) {
  EXPECT_EQ(rewritten(" { \"b\" : [ 1 , -2.5 , true , null ] , \"a\" : { } , \"\" : \"\" } "),
            "{\"b\":[1,-2.5,true,null],\"a\":{},\"\":\"\"}");
  EXPECT_EQ(rewritten("\"\\u0041\\u00e9\\ud83d\\ude00\\u0000\\/\\n\""),
            "\"A\xC3\xA9\xF0\x9F\x98\x80\\u0000/\\n\"");
  EXPECT_EQ(rewritten("\"\x7F\xE2\x80\xA8\""), "\"\x7F\xE2\x80\xA8\"");
}

TEST(Json, NumbersThatFitAreIntegersAllOthersDoubles) {
  EXPECT_EQ(*parse_json("9223372036854775807", kLimits)->as_int(), std::numeric_limits<int64_t>::max());
  EXPECT_EQ(*parse_json("-9223372036854775808", kLimits)->as_int(), std::numeric_limits<int64_t>::min());
  EXPECT_EQ(*parse_json("-0", kLimits)->as_int(), 0);
  const auto number = [](std::string_view text) {
    const auto parsed = parse_json(text, kLimits);
    EXPECT_TRUE(parsed.ok() && parsed->as_int() == nullptr) << text;
    double value = std::nan("");
    return parsed.ok() && parsed->as_number(&value) ? value : std::nan("");
  };
  EXPECT_EQ(number("9223372036854775808"), 9223372036854775808.0);
  EXPECT_EQ(number("18446744073709551615"), 18446744073709551615.0);
  EXPECT_EQ(number("18446744073709551616"), 18446744073709551616.0);
  EXPECT_EQ(number("-9223372036854775809"), -9223372036854775808.0);
  EXPECT_EQ(number("1.0"), 1.0);
  EXPECT_EQ(number("1e2"), 100.0);
  EXPECT_TRUE(std::signbit(number("-0.0")));
  EXPECT_EQ(number("1e-400"), 0.0);
  EXPECT_TRUE(std::signbit(number("-1e-400")));
  EXPECT_EQ(number(std::string("0.").append(400, '0').append("1")), 0.0);
  EXPECT_EQ(number("5e-324"), 5e-324);
  EXPECT_EQ(number("1.7976931348623157e308"), std::numeric_limits<double>::max());
  EXPECT_EQ(number(std::string("1").append(300, '0').append("e-300")), 1.0);
}

TEST(Json, RefusesNumbersThatOverflow) {
  for (const char* text : {"1e400", "-1e309", "1e99999999999", "[1.8e308]"})
    EXPECT_TRUE(refused(text)) << text;
  EXPECT_TRUE(refused(std::string("1").append(400, '0')));
}

TEST(Json, RefusesWhatIsNoJson) {
  for (const char* text : {"",
                           " ",
                           "{",
                           "[1,]",
                           "{\"a\":1,}",
                           "{a:1}",
                           "'a'",
                           "NaN",
                           "Infinity",
                           "-Infinity",
                           "01",
                           "1.",
                           ".5",
                           "+1",
                           "- 1",
                           "1 2",
                           "[1] x",
                           "nul",
                           "\"\t\"",
                           "\"\\x41\"",
                           "/* c */ 1",
                           "[1 // c\n]",
                           "\xEF\xBB\xBF"
                           "1",
                           "tru"}) {
    EXPECT_TRUE(refused(text)) << text;
  }
}

TEST(Json, RefusesInvalidUtf8AndLoneSurrogates) {
  for (const char* text :
       {"\"\x80\"", "\"\xC0\xAF\"", "\"\xED\xA0\x80\"", "\"\xF4\x90\x80\x80\"", "\"\xE4\xBD\"",
        "{\"\xFF\":1}", "\"\\ud800\"", "\"\\udc00\"", "\"\\ud800\\u0041\"", "\"\\ud800x\""}) {
    EXPECT_TRUE(refused(text)) << text;
  }
}

TEST(Json, RefusesDuplicateKeysByName) {
  const auto parsed = parse_json("{\"b\":{\"k\":1,\"a\":2,\"\\u006b\":3}}", kLimits);
  ASSERT_FALSE(parsed.ok());
  EXPECT_NE(parsed.error().message.find("\"k\""), std::string::npos) << parsed.error().message;
  EXPECT_EQ(rewritten("[{\"k\":1},{\"k\":{\"k\":2}}]"), "[{\"k\":1},{\"k\":{\"k\":2}}]");
}

TEST(Json, LimitsBytesAndDepth) {
  const auto nested = [](int depth) { return std::string(depth, '[') + std::string(depth, ']'); };
  EXPECT_TRUE(parse_json(nested(64), kLimits).ok());
  EXPECT_EQ(parse_json(nested(65), kLimits).error().code, ErrorCode::kTooLarge);
  EXPECT_EQ(parse_json(std::string(1 << 20, '['), kLimits).error().code, ErrorCode::kTooLarge);
  EXPECT_TRUE(parse_json("[1,2]", {.bytes_max = 5}).ok());
  EXPECT_EQ(parse_json("[1,2]", {.bytes_max = 4}).error().code, ErrorCode::kTooLarge);
}

TEST(Json, CountsValues) {
  EXPECT_TRUE(parse_json("[1,{\"a\":null},\"x\"]", {.values_max = 5}).ok());
  EXPECT_EQ(parse_json("[1,{\"a\":null},\"x\"]", {.values_max = 4}).error().code, ErrorCode::kTooLarge);
  EXPECT_EQ(parse_json("[[[[]]]]", {.values_max = 3}).error().code, ErrorCode::kTooLarge);
}

TEST(Json, ErrorsNameTheByte) {
  EXPECT_NE(parse_json("[1, 2, x]", kLimits).error().message.find("at byte 7"), std::string::npos);
}

TEST(Json, FindsMembersAndNamesTypes) {
  const Json value(
      JsonObject{{"a", 1}, {"b", 2.0}, {"c", "x"}, {"d", JsonArray{}}, {"e", nullptr}, {"f", true}});
  EXPECT_EQ(value.find("z"), nullptr);
  EXPECT_EQ(Json("text").find("a"), nullptr);
  EXPECT_EQ(value.type_name(), "object");
  const std::pair<const char*, const char*> expected[] = {
      {"a", "integer"}, {"b", "number"}, {"c", "string"}, {"d", "array"}, {"e", "null"}, {"f", "boolean"}};
  for (const auto& [key, type] : expected) EXPECT_EQ(value.find(key)->type_name(), type);
}

TEST(Json, WritesWhatCannotBeJsonHarmlessly) {
  EXPECT_EQ(write_json(Json(std::nan(""))), "null");
  EXPECT_EQ(write_json(Json(-std::numeric_limits<double>::infinity())), "null");
  EXPECT_EQ(write_json(Json("a\xFF\x01\"\\")), "\"a\xEF\xBF\xBD\\u0001\\\"\\\\\"");
}

TEST(Json, DoublesReadBackEqualAndAsDoubles) {
  const uint64_t seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  for (int i = 0; i < 100'000; ++i) {
    const double number = std::bit_cast<double>(random());
    if (!std::isfinite(number)) continue;
    const std::string text = write_json(Json(number));
    const auto parsed = parse_json(text, kLimits);
    ASSERT_TRUE(parsed.ok()) << text;
    const double* back = std::get_if<double>(&parsed->value());
    ASSERT_NE(back, nullptr) << text;
    ASSERT_EQ(std::bit_cast<uint64_t>(*back), std::bit_cast<uint64_t>(number)) << text;
  }
}

// Python's json module is the oracle: it makes random documents in its own spelling, and compares ours with
// what it made. Numbers compare by type too, so that 1.0 doesn't become 1.
constexpr char kMakeDocuments[] = R"py(
import json, random, sys
seed, path = int(sys.argv[1]), sys.argv[2]
rnd = random.Random(seed)
def text():
    pools = [range(32, 127), range(0, 32), range(0x80, 0x800), range(0x4e00, 0x9fff), range(0x1f300, 0x1f700), [0x22, 0x5c, 0x2f, 0x7f]]
    return "".join(chr(rnd.choice(rnd.choice(pools))) for _ in range(rnd.randrange(12)))
def value(depth):
    kind = rnd.randrange(9 if depth else 6)
    if kind == 0: return rnd.choice([None, True, False])
    if kind == 1: return rnd.randrange(-2**63, 2**63)
    if kind == 2: return rnd.randrange(-1000, 1000)
    if kind == 3: return rnd.uniform(-1, 1) * 10 ** rnd.randrange(-320, 308)
    if kind == 4: return float(rnd.randrange(-10, 10))
    if kind == 5: return text()
    if kind == 6: return {text(): value(depth - 1) for _ in range(rnd.randrange(6))}
    return [value(depth - 1) for _ in range(rnd.randrange(6))]
with open(path, "w", encoding="utf-8") as f:
    for _ in range(3000):
        spelling = rnd.choice([None, (",", ":"), (" ,\t", ":  ")])
        f.write(json.dumps(value(6), ensure_ascii=rnd.random() < 0.5, separators=spelling) + "\n")
)py";
constexpr char kCompareDocuments[] = R"py(
import json, sys
def typed(v):
    if isinstance(v, dict): return [(k, typed(x)) for k, x in v.items()]
    if isinstance(v, list): return [typed(x) for x in v]
    return (type(v).__name__, repr(v))
ours, theirs = (open(p, encoding="utf-8", newline="\n").read().split("\n") for p in sys.argv[1:])
assert len(ours) == len(theirs) == 3001, (len(ours), len(theirs))
for a, b in zip(ours[:-1], theirs[:-1]):
    assert typed(json.loads(a)) == typed(json.loads(b)), (a, b)
)py";

TEST(Json, AgreesWithPythonOnRandomDocuments) {
  const uint64_t seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  const std::string folder = testing::TempDir() + "hussar_json_" + std::to_string(seed);
  const std::string theirs = folder + "_theirs", ours = folder + "_ours";
  std::ofstream(folder + "_make.py") << kMakeDocuments;
  std::ofstream(folder + "_compare.py") << kCompareDocuments;
  ASSERT_EQ(std::system(("python3 " + folder + "_make.py " + std::to_string(seed) + " " + theirs).c_str()),
            0);
  std::ifstream in(theirs);
  std::ofstream out(ours);
  std::string line;
  while (std::getline(in, line)) {
    const auto parsed = parse_json(line, kLimits);
    ASSERT_TRUE(parsed.ok()) << parsed.error().message << "\n" << line;
    out << write_json(*parsed) << "\n";
  }
  out.close();
  EXPECT_EQ(std::system(("python3 " + folder + "_compare.py " + ours + " " + theirs).c_str()), 0);
  for (const char* end : {"_make.py", "_compare.py", "_theirs", "_ours"}) std::remove((folder + end).c_str());
}

}  // namespace
}  // namespace hussar
