#include "net/http_server.h"

#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "net/raw_client.h"
#include "net/raw_server.h"

namespace hussar {
namespace {

using std::string_literals::operator""s;

std::string get(std::string_view path) { return "GET " + std::string(path) + " HTTP/1.1\r\nHost: x\r\n\r\n"; }

HttpResponse text_response(std::string body) { return {200, "text/plain", {}, std::move(body)}; }

class HttpServerTest : public ::testing::Test {
 protected:
  void start(HttpLimits limits = {}) {
    auto server = HttpServer::listen(
        "127.0.0.1", 0, limits,
        [this](HttpRequest request, Responder responder) { handle(request, responder); },
        [](int status, std::string_view detail) {
          return HttpResponse{status, "application/json", {}, "refused: " + std::string(detail)};
        });
    ASSERT_TRUE(server.ok()) << server.error().message;
    server_ = std::move(*server);
    server_->start();
  }

  void handle(HttpRequest request, Responder responder) {
    ++requests_;
    constexpr std::string_view kMarked = "/marked";
    if (request.path.starts_with(kMarked)) {
      responder.add_headers({{"X-Mark", "yes"}});
      request.path.erase(0, kMarked.size());
    }
    if (request.path == "/echo") {
      responder.answer(text_response(request.method + " " + request.query + " " + request.body));
    } else if (request.path == "/drop") {
      return;
    } else if (request.path == "/stream") {
      HttpResponse head;
      head.content_type = "text/event-stream";
      responder.start_stream(head);
      helpers_.emplace_back([responder]() mutable {
        for (int i = 0; i < 3; ++i) {
          responder.write("chunk " + std::to_string(i) + "\n");
          std::this_thread::sleep_for(std::chrono::milliseconds(5));
        }
        responder.finish();
      });
    } else if (request.path == "/broken-stream") {
      responder.start_stream({});
      responder.write("half");
    } else if (request.path == "/flood") {
      responder.start_stream({});
      responder.on_disconnect([this] { ++disconnects_; });
      helpers_.emplace_back([this, responder]() mutable {
        const std::string block(10'000, 'x');
        while (responder.write(block)) std::this_thread::sleep_for(std::chrono::microseconds(200));
        flood_ended_ = true;
      });
    } else {  // "/hold": answered by the test
      responder.on_disconnect([this] { ++disconnects_; });
      std::lock_guard lock(mutex_);
      held_.push_back(responder);
    }
  }

  size_t held() {
    std::lock_guard lock(mutex_);
    return held_.size();
  }

  void TearDown() override {
    for (std::thread& helper : helpers_) helper.join();
    held_.clear();
    server_.reset();
  }

  std::unique_ptr<HttpServer> server_;
  std::vector<std::thread> helpers_;
  std::mutex mutex_;
  std::vector<Responder> held_;
  std::atomic<int> requests_{0}, disconnects_{0};
  std::atomic<bool> flood_ended_{false};
};

TEST_F(HttpServerTest, AnswersAndKeepsTheConnection) {
  start();
  RawClient client(server_->port());
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(client.send("POST /echo?a=1 HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello"));
    const std::string answer = client.read_until("hello");
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 200 OK\r\n")) << answer;
    EXPECT_NE(answer.find("Content-Length: 14\r\n"), std::string::npos) << answer;
    EXPECT_TRUE(answer.ends_with("\r\n\r\nPOST a=1 hello")) << answer;
  }
  EXPECT_EQ(server_->connections(), 1u);
}

TEST_F(HttpServerTest, AnswersPipelinedRequestsInOrder) {
  start();
  RawClient client(server_->port());
  std::string all;
  for (int i = 0; i < 50; ++i) all += get("/echo?" + std::to_string(i));
  all += "GET /echo?last HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
  ASSERT_TRUE(client.send(all));
  const std::string answers = client.read_all();
  size_t at = 0;
  for (int i = 0; i < 50; ++i) {
    at = answers.find("GET " + std::to_string(i) + " ", at);
    ASSERT_NE(at, std::string::npos) << i;
  }
  EXPECT_TRUE(answers.ends_with("GET last "));
}

TEST_F(HttpServerTest, ReadsABodyThatComesByteByByte) {
  start();
  RawClient client(server_->port());
  for (const char c : std::string(
           "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n")) {
    ASSERT_TRUE(client.send(std::string(1, c)));
    std::this_thread::sleep_for(std::chrono::microseconds(300));
  }
  EXPECT_TRUE(client.read_until("abc").ends_with("POST  abc"));
}

TEST_F(HttpServerTest, StreamsChunks) {
  start();
  RawClient client(server_->port());
  for (int i = 0; i < 2; ++i) {  // the connection is reusable after a stream
    ASSERT_TRUE(client.send(get("/stream")));
    const std::string answer = client.read_until("0\r\n\r\n");
    EXPECT_NE(answer.find("Transfer-Encoding: chunked\r\n"), std::string::npos);
    EXPECT_NE(answer.find("\r\n\r\n8\r\nchunk 0\n\r\n"), std::string::npos) << answer;
    EXPECT_TRUE(answer.ends_with("8\r\nchunk 2\n\r\n0\r\n\r\n")) << answer;
  }
}

TEST_F(HttpServerTest, StreamsToAnOldClientUntilTheConnectionEnds) {
  start();
  RawClient client(server_->port());
  ASSERT_TRUE(client.send("GET /stream HTTP/1.0\r\n\r\n"));
  EXPECT_TRUE(client.read_all().ends_with("\r\n\r\nchunk 0\nchunk 1\nchunk 2\n"));
}

TEST_F(HttpServerTest, ContinuesWhenTheClientWaitsForIt) {
  start();
  RawClient client(server_->port());
  ASSERT_TRUE(
      client.send("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n"));
  EXPECT_EQ(client.read_until("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
  ASSERT_TRUE(client.send("ok"));
  EXPECT_TRUE(client.read_until("ok").ends_with("POST  ok"));
}

TEST_F(HttpServerTest, SendsNoBodyToHead) {
  start();
  RawClient client(server_->port());
  ASSERT_TRUE(client.send("HEAD /echo HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"));
  const std::string answer = client.read_all();
  EXPECT_NE(answer.find("Content-Length: 6\r\n"), std::string::npos) << answer;
  EXPECT_TRUE(answer.ends_with("\r\n\r\n"));
}

TEST_F(HttpServerTest, AnswersForAHandlerThatGivesUp) {
  start();
  RawClient client(server_->port());
  ASSERT_TRUE(client.send(get("/drop")));
  EXPECT_TRUE(client.read_until("dropped").starts_with("HTTP/1.1 500 "));
  RawClient second(server_->port());
  ASSERT_TRUE(second.send(get("/broken-stream")));
  const std::string answer = second.read_all();
  EXPECT_EQ(answer.find("0\r\n\r\n"), std::string::npos)
      << "a stream that was given up must not look complete";
}

TEST_F(HttpServerTest, RefusesWhatIsTooLargeOrMalformed) {
  HttpLimits limits;
  limits.body_bytes_max = 1000;
  limits.header_bytes_max = 2000;
  limits.headers_max = 10;
  start(limits);
  std::string many = "GET /echo HTTP/1.1\r\nHost: x\r\n";
  for (int i = 0; i < 10; ++i) many += "A: b\r\n";
  const std::pair<std::string, std::string> cases[] = {
      {"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1001\r\n\r\n", "413"},
      {"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999999\r\n\r\n", "400"},
      {"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", "400"},
      {"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", "400"},
      {"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\nab", "400"},
      {"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3e9\r\n" + std::string(1001, 'x'),
       "413"},
      {"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "400"},
      {"GET /echo HTTP/1.1\r\nHost: x\r\nA: " + std::string(3000, 'x') + "\r\n\r\n", "431"},
      {"GET /" + std::string(5000, 'x') + " HTTP/1.1\r\nHost: x\r\n\r\n", "431"},
      {many + "\r\n", "431"},
      {"GET /echo HTTP/1.1\r\n\r\n", "400"},
      {"GET /echo HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", "400"},
      {"GET /echo HTTP/3.7\r\nHost: x\r\n\r\n", "400"},
      {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "400"},
      {"GET /echo HTTP/1.1\r\nHost: x\r\nExpect: miracles\r\nContent-Length: 1\r\n\r\n", "417"},
      {"\x16\x03\x01\x02 a TLS hello\r\n\r\n", "400"},
      {"GET /"s + '\0' + " HTTP/1.1\r\nHost: x\r\n\r\n", "400"},
      {"GET /echo HTTP/1.1\r\nHost: x\r\nA: b\x01\r\n\r\n", "400"},
  };
  for (const auto& [bytes, status] : cases) {
    RawClient client(server_->port());
    client.send(bytes);
    const std::string answer = client.read_all();
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 " + status + " ")) << bytes.substr(0, 80) << "\n-> " << answer;
    EXPECT_NE(answer.find("Connection: close"), std::string::npos) << answer;
    EXPECT_NE(answer.find("refused: "), std::string::npos) << answer;
  }
  EXPECT_EQ(requests_, 0);
  RawClient client(server_->port());
  ASSERT_TRUE(client.send(get("/echo")));
  EXPECT_TRUE(client.read_until("GET").starts_with("HTTP/1.1 200 "));
}

TEST_F(HttpServerTest, TheRefusalOfALargeBodyArrivesThoughTheClientIsStillSending) {
  HttpLimits limits;
  limits.body_bytes_max = 1000;
  start(limits);
  RawClient client(server_->port());
  client.send("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 8000000\r\n\r\n");
  client.send(std::string(8'000'000, 'x'));
  EXPECT_TRUE(client.read_all().starts_with("HTTP/1.1 413 "));
}

TEST_F(HttpServerTest, BoundsAllBodiesTogether) {
  HttpLimits limits;
  limits.body_bytes_max = 1000;
  limits.body_bytes_all_max = 1500;
  start(limits);
  const std::string head = "POST /hold HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n";
  RawClient first(server_->port());
  first.send(head + std::string(1000, 'x'));
  ASSERT_TRUE(eventually([&] { return held() == 1; }));
  RawClient second(server_->port());
  second.send(head);
  EXPECT_TRUE(second.read_all().starts_with("HTTP/1.1 503 "));
  RawClient chunked(server_->port());
  chunked.send("POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
  EXPECT_TRUE(chunked.read_all().starts_with("HTTP/1.1 503 ")) << "an unknown length counts as the largest";
  RawClient small(server_->port());
  small.send("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nok");
  EXPECT_TRUE(small.read_until("ok").starts_with("HTTP/1.1 200 "));
  held_[0].answer(text_response("done"));
  first.read_until("done");
  for (int i = 0; i < 5; ++i) {  // what was promised is given back, also by a body that never came
    RawClient again(server_->port());
    again.send(head + "x");
    again.reset();
  }
  EXPECT_TRUE(eventually([&] { return server_->connections() <= 2; }));
  RawClient last(server_->port());
  last.send("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n" + std::string(1000, 'x'));
  EXPECT_TRUE(last.read_until("xxx").starts_with("HTTP/1.1 200 "));
}

TEST_F(HttpServerTest, TimesOut) {
  HttpLimits limits;
  limits.header_timeout_ms = limits.body_timeout_ms = limits.idle_timeout_ms = 200;
  start(limits);
  RawClient headers(server_->port()), body(server_->port()), idle(server_->port());
  headers.send("GET /echo HT");
  body.send("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nab");
  EXPECT_TRUE(headers.read_all().starts_with("HTTP/1.1 408 "));
  EXPECT_TRUE(body.read_all().starts_with("HTTP/1.1 408 "));
  EXPECT_EQ(idle.read_all(), "");
  headers.close(), body.close(), idle.close();
  EXPECT_TRUE(eventually([&] { return server_->connections() == 0; }));
}

TEST_F(HttpServerTest, NoticesAClientThatGoesWhileTheHandlerWorks) {
  start();
  RawClient closed(server_->port()), reset(server_->port()), half(server_->port());
  for (RawClient* client : {&closed, &reset, &half}) client->send(get("/hold"));
  ASSERT_TRUE(eventually([&] { return held() == 3; }));
  EXPECT_EQ(disconnects_, 0);
  closed.close();
  EXPECT_TRUE(eventually([&] { return disconnects_ == 1; }));
  reset.reset();
  EXPECT_TRUE(eventually([&] { return disconnects_ == 2; }));
  half.half_close();
  EXPECT_TRUE(eventually([&] { return disconnects_ == 3; }));
  for (Responder& responder : held_) responder.answer(text_response("late"));
  EXPECT_TRUE(half.read_all().ends_with("late")) << "who only closed his sending half can still be answered";
}

TEST_F(HttpServerTest, KeepsWhatTheClientSendsAheadWhileTheHandlerWorks) {
  start();
  RawClient client(server_->port());
  client.send(get("/hold"));
  ASSERT_TRUE(eventually([&] { return held() == 1; }));
  client.send(get("/echo?ahead"));
  std::this_thread::sleep_for(std::chrono::milliseconds(30));
  EXPECT_EQ(requests_, 1) << "the second must wait for the first one's answer";
  held_[0].answer(text_response("first"));
  const std::string answers = client.read_until("GET ahead");
  EXPECT_LT(answers.find("first"), answers.find("GET ahead"));
  EXPECT_EQ(disconnects_, 0);
}

TEST_F(HttpServerTest, AClientThatSendsFarAheadIsBounded) {
  start();
  RawClient client(server_->port());
  client.send(get("/hold"));
  ASSERT_TRUE(eventually([&] { return held() == 1; }));
  std::thread sender([&] {
    for (int i = 0; i < 5000; ++i) client.send(get("/echo?" + std::to_string(i)));
  });
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  held_[0].answer(text_response("first"));
  EXPECT_NE(client.read_until("GET 4999 ").find("GET 4999 "), std::string::npos);
  sender.join();
}

TEST_F(HttpServerTest, CutsASlowReaderWhoseBacklogGrowsTooLong) {
  HttpLimits limits;
  limits.write_backlog_bytes_max = 1 << 20;
  start(limits);
  RawClient client(server_->port(), 4096);
  client.send(get("/flood"));
  EXPECT_TRUE(eventually([&] { return flood_ended_.load(); }));
  EXPECT_TRUE(eventually([&] { return disconnects_ == 1; }));
}

TEST_F(HttpServerTest, CutsASlowReaderAfterAWhile) {
  HttpLimits limits;
  limits.write_timeout_ms = 200;
  limits.write_backlog_bytes_max = 1 << 30;
  start(limits);
  RawClient client(server_->port(), 4096);
  client.send(get("/flood"));
  EXPECT_TRUE(eventually([&] { return flood_ended_.load(); }));
  EXPECT_TRUE(eventually([&] { return disconnects_ == 1; }));
}

TEST_F(HttpServerTest, TurnsAwayOneConnectionTooMany) {
  HttpLimits limits;
  limits.connections_max = 2;
  start(limits);
  RawClient first(server_->port()), second(server_->port());
  ASSERT_TRUE(eventually([&] { return server_->connections() == 2; }));
  RawClient third(server_->port());
  EXPECT_TRUE(third.read_all().starts_with("HTTP/1.1 503 "));
  first.close();
  ASSERT_TRUE(eventually([&] { return server_->connections() == 1; }));
  RawClient fourth(server_->port());
  fourth.send(get("/echo"));
  EXPECT_TRUE(fourth.read_until("GET").starts_with("HTTP/1.1 200 "));
}

TEST_F(HttpServerTest, ATaskThatThrowsEndsNothingElse) {
  start();
  RawClient client(server_->port());
  client.send(get("/hold"));
  ASSERT_TRUE(eventually([&] { return held() == 1; }));
  held_[0].post([] { throw std::bad_alloc(); });
  held_[0].post([this] { held_[0].answer(text_response("still here")); });
  EXPECT_TRUE(client.read_until("here").ends_with("still here"));
}

TEST_F(HttpServerTest, ServesManyAtOnce) {
  start();
  std::vector<std::thread> threads;
  std::atomic<int> good{0};
  for (int t = 0; t < 16; ++t) {
    threads.emplace_back([&, t] {
      RawClient client(server_->port());
      for (int i = 0; i < 50; ++i) {
        const std::string mark = std::to_string(t) + "-" + std::to_string(i);
        client.send(get("/echo?" + mark));
        good += client.read_until("GET " + mark + " ").ends_with("GET " + mark + " ");
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(good, 16 * 50);
}

TEST_F(HttpServerTest, StopLetsAnAnswerEndAndClosesIdleConnections) {
  start();
  RawClient idle(server_->port()), busy(server_->port());
  busy.send(get("/hold"));
  ASSERT_TRUE(eventually([&] { return held() == 1 && server_->connections() == 2; }));
  std::thread stopper([&] { server_->stop(5000); });
  EXPECT_EQ(idle.read_all(), "");
  held_[0].answer(text_response("done"));
  EXPECT_TRUE(busy.read_all().ends_with("done"));
  busy.close(), idle.close();
  stopper.join();
  EXPECT_EQ(disconnects_, 0);
  EXPECT_FALSE(RawClient(server_->port()).connected());
}

TEST_F(HttpServerTest, StopCutsAnAnswerThatDoesNotEnd) {
  start();
  RawClient busy(server_->port());
  busy.send(get("/hold"));
  ASSERT_TRUE(eventually([&] { return held() == 1; }));
  server_->stop(50);
  EXPECT_EQ(disconnects_, 1);
  EXPECT_EQ(busy.read_all(), "");
  held_[0].answer(text_response("too late"));  // harmless
}

TEST_F(HttpServerTest, NobodyListensAfterItStopped) {
  // Many times: with no connection open, the server's thread used to end before it came to close the port.
  for (int i = 0; i < 50; ++i) {
    start();
    const int port = server_->port();
    server_->stop(0);
    const ClosedPort held(port);
    EXPECT_FALSE(RawClient(port).connected());
  }
}

TEST_F(HttpServerTest, SaysWhatToDoWhenThePortIsInUse) {
  start();
  const auto refusal = [](int status, std::string_view) { return HttpResponse{status, "", {}, ""}; };
  const auto second = HttpServer::listen(
      "127.0.0.1", server_->port(), {}, [](HttpRequest, Responder) {}, refusal);
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.error().code, ErrorCode::kIo);
  EXPECT_NE(second.error().message.find("in use"), std::string::npos) << second.error().message;
  EXPECT_NE(second.error().message.find("--port"), std::string::npos);
  const auto third = HttpServer::listen(
      "256.1.1.1", 0, {}, [](HttpRequest, Responder) {}, refusal);
  EXPECT_FALSE(third.ok());
}

TEST_F(HttpServerTest, HeadersOfEveryAnswerGoWithWhateverIsAnswered) {
  start();
  RawClient whole(server_->port()), stream(server_->port()), dropped(server_->port());
  for (const auto& [client, path] :
       {std::pair{&whole, "/marked/echo"}, {&stream, "/marked/stream"}, {&dropped, "/marked/drop"}}) {
    client->send(get(path));
    EXPECT_NE(client->read_until("\r\n\r\n").find("X-Mark: yes\r\n"), std::string::npos) << path;
  }
}

TEST_F(HttpServerTest, AHeaderCanNotBeForged) {
  const auto forge = [](HttpRequest, Responder responder) {
    responder.answer({200, "text/plain", {{"X-Note", "a\r\nSet-Cookie: b"}}, "body"});
  };
  auto server = HttpServer::listen("127.0.0.1", 0, {}, forge, [](int status, std::string_view) {
    return HttpResponse{status, "", {}, ""};
  });
  ASSERT_TRUE(server.ok());
  (*server)->start();
  RawClient client((*server)->port());
  client.send(get("/"));
  EXPECT_EQ(client.read_until("body").find("Set-Cookie"), std::string::npos);
}

TEST(HttpTest, PercentDecode) {
  EXPECT_EQ(percent_decode("a%20b%2Fc%e4%bd%a0"), "a b/c\xe4\xbd\xa0");
  EXPECT_EQ(percent_decode("100%"), "100%");
  EXPECT_EQ(percent_decode("%4"), "%4");
  EXPECT_EQ(percent_decode("%zz%-1"), "%zz%-1");
  EXPECT_EQ(percent_decode("%41"), "A");
}

}  // namespace
}  // namespace hussar
