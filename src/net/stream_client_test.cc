#include "net/stream_client.h"

#include <gtest/gtest.h>

#include <atomic>

#include "base/check.h"
#include "net/http_server.h"
#include "net/raw_server.h"

namespace hussar {
namespace {

constexpr std::string_view kHello = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";

std::unique_ptr<StreamClient> make_client(const std::string& url, StreamClientOptions options = {}) {
  options.url = url;
  options.header_bytes_max = 1000;
  auto client = StreamClient::create(options);
  CHECK_NOTE(client.ok(), client.error().message.c_str());  // nothing can go on without it
  return std::move(*client);
}

std::string get_wire(const StreamClient& client, std::string_view path = "/") {
  return client.make_request("GET", path, {}, "").value();
}

HttpReply get(StreamClient& client, int64_t timeout_ms = 5000) {
  return exchange_blocking(client, get_wire(client), timeout_ms);
}

// Notes what happened and checks the order of it.
struct Noted : public CallListener {
  std::string events;  // one letter each: c onnecting done, s ent, h ead, b ody, e nd
  std::string body, detail;
  int status = 0;
  bool reused = false;
  CallEnd end = CallEnd::kDone;
  TimePoint last{};
  std::function<void(char)> then;  // called last with the event's letter

  void note(char letter, TimePoint at) {
    EXPECT_TRUE(events.empty() || events.back() != 'e') << "nothing may come after the end";
    EXPECT_GE(at, last);
    last = at;
    events += letter;
  }
  void on_sending(TimePoint at, bool was_reused) override {
    note('c', at);
    reused = was_reused;
    if (then) then('c');
  }
  void on_sent(TimePoint at) override {
    note('s', at);
    if (then) then('s');
  }
  void on_head(int new_status, const std::vector<HttpHeader>&, TimePoint at) override {
    note('h', at);
    status = new_status;
    if (then) then('h');
  }
  void on_body(std::string_view bytes, TimePoint at) override {
    note('b', at);
    body += bytes;
    if (then) then('b');
  }
  void on_end(CallEnd new_end, std::string_view new_detail, TimePoint at) override {
    note('e', at);
    end = new_end;
    detail = new_detail;
    if (then) then('e');
  }
};

// Runs calls until all have ended.
void run_calls(StreamClient& client, std::vector<Noted>& calls, std::shared_ptr<const std::string> wire) {
  size_t left = calls.size();
  for (Noted& call : calls) {
    call.then = [&left, &client](char letter) {
      if (letter == 'e' && --left == 0) client.stop();
    };
    client.start(wire, &call);
  }
  client.run();
}

TEST(StreamClient, GetsAnAnswerInOrder) {
  RawServer server({[](RawPeer& peer) {
    const std::string request = peer.read_request();
    EXPECT_TRUE(request.starts_with("GET /base/x?y=1 HTTP/1.1\r\nHost: 127.0.0.1:")) << request;
    EXPECT_EQ(request.find("Connection:"), std::string::npos);
    peer.send(kHello);
    peer.wait();
  }});
  const auto client = make_client(server.url() + "/base/");
  std::vector<Noted> calls(1);
  run_calls(*client, calls, std::make_shared<const std::string>(get_wire(*client, "/x?y=1")));
  EXPECT_EQ(calls[0].events, "cshbe");
  EXPECT_EQ(calls[0].end, CallEnd::kDone);
  EXPECT_EQ(calls[0].body, "hello");
  EXPECT_FALSE(calls[0].reused);
}

TEST(StreamClient, ReadsAnAnswerThatComesByteByByte) {
  const std::string answer =
      "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: "
      "chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
  RawServer server({[&answer](RawPeer& peer) {
    peer.read_request();
    for (const char byte : answer) {
      peer.send({&byte, 1});
      std::this_thread::sleep_for(std::chrono::microseconds(200));
    }
    peer.wait();
  }});
  const auto client = make_client(server.url());
  const HttpReply reply = get(*client);
  EXPECT_EQ(reply.end, CallEnd::kDone) << reply.detail;
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(reply.body, "hello");
}

TEST(StreamClient, UsesAConnectionAgain) {
  RawServer server({[](RawPeer& peer) {
    while (!peer.read_request().empty()) peer.send(kHello);
  }});
  const auto client = make_client(server.url());
  const auto wire = std::make_shared<const std::string>(get_wire(*client));
  for (int i = 0; i < 3; ++i) {
    std::vector<Noted> calls(1);
    run_calls(*client, calls, wire);
    EXPECT_EQ(calls[0].end, CallEnd::kDone) << calls[0].detail;
    EXPECT_EQ(calls[0].reused, i > 0);
  }
}

TEST(StreamClient, WithoutKeepAliveEachCallHasItsOwnConnection) {
  const RawServer::Script once = [](RawPeer& peer) {
    EXPECT_NE(peer.read_request().find("\r\nConnection: close\r\n"), std::string::npos);
    peer.send(kHello);
    EXPECT_TRUE(peer.at_end()) << "the client closes, though the server would go on";
  };
  RawServer server({once, once});
  StreamClientOptions options;
  options.keep_alive = false;
  const auto client = make_client(server.url(), options);
  EXPECT_EQ(get(*client).body, "hello");
  EXPECT_EQ(get(*client).body, "hello");
}

TEST(StreamClient, AConnectionThatTheServerClosedWhileIdleFailsNoCall) {
  // The first connection is closed only when the second request has reached it, which no client can foresee.
  RawServer server({[](RawPeer& peer) {
                      peer.read_request();
                      peer.send(kHello);
                      peer.read_request();
                      peer.reset();
                    },
                    [](RawPeer& peer) {
                      peer.read_request();
                      peer.send(kHello);
                      peer.wait();
                    }});
  const auto client = make_client(server.url());
  EXPECT_EQ(get(*client).body, "hello");
  std::vector<Noted> calls(1);
  run_calls(*client, calls, std::make_shared<const std::string>(get_wire(*client)));
  EXPECT_EQ(calls[0].end, CallEnd::kDone) << calls[0].detail;
  EXPECT_EQ(calls[0].events, "cscshbe");
  EXPECT_FALSE(calls[0].reused) << "it went over the new one";
}

TEST(StreamClient, TriesAgainOnceOnlyAndNotAfterTheFirstByte) {
  const RawServer::Script cut = [](RawPeer& peer) { peer.read_request(); };
  RawServer server({[](RawPeer& peer) {
                      peer.read_request();
                      peer.send(kHello);
                      peer.read_request();
                    },
                    cut,
                    [](RawPeer& peer) {
                      peer.read_request();
                      peer.send(kHello);
                      peer.read_request();
                      peer.send("H");
                    }});
  const auto client = make_client(server.url());
  EXPECT_EQ(get(*client).end, CallEnd::kDone);
  EXPECT_EQ(get(*client).end, CallEnd::kBroken) << "the new connection broke as well";
  EXPECT_EQ(get(*client).end, CallEnd::kDone);
  const HttpReply begun = get(*client);
  EXPECT_EQ(begun.end, CallEnd::kBroken);
  EXPECT_NE(begun.detail.find("headers"), std::string::npos) << begun.detail;
}

TEST(StreamClient, SaysHowAnAnswerBroke) {
  const std::string head = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n";
  struct Case {
    std::string bytes;
    bool reset;
    CallEnd end;
    std::string detail;
  };
  const Case cases[] = {
      {"", false, CallEnd::kBroken, "closed the connection before any byte"},
      {"", true, CallEnd::kBroken, "before any byte"},
      {"HTTP/1.1 2", false, CallEnd::kBroken, "answer's headers"},
      {head + "abc", false, CallEnd::kBroken, "in the middle of the answer"},
      {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nab", false, CallEnd::kBroken,
       "in the middle"},
      {"HTTP/1.1 200 OK\r\n\r\nabc", false, CallEnd::kDone, ""},
      {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n", false, CallEnd::kBadAnswer, "size"},
      {"what is this?\r\n", false, CallEnd::kBadAnswer, "what is this?"},
      {"HTTP/1.1 200 OK\r\nA: " + std::string(2000, 'a'), false, CallEnd::kBadAnswer, "1000 bytes"},
  };
  for (const Case& one : cases) {
    RawServer server({[&one](RawPeer& peer) {
      peer.read_request();
      peer.send(one.bytes);
      if (one.reset) peer.reset();
    }});
    const auto client = make_client(server.url());
    const HttpReply reply = get(*client);
    EXPECT_EQ(reply.end, one.end) << one.bytes << reply.detail;
    EXPECT_NE(reply.detail.find(one.detail), std::string::npos) << one.bytes << reply.detail;
    EXPECT_EQ(reply.detail.find('\n'), std::string::npos);
  }
}

TEST(StreamClient, DoesNotTakeStrayBytesForTheNextAnswer) {
  RawServer server({[](RawPeer& peer) {
                      peer.read_request();
                      peer.send(std::string(kHello) + "HTTP/1.1 500 Forged\r\nContent-Length: 0\r\n\r\n");
                      EXPECT_TRUE(peer.at_end());
                    },
                    [](RawPeer& peer) {
                      peer.read_request();
                      peer.send(kHello);
                      peer.wait();
                    }});
  const auto client = make_client(server.url());
  EXPECT_EQ(get(*client).body, "hello");
  const HttpReply second = get(*client);
  EXPECT_EQ(second.status, 200);
  EXPECT_EQ(second.body, "hello");
}

TEST(StreamClient, AnAnswerBeforeTheRequestIsWholeCounts) {
  RawServer server({[](RawPeer& peer) {
    peer.read_request();
    peer.send("HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\n\r\nbig");
    peer.wait();
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }});
  const auto client = make_client(server.url());
  const std::string body(64 << 20, 'x');  // far more than the sockets hold
  const HttpReply reply =
      exchange_blocking(*client, client->make_request("POST", "/", {}, body).value(), 5000);
  EXPECT_EQ(reply.end, CallEnd::kDone) << reply.detail;
  EXPECT_EQ(reply.status, 413);
  EXPECT_EQ(reply.body, "big");
}

TEST(StreamClient, SaysThatNobodyListens) {
  const ClosedPort closed;
  const auto client = make_client(closed.url());
  std::vector<Noted> calls(2);
  run_calls(*client, calls, std::make_shared<const std::string>(get_wire(*client)));
  for (const Noted& call : calls) {
    EXPECT_EQ(call.events, "e");
    EXPECT_EQ(call.end, CallEnd::kConnectFailed);
    EXPECT_EQ(call.detail,
              "can't connect to 127.0.0.1:" + std::to_string(closed.port()) + ": Connection refused");
  }
}

TEST(StreamClient, TriesTheAddressesOfANameInTurn) {
  // The server has the IPv4 address alone, while localhost means ::1 as well on most machines.
  RawServer server({[](RawPeer& peer) {
    while (!peer.read_request().empty()) peer.send(kHello);
  }});
  const auto client = make_client("http://localhost:" + std::to_string(server.port()));
  EXPECT_EQ(get(*client).body, "hello");
}

TEST(StreamClient, RefusesUrlsAndRequestsThatCanNotBe) {
  for (const char* url : {"", "127.0.0.1:80", "ftp://h/", "http://user:secret@127.0.0.1/",
                          "http://127.0.0.1/?a", "http://127.0.0.1/#a"}) {
    StreamClientOptions options;
    options.url = url;
    const auto client = StreamClient::create(options);
    ASSERT_FALSE(client.ok()) << url;
    EXPECT_EQ(client.error().code, ErrorCode::kInvalid);
  }
  StreamClientOptions nowhere;
  nowhere.url = "http://no-such-host.invalid";
  const auto unfound = StreamClient::create(nowhere);
  ASSERT_FALSE(unfound.ok());
  EXPECT_EQ(unfound.error().code, ErrorCode::kIo);

  const auto client = make_client("http://[::1]:8080");
  EXPECT_EQ(client->make_request("POST", "/a", {{"A", "b"}}, "{}").value(),
            "POST /a HTTP/1.1\r\nHost: [::1]:8080\r\nA: b\r\nContent-Length: 2\r\n\r\n{}");
  EXPECT_EQ(client->make_request("GET", "/a", {{"host", "b"}}, "").value(),
            "GET /a HTTP/1.1\r\nhost: b\r\n\r\n");
  EXPECT_FALSE(client->make_request("GET", "a", {}, "").ok());
  EXPECT_FALSE(client->make_request("GET", "/a b", {}, "").ok());
  EXPECT_FALSE(client->make_request("GET", "/a\r\nB: c", {}, "").ok());
  EXPECT_FALSE(client->make_request("G T", "/", {}, "").ok());
  EXPECT_FALSE(client->make_request("GET", "/", {{"A", "b\r\nC: d"}}, "").ok());
  EXPECT_FALSE(client->make_request("GET", "/", {{"A:", "b"}}, "").ok());
  EXPECT_FALSE(client->make_request("GET", "/", {{"Content-Length", "1"}}, "").ok());
}

TEST(StreamClient, CancelsWhereverACallStands) {
  // h: while the answer comes; s: once it was sent; c: before a byte goes out; 0: before it has begun.
  for (const char when : {'0', 'c', 's', 'h', 'b'}) {
    std::atomic<bool> gone{false};
    RawServer server({[&gone, when](RawPeer& peer) {
      if (when != '0' && when != 'c') peer.read_request();
      peer.send("HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello");
      gone = peer.at_end();
    }});
    const auto client = make_client(server.url());
    Noted call;
    StreamClient::CallId id = 0;
    bool inside = false;
    call.then = [&](char letter) {
      if (letter == 'e') {
        EXPECT_FALSE(inside) << "the end never comes from within cancel()";
        client->stop();
      } else if (letter == when) {
        inside = true;
        client->cancel(id);
        inside = false;
      }
    };
    id = client->start(std::make_shared<const std::string>(get_wire(*client)), &call);
    if (when == '0') client->cancel(id);
    client->cancel(id + 1000);  // unknown: ignored
    client->run();
    EXPECT_EQ(call.end, CallEnd::kCancelled) << when;
    EXPECT_EQ(call.events.find(when), when == '0' ? std::string::npos : call.events.size() - 2)
        << call.events;
  }
}

TEST(StreamClient, AListenerMayStartTheNextCall) {
  RawServer server({[](RawPeer& peer) {
    while (!peer.read_request().empty()) peer.send(kHello);
  }});
  const auto client = make_client(server.url());
  const auto wire = std::make_shared<const std::string>(get_wire(*client));
  Noted first, second;
  first.then = [&](char letter) {
    if (letter == 'e') client->start(wire, &second);
  };
  second.then = [&](char letter) {
    if (letter == 'e') client->stop();
  };
  client->start(wire, &first);
  client->run();
  EXPECT_EQ(second.end, CallEnd::kDone);
  EXPECT_TRUE(second.reused) << "the connection is free before the end is told";
}

TEST(StreamClient, GivesUpWhenTheTimeIsOver) {
  RawServer server({[](RawPeer& peer) {
    peer.read_request();
    EXPECT_TRUE(peer.at_end());
  }});
  const auto client = make_client(server.url());
  const HttpReply reply = get(*client, 30);
  EXPECT_EQ(reply.end, CallEnd::kCancelled);
  EXPECT_EQ(reply.detail, "no whole answer within 30 ms");
}

TEST(StreamClient, LimitsTheBodyOfABlockingExchange) {
  RawServer server({[](RawPeer& peer) {
    peer.read_request();
    peer.send(kHello);
    EXPECT_TRUE(peer.at_end());
  }});
  const auto client = make_client(server.url());
  const HttpReply reply = exchange_blocking(*client, get_wire(*client), 5000, 4);
  EXPECT_EQ(reply.end, CallEnd::kBadAnswer);
  EXPECT_EQ(reply.detail, "the answer is longer than 4 bytes");
}

TEST(StreamClient, RunsTimedTasksInOrderAndCountsThem) {
  const auto client = make_client("http://127.0.0.1:9");
  std::string order;
  const TimePoint now = Clock::now();
  client->call_at(now + std::chrono::milliseconds(20), [&] {
    order += 'c';
    client->stop();
  });
  client->call_at(now + std::chrono::milliseconds(10), [&] {
    order += 'a';
    client->call_at(now, [&] { order += 'b'; });  // long past: at once
  });
  client->call_at(now + std::chrono::hours(1), [&] { order += 'x'; });
  client->run();
  EXPECT_EQ(order, "abc");
  EXPECT_GE(Clock::now() - now, std::chrono::milliseconds(20)) << "never early";
  const LoopStats stats = client->stats();
  uint64_t counted = 0;
  for (const uint64_t count : stats.timer_delay_counts) counted += count;
  EXPECT_EQ(counted, 3u);
  EXPECT_GE(stats.run_ns, 20'000'000);
  EXPECT_GT(stats.thread_cpu_ns, 0);
  EXPECT_LE(stats.thread_cpu_ns, stats.run_ns);
}

TEST(StreamClient, TakesTasksFromOtherThreads) {
  const auto client = make_client("http://127.0.0.1:9");
  int done = 0;
  std::thread other([&] {
    for (int i = 0; i < 1000; ++i) {
      client->post([&] {
        if (++done == 2000) client->stop();
      });
    }
  });
  std::thread another([&] {
    for (int i = 0; i < 1000; ++i) {
      client->post([&] {
        if (++done == 2000) client->stop();
      });
    }
  });
  client->run();
  other.join();
  another.join();
  EXPECT_EQ(done, 2000);
  client->stop();  // before run(): the next one ends at once
  client->run();
}

// An echo of the path, plain or as a stream.
std::unique_ptr<HttpServer> make_server() {
  auto server = HttpServer::listen(
      "127.0.0.1", 0, {},
      [](const HttpRequest& request, Responder responder) {
        if (request.path == "/stream") {
          responder.start_stream({200, "text/event-stream", {}, "data: 1\n\n"});
          responder.write("data: 2\n\n");
          responder.finish();
        } else {
          responder.answer({200, "text/plain", {}, request.body});
        }
      },
      [](int status, std::string_view detail) {
        return HttpResponse{status, "text/plain", {}, std::string(detail)};
      });
  EXPECT_TRUE(server.ok());
  (*server)->start();
  return std::move(*server);
}

TEST(StreamClient, RunsManyCallsAtOnce) {
  const auto server = make_server();
  const auto client = make_client("http://127.0.0.1:" + std::to_string(server->port()));
  const auto wire = std::make_shared<const std::string>(get_wire(*client, "/stream"));
  size_t connected = 0;
  client->connect_ahead(200, [&](size_t count) {
    connected = count;
    client->stop();
  });
  client->run();
  EXPECT_EQ(connected, 200u);
  for (int round = 0; round < 2; ++round) {
    std::vector<Noted> calls(500);
    run_calls(*client, calls, wire);
    for (const Noted& call : calls) {
      EXPECT_EQ(call.end, CallEnd::kDone) << call.detail;
      EXPECT_EQ(call.body, "data: 1\n\ndata: 2\n\n");
      EXPECT_TRUE(call.reused || round == 0);
    }
  }
  EXPECT_LE(server->connections(), 500u);
}

TEST(StreamClient, SendsALongBody) {
  const auto server = make_server();
  const auto client = make_client("http://127.0.0.1:" + std::to_string(server->port()));
  std::string body(5 << 20, 'x');
  for (size_t i = 0; i < body.size(); ++i) body[i] = static_cast<char>('a' + i % 26);
  for (int i = 0; i < 2; ++i) {
    const HttpReply reply =
        exchange_blocking(*client, client->make_request("POST", "/", {}, body).value(), 5000);
    EXPECT_EQ(reply.end, CallEnd::kDone) << reply.detail;
    EXPECT_TRUE(reply.body == body);
  }
}

TEST(StreamClient, ConnectsAheadAsFarAsItGets) {
  const auto client = make_client("http://127.0.0.1:1");
  for (const size_t count : {size_t{0}, size_t{200}}) {
    size_t connected = 99;
    client->connect_ahead(count, [&](size_t stand) {
      connected = stand;
      client->stop();
    });
    client->run();
    EXPECT_EQ(connected, 0u);
  }
}

}  // namespace
}  // namespace hussar
