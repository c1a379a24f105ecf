#include "net/response_reader.h"

#include <gtest/gtest.h>

#include <random>

namespace hussar {
namespace {

struct Answer : public ResponseSink {
  int status = 0;
  std::vector<HttpHeader> headers;
  std::string body;
  int heads = 0;
  size_t pieces_max = SIZE_MAX;  // stops after so many
  size_t pieces = 0;

  bool take_head(int new_status, const std::vector<HttpHeader>& new_headers) override {
    status = new_status;
    headers = new_headers;
    ++heads;
    return true;
  }
  bool take_body(std::string_view bytes) override {
    EXPECT_FALSE(bytes.empty());
    body += bytes;
    return ++pieces < pieces_max;
  }
};

struct Outcome {
  Answer answer;
  ResponseReader::State state = ResponseReader::State::kMore;
  size_t used = 0;
  std::string error;
  bool keep_alive = false, until_close = false;
};

// Feeds `bytes` in pieces of the given sizes, the last one again and again.
Outcome read(std::string_view bytes, const std::vector<size_t>& sizes, std::string_view method = "GET",
             size_t header_bytes_max = 1000) {
  Outcome outcome;
  ResponseReader reader(header_bytes_max);
  reader.begin(method);
  for (size_t at = 0, i = 0; at < bytes.size() && outcome.state == ResponseReader::State::kMore; ++i) {
    const std::string_view piece = bytes.substr(at, sizes[std::min(i, sizes.size() - 1)]);
    size_t used = 0;
    outcome.state = reader.feed(piece, &outcome.answer, &used);
    EXPECT_TRUE(used == piece.size() || outcome.state != ResponseReader::State::kMore);
    at += used;
    outcome.used = at;
  }
  outcome.error = reader.error();
  outcome.keep_alive = reader.keep_alive();
  outcome.until_close = reader.ends_with_connection();
  return outcome;
}

constexpr std::string_view kChunked =
    "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: "
    "chunked\r\n\r\n4\r\nabcd\r\n0A;name=\"x\"\r\n0123456789\r\n000\r\nTrailer: 1\r\n\r\n";

TEST(ResponseReader, ReadsTheSameHoweverTheBytesAreCut) {
  const size_t size = kChunked.size();
  for (size_t first = 1; first <= size; ++first) {
    for (const size_t second : {size_t{1}, size_t{2}, size_t{7}, size}) {
      const Outcome outcome = read(std::string(kChunked) + "next", {first, second});
      ASSERT_EQ(outcome.state, ResponseReader::State::kDone) << first << " " << second << outcome.error;
      EXPECT_EQ(outcome.answer.body, "abcd0123456789");
      EXPECT_EQ(outcome.answer.status, 200);
      EXPECT_EQ(outcome.answer.heads, 1) << "an interim answer is no answer";
      ASSERT_EQ(outcome.answer.headers.size(), 2u);
      EXPECT_EQ(outcome.answer.headers[0].value, "text/event-stream");
      EXPECT_EQ(outcome.used, size) << "what follows belongs to nobody";
      EXPECT_TRUE(outcome.keep_alive);
    }
  }
}

TEST(ResponseReader, HandsAChunkOnAsItLies) {
  Answer answer;
  ResponseReader reader(1000);
  reader.begin("GET");
  size_t used = 0;
  reader.feed(kChunked, &answer, &used);
  EXPECT_EQ(answer.pieces, 2u);
}

TEST(ResponseReader, KnowsWhereABodyEnds) {
  const std::string ok = "HTTP/1.1 200 OK\r\n";
  struct Case {
    std::string text;
    const char* method;
    std::string body;
    bool keep_alive;
  };
  const Case cases[] = {
      {ok + "Content-Length: 3\r\n\r\nabc", "GET", "abc", true},
      {ok + "content-length: 3 , 3\r\n\r\nabc", "GET", "abc", true},
      {ok + "Content-Length: 0\r\n\r\n", "GET", "", true},
      {ok + "Content-Length: 3\r\n\r\n", "HEAD", "", true},
      {ok + "Transfer-Encoding: chunked\r\n\r\n", "HEAD", "", true},
      {"HTTP/1.1 204 No Content\r\n\r\n", "GET", "", true},
      {"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", "GET", "", true},
      {ok + "Connection: Foo, CLOSE\r\nContent-Length: 1\r\n\r\na", "GET", "a", false},
      {"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\na", "GET", "a", false},
      {"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\na", "GET", "a", true},
      {ok + "Transfer-Encoding: chunked\r\nContent-Length: 9\r\n\r\n1\r\na\r\n0\r\n\r\n", "GET", "a", false},
      {"HTTP/1.1 200\nContent-Length: 1\n\na", "GET", "a", true},  // bare line ends, no phrase
      {ok + "A: b\r\n c\r\nContent-Length: 1\r\n\r\na", "GET", "a", true},
  };
  for (const Case& one : cases) {
    for (const size_t piece : {one.text.size(), size_t{1}}) {
      const Outcome outcome = read(one.text, {piece}, one.method);
      EXPECT_EQ(outcome.state, ResponseReader::State::kDone) << one.text << outcome.error;
      EXPECT_EQ(outcome.answer.body, one.body) << one.text;
      EXPECT_EQ(outcome.keep_alive, one.keep_alive) << one.text;
      EXPECT_EQ(outcome.used, one.text.size()) << one.text;
    }
  }
}

TEST(ResponseReader, WithoutALengthTheConnectionEndsTheBody) {
  const Outcome outcome = read("HTTP/1.1 200 OK\r\n\r\nabc", {5});
  EXPECT_EQ(outcome.state, ResponseReader::State::kMore);
  EXPECT_EQ(outcome.answer.body, "abc");
  EXPECT_TRUE(outcome.until_close);
  EXPECT_FALSE(outcome.keep_alive);
  EXPECT_FALSE(read("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc", {50}).until_close);
  EXPECT_FALSE(read("HTTP/1.1 200 OK\r\n", {50}).until_close);
}

TEST(ResponseReader, RefusesWhatIsNoAnswer) {
  const std::string ok = "HTTP/1.1 200 OK\r\n";
  const std::string chunked = ok + "Transfer-Encoding: chunked\r\n\r\n";
  const std::pair<std::string, std::string> cases[] = {
      {"SSH-2.0-OpenSSH_9.2p1\r\n", "no HTTP/1.1: it begins with \"SSH-2.0-OpenSSH_9.2p1\""},
      {"\x15\x03\x01\x00\x02", "https://"},
      {"HTTP/2 200 OK\r\n\r\n", "no HTTP/1.1"},
      {"HTTP/1.1 2x0 OK\r\n\r\n", "no HTTP/1.1"},
      {"HTTP/1.1 20\r\n\r\n", "no HTTP/1.1"},
      {"HTTP/1.1 -20 OK\r\n\r\n", "no HTTP/1.1"},
      {"HTTP/1.1 099 OK\r\n\r\n", "no HTTP/1.1"},
      {"\r\n\r\n", "no HTTP/1.1"},
      {"HTTP/1.1 101 Switching Protocols\r\n\r\n", "protocol"},
      {ok + "no colon\r\n\r\n", "malformed header"},
      {ok + ": empty name\r\n\r\n", "malformed header"},
      {ok + " first line goes on\r\n\r\n", "malformed header"},
      {ok + "Content-Length: 1\r\nContent-Length: 2\r\n\r\n", "Content-Length"},
      {ok + "Content-Length: -1\r\n\r\n", "Content-Length"},
      {ok + "Content-Length: 1x\r\n\r\n", "Content-Length"},
      {ok + "Content-Length: 99999999999999999999\r\n\r\n", "Content-Length"},
      {ok + "Transfer-Encoding: gzip, chunked\r\n\r\n", "Transfer-Encoding"},
      {ok + "Transfer-Encoding: chunked, chunked\r\n\r\n", "Transfer-Encoding"},
      {ok + "Transfer-Encoding: \r\n\r\n", "Transfer-Encoding"},
      {chunked + "xyz\r\n", "\"xyz\", not with its size"},
      {chunked + "\r\n", "not with its size"},
      {chunked + "-1\r\n", "not with its size"},
      {chunked + "fffffffffffffffff\r\n", "not with its size"},
      {chunked + "ffffffffffffffff\r\n", "not with its size"},
      {chunked + "1\r\nab\r\n", "longer than its size"},
      {chunked + "1;" + std::string(2000, 'x'), "too long"},
      {chunked + "0\r\nA: " + std::string(2000, 'x'), "too long"},
      {ok + "A: " + std::string(2000, 'x'), "longer than 1000 bytes"},
      {ok + "A: " + std::string(970, 'x') + "\r\n\r\n", ""},  // 993 bytes: just within
  };
  for (const auto& [text, error] : cases) {
    for (const size_t piece : {text.size(), size_t{1}}) {
      const Outcome outcome = read(text, {piece});
      if (error.empty()) {
        EXPECT_EQ(outcome.state, ResponseReader::State::kMore) << outcome.error;
        continue;
      }
      EXPECT_EQ(outcome.state, ResponseReader::State::kBad) << text;
      // What can be quoted of bytes that come one by one is less.
      const std::string expected = error.starts_with("no HTTP/1.1") && piece == 1 ? "no HTTP/1.1" : error;
      EXPECT_NE(outcome.error.find(expected), std::string::npos) << text << "\n" << outcome.error;
    }
  }
}

TEST(ResponseReader, InterimAnswersAndTrailersHaveALimitTogether) {
  std::string interim;
  for (int i = 0; i < 50; ++i) interim += "HTTP/1.1 100 Continue\r\n\r\n";
  EXPECT_EQ(read(interim, {100}).state, ResponseReader::State::kBad);
  std::string trailers = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n";
  for (int i = 0; i < 200; ++i) trailers += "A: bcdefg\r\n";
  EXPECT_EQ(read(trailers, {100}).state, ResponseReader::State::kBad);
}

TEST(ResponseReader, StopsWhenTheSinkWantsNoMore) {
  Answer answer;
  answer.pieces_max = 1;
  ResponseReader reader(1000);
  reader.begin("GET");
  size_t used = 0;
  EXPECT_EQ(reader.feed(kChunked, &answer, &used), ResponseReader::State::kStopped);
  EXPECT_EQ(answer.body, "abcd");
}

TEST(ResponseReader, ReadsOneAnswerAfterTheOther) {
  ResponseReader reader(1000);
  for (int i = 0; i < 3; ++i) {
    Answer answer;
    reader.begin("GET");
    EXPECT_FALSE(reader.begun());
    size_t used = 0;
    EXPECT_EQ(reader.feed(kChunked, &answer, &used), ResponseReader::State::kDone);
    EXPECT_EQ(answer.body, "abcd0123456789");
    EXPECT_TRUE(reader.begun());
  }
}

TEST(ResponseReader, SurvivesAnyBytes) {
  const unsigned seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  for (int i = 0; i < 5000; ++i) {
    std::string text(kChunked);
    for (int k = 0; k < 3; ++k) text[random() % text.size()] = static_cast<char>(random());
    const Outcome outcome = read(text, {1 + random() % 50, 1 + random() % 50});
    EXPECT_LE(outcome.used, text.size());
    EXPECT_EQ(outcome.state == ResponseReader::State::kBad, !outcome.error.empty());
  }
}

}  // namespace
}  // namespace hussar
