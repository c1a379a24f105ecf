#include "bench/sse_parser.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

namespace hussar {
namespace {

using Events = std::vector<std::pair<std::string, std::string>>;

// Feeds `bytes` in the pieces that end at `cuts`, each in memory of its own that is gone before the next.
Events split(std::string_view bytes, const std::vector<size_t>& cuts) {
  SseParser parser;
  Events events;
  SseEvent event;
  size_t begin = 0;
  for (size_t i = 0; i <= cuts.size(); ++i) {
    const size_t end = i < cuts.size() ? cuts[i] : bytes.size();
    const auto piece = std::make_unique<std::string>(bytes.substr(begin, end - begin));
    parser.feed(*piece);
    while (parser.next(&event)) events.emplace_back(event.name, event.data);
    begin = end;
  }
  EXPECT_FALSE(parser.too_large());
  if (parser.finish(&event)) events.emplace_back("rest", event.data);
  return events;
}

Events split(std::string_view bytes) { return split(bytes, {}); }

TEST(SseParser, ReadsFieldsAsTheStandardSays) {
  EXPECT_EQ(split("data: one\n\ndata:two\n\n"), (Events{{"", "one"}, {"", "two"}}));
  EXPECT_EQ(split("data:  two spaces\n\n"), (Events{{"", " two spaces"}}));
  EXPECT_EQ(split("event: error\ndata: {}\n\ndata: x\n\n"), (Events{{"error", "{}"}, {"", "x"}}));
  EXPECT_EQ(split("data: a\ndata: b\ndata\ndata: c\n\n"), (Events{{"", "a\nb\n\nc"}}));
  EXPECT_EQ(split(": a comment\n\n:\nid: 7\nretry: 10\nmood: fine\ndata: x\n: another\n\n"),
            (Events{{"", "x"}}));
  EXPECT_EQ(split("data\n\n"), (Events{{"", ""}}));
  EXPECT_EQ(split("data\ndata\n\n"), (Events{{"", "\n"}}));
  EXPECT_EQ(split("\n\n\n"), Events{});
  EXPECT_EQ(split("{\"error\": 1}\n"), Events{});
}

TEST(SseParser, ReadsEveryLineEnd) {
  const Events both{{"", "a\nb"}, {"x", "c"}};
  EXPECT_EQ(split("data: a\ndata: b\n\nevent: x\ndata: c\n\n"), both);
  EXPECT_EQ(split("data: a\r\ndata: b\r\n\r\nevent: x\r\ndata: c\r\n\r\n"), both);
  EXPECT_EQ(split("data: a\rdata: b\r\revent: x\rdata: c\r\r"), both);
  EXPECT_EQ(split("data: a\r\ndata: b\n\r\nevent: x\rdata: c\n\r"), both);
}

TEST(SseParser, DropsAMarkAtTheVeryBeginningOnly) {
  EXPECT_EQ(split("\xEF\xBB\xBF"
                  "data: a\n\n\xEF\xBB\xBF"
                  "data: b\n\n"),
            (Events{{"", "a"}}));
  EXPECT_EQ(split("\xEF\xBB\xBF"
                  "data: a\n\n",
                  {1, 2, 4}),
            (Events{{"", "a"}}));
  EXPECT_EQ(split("\n\xEF\xBB\xBF"
                  "data: a\n\n"),
            Events{});
}

TEST(SseParser, ForgetsTheNameOfAnEventWithoutData) {
  EXPECT_EQ(split("event: error\n\ndata: x\n\n"), (Events{{"", "x"}}));
}

TEST(SseParser, TakesAnErrorFieldForAnErrorEvent) {
  EXPECT_EQ(split("error: {\"code\":500}\n\n"), (Events{{"error", "{\"code\":500}"}}));
}

TEST(SseParser, HandsOutWhatTheEndOfTheBodyLeftOpen) {
  EXPECT_EQ(split("data: a\n\ndata: [DONE]"), (Events{{"", "a"}, {"rest", "[DONE]"}}));
  EXPECT_EQ(split("data: a\n\ndata: [DONE]\n"), (Events{{"", "a"}, {"rest", "[DONE]"}}));
  EXPECT_EQ(split("data: a\n\ndata: [DO", {12}), (Events{{"", "a"}, {"rest", "[DO"}}));
  EXPECT_EQ(split("data: a\n\n: nothing"), (Events{{"", "a"}}));
  EXPECT_EQ(split("\xEF\xBB\xBF"
                  "data: a"),
            (Events{{"rest", "a"}}));
}

TEST(SseParser, GivesTheSameEventsWhereverTheBytesAreCut) {
  const std::string bytes =
      "\xEF\xBB\xBF"
      "data: {\"a\":\"\xE5\xBC\xA0\xF0\x9F\x90\x8E\"}\r\n\r\n: ping\r\n\r\nevent: error\rdata:x\r\r"
      "data: 1\ndata: 2\r\ndata\r\rid: 3\n\ndata: [DONE]\n\n";
  const Events whole = split(bytes);
  ASSERT_EQ(whole.size(), 4u);
  for (size_t cut = 0; cut <= bytes.size(); ++cut) EXPECT_EQ(split(bytes, {cut}), whole) << "cut at " << cut;
  std::vector<size_t> everywhere;
  for (size_t cut = 1; cut < bytes.size(); ++cut) everywhere.push_back(cut);
  EXPECT_EQ(split(bytes, everywhere), whole);
  const auto seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 generator(seed);
  for (int round = 0; round < 500; ++round) {
    std::vector<size_t> cuts(generator() % 12);
    for (size_t& cut : cuts) cut = generator() % (bytes.size() + 1);
    std::sort(cuts.begin(), cuts.end());
    EXPECT_EQ(split(bytes, cuts), whole);
  }
}

TEST(SseParser, DoesNotCopyAnEventThatCameWhole) {
  const std::string bytes = "data: whole\n\n";
  SseParser parser;
  SseEvent event;
  parser.feed(bytes);
  ASSERT_TRUE(parser.next(&event));
  EXPECT_EQ(event.data.data(), bytes.data() + 6);
}

TEST(SseParser, StopsAtAnEventThatIsTooLong) {
  for (const std::string& hostile : {std::string(101, 'x'), "data: " + std::string(95, 'x') + "\n\n",
                                     "data: a\n" + std::string(100, 'x') + "\n"}) {
    SseParser parser(100);
    SseEvent event;
    parser.feed(hostile);
    EXPECT_FALSE(parser.next(&event));
    EXPECT_TRUE(parser.too_large());
    parser.feed("\n\ndata: x\n\n");
    EXPECT_FALSE(parser.next(&event));
    EXPECT_FALSE(parser.finish(&event));
  }
  // Many lines of one event, each short, and a line that grows piece by piece.
  for (const std::string piece : {"data: x\n", "data: x"}) {
    SseParser parser(100);
    SseEvent event;
    for (int i = 0; i < 60; ++i) {
      parser.feed(piece);
      EXPECT_FALSE(parser.next(&event));
    }
    EXPECT_TRUE(parser.too_large());
  }
  SseParser parser(100);
  SseEvent event;
  for (int i = 0; i < 60; ++i) {
    parser.feed("data: short\n\n");
    EXPECT_TRUE(parser.next(&event));
    EXPECT_FALSE(parser.next(&event));
  }
  EXPECT_FALSE(parser.too_large());
}

}  // namespace
}  // namespace hussar
