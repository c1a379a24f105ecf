// What is checked before a route is looked at: host, origin, key, trace.
#include "server/gate.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>

#include "server/host_check.h"
#include "server/server_fixture.h"
#include "server/trace_context.h"

namespace hussar {
namespace {

constexpr std::string_view kJsonType = "Content-Type: application/json\r\n";

class GateTest : public ServerTest {
 protected:
  void start_with_keys(const std::string& entries) {
    path_ = ::testing::TempDir() + "gate-keys-" + std::to_string(getpid()) + ".json";
    write_keys(entries);
    options_.api_keys_file = path_;
    start();
  }
  void write_keys(const std::string& entries) const {
    std::ofstream(path_) << R"({"keys":[)" << entries << "]}";
  }
  void TearDown() override {
    ServerTest::TearDown();
    if (!path_.empty()) std::remove(path_.c_str());
  }
  Answer get_with(const std::string& path, const std::string& headers) {
    return exchange("GET " + path + " HTTP/1.1\r\n" + headers + "Connection: close\r\n\r\n");
  }
  std::string complete(const std::string& headers, std::string_view body = R"({"prompt":"x"})") {
    return post("/v1/completions", body, std::string(kJsonType) + headers);
  }
  static std::string header_of(const Answer& answer, const std::string& name) {
    const size_t begin = answer.head.find("\r\n" + name + ": ");
    if (begin == std::string::npos) return "";
    const size_t from = begin + name.size() + 4;
    return answer.head.substr(from, answer.head.find("\r\n", from) - from);
  }
  std::string path_;
};

TEST(HostCheck, KnowsLocalNames) {
  for (const char* local : {"localhost", "LOCALHOST:8080", "a.localhost", "127.0.0.1:8080", "127.1.2.3",
                            "[::1]", "[::1]:80", "10.0.0.7:80", "localhost."})
    EXPECT_TRUE(is_local_host_header(local, {})) << local;
  for (const char* foreign : {"", ":80", "evil.example", "evil.example:8080", "localhost.evil.example",
                              "127.0.0.1.evil.example", "xlocalhost", "[::1", "[evil]"})
    EXPECT_FALSE(is_local_host_header(foreign, {})) << foreign;
  EXPECT_TRUE(is_local_host_header("My.Box:80", {"my.box"}));
  EXPECT_TRUE(is_local_address("127.0.0.1") && is_local_address("::1") && is_local_address("localhost"));
  EXPECT_FALSE(is_local_address("0.0.0.0") || is_local_address("::") || is_local_address("192.168.1.2"));
}

TEST(TraceContext, ReadsWhatIsWellFormedAndIgnoresTheRest) {
  const std::string trace = "0af7651916cd43dd8448eb211c80319c", span = "b7ad6b7169203331";
  const auto parent = read_traceparent("00-" + trace + "-" + span + "-01");
  ASSERT_TRUE(parent);
  const TraceContext own = child_of(*parent);
  EXPECT_EQ(own.trace_id, trace);
  EXPECT_NE(own.parent_id, span);
  EXPECT_EQ(own.flags, "01");
  EXPECT_EQ(read_traceparent(own.text())->text(), own.text());
  EXPECT_TRUE(read_traceparent("01-" + trace + "-" + span + "-01-more")) << "a later version";
  for (const std::string& bad :
       {std::string(""), "00-" + trace + "-" + span, "00-" + trace + "-" + span + "-1",
        "00-" + trace + "-" + span + "-01-more", "00-" + trace + "-" + span + "-0G",
        "ff-" + trace + "-" + span + "-01", "00-" + std::string(32, '0') + "-" + span + "-01",
        "00-" + trace + "-" + std::string(16, '0') + "-01", "00_" + trace + "-" + span + "-01",
        "00-0AF7651916CD43DD8448EB211C80319C-" + span + "-01", "01-" + trace + "-" + span + "-01x"})
    EXPECT_FALSE(read_traceparent(bad)) << bad;
}

TEST_F(GateTest, AForeignHostIsRefusedWhereTheServerListensLocally) {
  options_.allowed_hosts = {"box.lan"};
  start();
  const Answer rebound = get_with("/v1/models", "Host: evil.example\r\n");
  EXPECT_EQ(rebound.status, 403);
  EXPECT_EQ(error_code(rebound), "host_not_allowed");
  EXPECT_EQ(get_with("/v1/models", "Host: localhost:1\r\n").status, 200);
  EXPECT_EQ(get_with("/v1/models", "Host: box.lan\r\n").status, 200);
}

TEST_F(GateTest, PagesOfNoNamedOriginAreToldNothing) {
  start();
  const Answer answer = get_with("/v1/models", "Host: localhost\r\nOrigin: https://a.example\r\n");
  EXPECT_EQ(answer.head.find("Access-Control"), std::string::npos) << answer.head;
  const Answer preflight = exchange(
      "OPTIONS /v1/completions HTTP/1.1\r\nHost: localhost\r\nOrigin: https://a.example\r\n"
      "Access-Control-Request-Method: POST\r\nConnection: close\r\n\r\n");
  EXPECT_EQ(preflight.status, 405);
}

TEST_F(GateTest, PagesOfANamedOriginMayAsk) {
  options_.cors_origins = {"https://a.example"};
  start();
  const std::string from_a = "Host: localhost\r\nOrigin: https://a.example\r\n";
  EXPECT_EQ(header_of(get_with("/v1/models", from_a), "Access-Control-Allow-Origin"), "https://a.example");
  EXPECT_EQ(header_of(get_with("/v1/models", "Host: localhost\r\nOrigin: https://b.example\r\n"),
                      "Access-Control-Allow-Origin"),
            "");
  const Answer preflight = exchange("OPTIONS /v1/completions HTTP/1.1\r\n" + from_a +
                                    "Access-Control-Request-Method: POST\r\nAccess-Control-Request-Headers: "
                                    "authorization\r\nConnection: close\r\n\r\n");
  EXPECT_EQ(preflight.status, 204);
  EXPECT_EQ(header_of(preflight, "Access-Control-Allow-Headers"), "authorization");
  RawClient stream(port());
  stream.send(complete("Origin: https://a.example\r\n", R"({"prompt":"x","stream":true})"));
  ASSERT_TRUE(wait_for_request(1));
  engine_.feed(1, {last_event('a', FinishReason::kLength)});
  EXPECT_EQ(header_of(parse_answer(stream.read_all()), "Access-Control-Allow-Origin"), "https://a.example");
}

TEST_F(GateTest, TheTraceGoesOn) {
  start();
  const std::string trace = "0af7651916cd43dd8448eb211c80319c";
  const Answer answer =
      get_with("/v1/models", "Host: localhost\r\ntraceparent: 00-" + trace + "-b7ad6b7169203331-01\r\n");
  const auto own = read_traceparent(header_of(answer, "traceparent"));
  ASSERT_TRUE(own) << answer.head;
  EXPECT_EQ(own->trace_id, trace);
  EXPECT_NE(own->parent_id, "b7ad6b7169203331");
  EXPECT_EQ(header_of(get_with("/v1/models", "Host: localhost\r\ntraceparent: nonsense\r\n"), "traceparent"),
            "");
}

TEST_F(GateTest, EveryRouteButHealthNeedsTheKey) {
  start_with_keys(R"({"name":"alice","key":"sk-alice-1"})");
  for (const char* path : {"/health", "/ready"}) EXPECT_EQ(get(path).status, 200) << path;
  for (const char* path : {"/v1/models", "/v1/models/m", "/metrics", "/v1/load", "/", "/nothing"}) {
    const Answer answer = get(path);
    EXPECT_EQ(answer.status, 401) << path;
    EXPECT_EQ(error_code(answer), "invalid_api_key");
    EXPECT_EQ(header_of(answer, "WWW-Authenticate"), "Bearer");
  }
  EXPECT_EQ(exchange(complete("")).status, 401);
  EXPECT_EQ(exchange(complete("Authorization: Bearer sk-alice-2\r\n")).status, 401);
  EXPECT_EQ(get_with("/v1/models", "Host: localhost\r\nAuthorization: Bearer sk-alice-1\r\n").status, 200);
  EXPECT_EQ(get_with("/v1/models", "Host: localhost\r\nX-Api-Key: sk-alice-1\r\n").status, 200);
}

TEST_F(GateTest, TheKeysHolderAndShareReachTheEngine) {
  start_with_keys(R"({"name":"alice","key":"sk-alice-1","weight":3},{"name":"bob","key":"sk-bob-12"})");
  RawClient alice(port()), bob(port());
  alice.send(complete("Authorization: Bearer sk-alice-1\r\n"));
  ASSERT_TRUE(wait_for_request(1));
  bob.send(complete("Authorization: Bearer sk-bob-12\r\n"));
  ASSERT_TRUE(wait_for_request(2));
  EXPECT_EQ(engine_.request(1)->tenant_share, 0.75);
  EXPECT_EQ(engine_.request(2)->tenant_share, 0.25);
  EXPECT_NE(engine_.request(1)->tenant, engine_.request(2)->tenant);
  EXPECT_NE(engine_.request(1)->tenant, 0);
}

TEST_F(GateTest, LimitsOfAKeyAre429sThatSayWhenToComeAgain) {
  start_with_keys(R"({"name":"a","key":"sk-a-12345","concurrency_max":1},
                     {"name":"b","key":"sk-b-12345","requests_per_minute":2},
                     {"name":"c","key":"sk-c-12345","tokens_per_minute":3})");
  const auto ask = [&](char who) {
    return complete(std::string("Authorization: Bearer sk-") + who + "-12345\r\n");
  };
  RawClient first(port());
  first.send(ask('a'));
  ASSERT_TRUE(wait_for_request(1));
  EXPECT_EQ(error_code(exchange(ask('a'))), "concurrency_limit");
  engine_.feed(1, {last_event('x', FinishReason::kLength)});
  EXPECT_EQ(parse_answer(first.read_all()).status, 200);
  RawClient again(port());
  ASSERT_TRUE(eventually([&] {
    RawClient next(port());
    next.send(ask('a'));
    return engine_.request(2).has_value() || parse_answer(next.read_until("\r\n\r\n")).status != 429;
  }));

  for (RequestId id = 3; id <= 4; ++id) {
    RawClient client(port());
    client.send(ask('b'));
    ASSERT_TRUE(wait_for_request(id));
  }
  const Answer slower = exchange(ask('b'));
  EXPECT_EQ(slower.status, 429);
  EXPECT_EQ(error_code(slower), "rate_limit_requests");
  const int seconds = std::atoi(header_of(slower, "Retry-After").c_str());
  EXPECT_TRUE(seconds >= 29 && seconds <= 30) << "half a minute for one of two: " << seconds;

  RawClient many(port());
  many.send(ask('c'));
  ASSERT_TRUE(wait_for_request(5));
  engine_.feed_text(5, "abcdefgh", last_event('i', FinishReason::kLength));
  EXPECT_EQ(parse_answer(many.read_all()).status, 200);
  Answer spent;
  ASSERT_TRUE(eventually([&] { return (spent = exchange(ask('c'))).status == 429; }));
  EXPECT_EQ(error_code(spent), "rate_limit_tokens");
  EXPECT_GE(std::atoi(header_of(spent, "Retry-After").c_str()), 100)
      << "8 of 3 a minute are to be made up for";
}

TEST_F(GateTest, AllChoicesOfAnAnswerThatWasGivenUpArePaidFor) {
  start_with_keys(R"({"name":"a","key":"sk-a-12345","tokens_per_minute":20})");
  const std::string key = "Authorization: Bearer sk-a-12345\r\n";
  {
    RawClient client(port());
    client.send(complete(key, R"({"prompt":"x","n":3,"stream":true})"));
    ASSERT_TRUE(wait_for_request(3));
    engine_.feed_text(1, "a", std::nullopt);
    engine_.feed_text(2, "0123456789", std::nullopt);
    engine_.feed_text(3, "0123456789", std::nullopt);
    client.read_until("9");
  }
  ASSERT_TRUE(eventually([&] { return engine_.cancels() >= 3; }));
  Answer spent;
  ASSERT_TRUE(eventually([&] { return (spent = exchange(complete(key, "{}"))).status == 429; }))
      << "a prompt of one token and answers of 1, 10 and 10";
  EXPECT_EQ(error_code(spent), "rate_limit_tokens");
  EXPECT_NE(get_with("/metrics", "Host: localhost\r\n" + key)
                .body.find("vllm:request_generation_tokens_sum{model_name=\"m\"} 21"),
            std::string::npos);
}

TEST_F(GateTest, AKeyThatIsLongerThanAnyIsNone) {
  start_with_keys(R"({"name":"a","key":")" + std::string(512, 'k') + "\"}");
  for (const auto& [bytes, status] :
       {std::pair<size_t, int>{512, 200}, {513, 401}, {1024, 401}, {30'000, 401}})
    EXPECT_EQ(
        get_with("/v1/models", "Host: localhost\r\nX-Api-Key: " + std::string(bytes, 'k') + "\r\n").status,
        status);
}

TEST_F(GateTest, AChangedFileOfKeysIsReadWithoutARestart) {
  start_with_keys(R"({"name":"alice","key":"sk-alice-1"})");
  write_keys(R"({"name":"alice","key":"sk-alice-2"})");
  server_->reload_keys();
  EXPECT_EQ(get_with("/v1/models", "Host: localhost\r\nX-Api-Key: sk-alice-1\r\n").status, 401);
  EXPECT_EQ(get_with("/v1/models", "Host: localhost\r\nX-Api-Key: sk-alice-2\r\n").status, 200);
  write_keys("nonsense");
  server_->reload_keys();
  EXPECT_EQ(get_with("/v1/models", "Host: localhost\r\nX-Api-Key: sk-alice-2\r\n").status, 200);
  write_keys(R"({"name":"alice","key":"sk-alice-3"})");
  EXPECT_TRUE(eventually([&] {
    return get_with("/v1/models", "Host: localhost\r\nX-Api-Key: sk-alice-3\r\n").status == 200;
  })) << "by itself, within a second or two";
}

}  // namespace
}  // namespace hussar
