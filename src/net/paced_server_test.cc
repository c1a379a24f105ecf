#include "net/paced_server.h"

#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <mutex>

#include "net/raw_client.h"
#include "net/raw_server.h"
#include "net/stream_client.h"

namespace hussar {
namespace {

constexpr std::string_view kHead = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
constexpr int64_t kMs = 1'000'000;

PacedAnswer answer_of(std::vector<PacedPiece> pieces, PacedEnding ending = PacedEnding::kKeepAlive) {
  return {[pieces = std::move(pieces), next = size_t{0}](PacedPiece* piece) mutable {
            if (next == pieces.size()) return false;
            *piece = pieces[next++];
            return true;
          },
          ending};
}

PacedPiece piece(std::string_view bytes, int64_t at_ns = 0, int32_t tokens = 0) {
  return {at_ns, std::make_shared<const std::string>(bytes), tokens};
}

std::string get(std::string_view path) { return "GET " + std::string(path) + " HTTP/1.1\r\nHost: x\r\n\r\n"; }

struct Watcher : public PacedObserver {
  struct Sent {
    TimePoint before, after;
    int32_t tokens;
  };
  std::mutex mutex;
  std::map<uint64_t, std::vector<Sent>> sent;
  std::vector<bool> ended;  // whether whole

  void on_piece_sent(uint64_t id, const PacedPiece& a_piece, TimePoint before, TimePoint after) override {
    std::lock_guard lock(mutex);
    EXPECT_LE(before, after);
    sent[id].push_back({before, after, a_piece.tokens});
  }
  void on_ended(uint64_t, bool whole, TimePoint) override {
    std::lock_guard lock(mutex);
    ended.push_back(whole);
  }
  std::vector<bool> endings() {
    std::lock_guard lock(mutex);
    return ended;
  }
};

class PacedServerTest : public ::testing::Test {
 protected:
  void start(PacedServer::Handler handler, PacedServerOptions options = {}) {
    auto server = PacedServer::listen(options, std::move(handler), &watcher_);
    ASSERT_TRUE(server.ok()) << server.error().message;
    server_ = std::move(*server);
    server_->start();
  }

  std::unique_ptr<StreamClient> make_client() {
    StreamClientOptions options;
    options.url = "http://127.0.0.1:" + std::to_string(server_->port());
    return StreamClient::create(options).value();
  }

  Watcher watcher_;
  std::unique_ptr<PacedServer> server_;
};

TEST_F(PacedServerTest, SendsPiecesInTimeAndTellsWhen) {
  TimePoint received;
  start([&](const HttpRequest& request) {
    EXPECT_EQ(request.method, "POST");
    EXPECT_EQ(request.path, "/a");
    EXPECT_EQ(request.query, "b=c");
    EXPECT_EQ(request.body, "hello");
    received = request.received;
    return answer_of({piece(std::string(kHead) + "1\r\na\r\n", 10 * kMs, 1), piece("1\r\nb\r\n", 30 * kMs, 2),
                      piece("1\r\nc\r\n", 20 * kMs, 3),  // never before an earlier one
                      piece("0\r\n\r\n", 40 * kMs)});
  });
  RawClient client(server_->port());
  ASSERT_TRUE(client.send("POST /a?b=c HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello"));
  EXPECT_EQ(client.read_until("0\r\n\r\n"), std::string(kHead) + "1\r\na\r\n1\r\nb\r\n1\r\nc\r\n0\r\n\r\n");
  ASSERT_TRUE(eventually([&] { return watcher_.endings().size() == 1; }));
  EXPECT_TRUE(watcher_.endings()[0]);
  ASSERT_EQ(watcher_.sent.size(), 1u);
  const auto& sent = watcher_.sent.begin()->second;
  ASSERT_EQ(sent.size(), 4u);
  for (const auto& [index, due_ms] : {std::pair{0, 10}, {1, 30}, {2, 30}, {3, 40}}) {
    EXPECT_GE(sent[static_cast<size_t>(index)].before, received + std::chrono::milliseconds(due_ms)) << index;
  }
  EXPECT_EQ(sent[1].tokens, 2);
}

TEST_F(PacedServerTest, TakesRequestsOneAfterTheOther) {
  start([](const HttpRequest& request) {
    if (request.path == "/nothing") return PacedAnswer{};
    return answer_of({piece("[" + request.path + "]"), piece(".")});
  });
  RawClient client(server_->port());
  std::string all;
  for (int i = 0; i < 5000; ++i) all += get("/nothing");  // more than it reads ahead
  for (int i = 0; i < 100; ++i) all += get("/" + std::to_string(i));
  ASSERT_TRUE(client.send(all));
  const std::string answers = client.read_until("[/99].");
  EXPECT_TRUE(answers.starts_with("[/0].[/1].[/2].")) << answers;
  EXPECT_TRUE(answers.ends_with("[/98].[/99]."));
  ASSERT_TRUE(client.send("GET /last HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"));
  EXPECT_EQ(client.read_all(), "[/last].") << "closed, as the client asked";
}

TEST_F(PacedServerTest, EndsAsTheAnswerSays) {
  start([](const HttpRequest& request) {
    const PacedEnding ending = request.path == "/close"   ? PacedEnding::kClose
                               : request.path == "/reset" ? PacedEnding::kReset
                                                          : PacedEnding::kHold;
    return answer_of({piece("half")}, ending);
  });
  RawClient closed(server_->port());
  ASSERT_TRUE(closed.send(get("/close")));
  EXPECT_EQ(closed.read_all(), "half");

  const auto client = make_client();
  const auto reset = exchange_blocking(*client, client->make_request("GET", "/reset", {}, "").value(), 5000);
  EXPECT_NE(reset.end, CallEnd::kDone);

  RawClient held(server_->port());
  ASSERT_TRUE(held.send(get("/hold")));
  EXPECT_EQ(held.read_until("half"), "half");
  ASSERT_TRUE(held.send(get("/again")));  // never answered
  held.close();
  ASSERT_TRUE(eventually([&] { return watcher_.endings().size() == 3; }));
  EXPECT_EQ(watcher_.endings(), std::vector<bool>({true, true, true}));
}

TEST_F(PacedServerTest, NoticesThatTheClientHasGone) {
  start([](const HttpRequest&) { return answer_of({piece("a"), piece("b", 3600'000 * kMs)}); });
  RawClient client(server_->port());
  ASSERT_TRUE(client.send(get("/")));
  EXPECT_EQ(client.read_until("a"), "a");
  client.close();
  ASSERT_TRUE(eventually([&] { return watcher_.endings().size() == 1; }));
  EXPECT_FALSE(watcher_.endings()[0]);
}

TEST_F(PacedServerTest, CutsWhatIsUnderWayWhenItStops) {
  start([](const HttpRequest&) { return answer_of({piece("a"), piece("b", 3600'000 * kMs)}); });
  RawClient client(server_->port());
  ASSERT_TRUE(client.send(get("/")));
  EXPECT_EQ(client.read_until("a"), "a");
  server_->freeze(3600'000);
  server_->stop();
  server_->stop();
  EXPECT_EQ(client.read_all(), "");
  EXPECT_EQ(watcher_.endings(), std::vector<bool>({false}));
}

TEST_F(PacedServerTest, AFrozenServerDoesNothing) {
  start([](const HttpRequest&) { return answer_of({piece("a")}); });
  RawClient client(server_->port());
  ASSERT_TRUE(client.send(get("/")));
  EXPECT_EQ(client.read_until("a"), "a");
  const TimePoint frozen = Clock::now();
  server_->freeze(50);
  ASSERT_TRUE(client.send(get("/")));
  EXPECT_EQ(client.read_until("a"), "a");
  EXPECT_GE(Clock::now() - frozen, std::chrono::milliseconds(50));
}

TEST_F(PacedServerTest, WaitsBeforeItReadsAConnection) {
  PacedServerOptions options;
  options.accept_delay_ms = 40;
  start([](const HttpRequest&) { return answer_of({piece("a")}); }, options);
  const TimePoint begin = Clock::now();
  RawClient client(server_->port());
  ASSERT_TRUE(client.send(get("/")));
  EXPECT_EQ(client.read_until("a"), "a");
  EXPECT_GE(Clock::now() - begin, std::chrono::milliseconds(40));
}

TEST_F(PacedServerTest, WritesMoreThanTheConnectionHolds) {
  const std::string large(8 << 20, 'x');
  start([&](const HttpRequest&) { return answer_of({piece(large), piece("end")}); });
  RawClient client(server_->port());
  ASSERT_TRUE(client.send(get("/")));
  EXPECT_EQ(client.read_until("end").size(), large.size() + 3);
  ASSERT_TRUE(eventually([&] { return watcher_.endings().size() == 1; }));
  EXPECT_EQ(watcher_.sent.begin()->second.size(), 2u);
}

TEST_F(PacedServerTest, RefusesWhatIsTooLargeOrMalformed) {
  PacedServerOptions options;
  options.limits.body_bytes_max = 1000;
  options.limits.body_bytes_all_max = 1500;
  options.limits.header_bytes_max = 2000;
  options.limits.headers_max = 10;
  options.limits.header_timeout_ms = 1;
  start([](const HttpRequest& request) { return answer_of({piece(request.body + "!")}); }, options);
  std::string many = "GET / HTTP/1.1\r\nHost: x\r\n";
  for (int i = 0; i < 10; ++i) many += "A: b\r\n";
  const std::pair<std::string, std::string> cases[] = {
      {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1001\r\n\r\n", "413"},
      {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", "400"},
      {"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "400"},
      {"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3e9\r\n" + std::string(1001, 'x'),
       "413"},
      {"GET / HTTP/1.1\r\nHost: x\r\nA: " + std::string(3000, 'x') + "\r\n\r\n", "431"},
      {many + "\r\n", "431"},
      {"GET / HTTP/1.1\r\n\r\n", "400"},
      {"GET / HTTP/1.1\r\nHost: x\r\nExpect: tea\r\n\r\n", "417"},
      {"what is this?\r\n\r\n", "400"},
      {"GET / HTTP/1.1\r\nHo", "408"},
  };
  for (const auto& [request, status] : cases) {
    RawClient client(server_->port());
    ASSERT_TRUE(client.send(request));
    EXPECT_TRUE(client.read_all().starts_with("HTTP/1.1 " + status + " ")) << request.substr(0, 100);
  }
  RawClient client(server_->port());
  ASSERT_TRUE(client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n"));
  EXPECT_EQ(client.read_until("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
  ASSERT_TRUE(client.send("ok"));
  EXPECT_EQ(client.read_until("ok!"), "ok!");
}

TEST_F(PacedServerTest, NobodyListensAfterItStopped) {
  start([](const HttpRequest&) { return PacedAnswer{[](PacedPiece*) { return false; }}; });
  const int port = server_->port();
  server_->stop();
  const ClosedPort held(port);  // it can be taken: so the server has let go of it
  EXPECT_FALSE(RawClient(port).connected());
}

TEST_F(PacedServerTest, RefusesATakenPort) {
  start([](const HttpRequest&) { return PacedAnswer{}; });
  PacedServerOptions options;
  options.port = server_->port();
  const auto second = PacedServer::listen(
      options, [](const HttpRequest&) { return PacedAnswer{}; }, nullptr);
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.error().code, ErrorCode::kIo);
  EXPECT_EQ(second.error().field, "--port");
}

// 200 streams of 20 pieces: each arrives whole and as one read's bytes show.
TEST_F(PacedServerTest, RunsManyStreamsAtOnce) {
  constexpr int kStreams = 200, kPieces = 20;
  start([](const HttpRequest&) {
    std::vector<PacedPiece> pieces = {piece(kHead)};
    for (int i = 1; i <= kPieces; ++i) pieces.push_back(piece("1\r\nx\r\n", i * kMs, 1));
    pieces.push_back(piece("0\r\n\r\n"));
    return answer_of(std::move(pieces));
  });
  struct Call : public CallListener {
    std::string body;
    CallEnd end = CallEnd::kBroken;
    std::function<void()> then;
    void on_sending(TimePoint, bool) override {}
    void on_sent(TimePoint) override {}
    void on_head(int, const std::vector<HttpHeader>&, TimePoint) override {}
    void on_body(std::string_view bytes, TimePoint) override { body += bytes; }
    void on_end(CallEnd how, std::string_view, TimePoint) override {
      end = how;
      then();
    }
  };
  const auto client = make_client();
  const auto wire = std::make_shared<const std::string>(client->make_request("GET", "/", {}, "").value());
  std::vector<Call> calls(kStreams);
  int left = kStreams;
  for (Call& call : calls) {
    call.then = [&] {
      if (--left == 0) client->stop();
    };
    client->start(wire, &call);
  }
  client->run();
  for (const Call& call : calls) {
    EXPECT_EQ(call.end, CallEnd::kDone);
    EXPECT_EQ(call.body, std::string(kPieces, 'x'));
  }
  server_->stop();
  EXPECT_EQ(watcher_.sent.size(), static_cast<size_t>(kStreams));
  for (const auto& [id, sent] : watcher_.sent) EXPECT_EQ(sent.size(), static_cast<size_t>(kPieces + 2)) << id;
}

}  // namespace
}  // namespace hussar
