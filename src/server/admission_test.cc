// Deadlines and priorities, from the wire to the engine and back.
#include "server/admission.h"

#include <gtest/gtest.h>

#include "server/server_fixture.h"

namespace hussar {
namespace {

int64_t deadline_in_ms(const Request& request) {
  return std::chrono::round<std::chrono::milliseconds>(request.deadline - Clock::now()).count();
}

class AdmissionTest : public ServerTest {
 protected:
  std::string complete(std::string_view fields, std::string_view headers = "") {
    return post("/v1/completions", R"({"prompt":"x")" + std::string(fields) + "}",
                "Content-Type: application/json\r\n" + std::string(headers));
  }
};

TEST_F(AdmissionTest, DeadlineAndPriorityReachTheEngine) {
  start();
  RawClient body(port()), header(port()), both(port()), none(port());
  body.send(complete(R"(,"deadline_ms":60000,"priority":-7)"));
  ASSERT_TRUE(wait_for_request(1));
  EXPECT_LE(deadline_in_ms(*engine_.request(1)), 60'000);
  EXPECT_GT(deadline_in_ms(*engine_.request(1)), 0);
  EXPECT_EQ(engine_.request(1)->priority, -7);
  header.send(complete("", "X-Request-Deadline-Ms: 80000\r\n"));
  ASSERT_TRUE(wait_for_request(2));
  EXPECT_GT(deadline_in_ms(*engine_.request(2)), 60'000);
  both.send(complete(R"(,"deadline_ms":60000)", "x-request-deadline-ms: 60000\r\n"));
  ASSERT_TRUE(wait_for_request(3));
  EXPECT_TRUE(engine_.request(3)->has_deadline());
  none.send(complete(""));
  ASSERT_TRUE(wait_for_request(4));
  EXPECT_FALSE(engine_.request(4)->has_deadline());
  EXPECT_EQ(engine_.request(4)->priority, 0);
}

TEST_F(AdmissionTest, ADeadlineThatIsNoneIsRefusedByName) {
  start();
  for (const char* bad : {"0", "-1", "1.5", "soon", "86400001", ""}) {
    const Answer answer = exchange(complete("", "X-Request-Deadline-Ms: " + std::string(bad) + "\r\n"));
    EXPECT_EQ(answer.status, 400) << bad;
    EXPECT_EQ(*answer.json.find("error")->find("param")->as_string(), "X-Request-Deadline-Ms") << bad;
  }
  for (const char* bad : {"0", "1.5", "\"1\"", "86400001"}) {
    const Answer answer = exchange(complete(R"(,"deadline_ms":)" + std::string(bad)));
    EXPECT_EQ(answer.status, 400) << bad;
    EXPECT_EQ(*answer.json.find("error")->find("param")->as_string(), "deadline_ms") << bad;
  }
  EXPECT_EQ(exchange(complete(R"(,"deadline_ms":5)", "X-Request-Deadline-Ms: 6\r\n")).status, 400);
  EXPECT_EQ(exchange(complete(R"(,"priority":1001)")).status, 400);
}

TEST_F(AdmissionTest, AnInfeasibleDeadlineSaysWhatWouldBeFeasible) {
  engine_.refusal = Error{ErrorCode::kDeadline, "this deadline can't be met now", "deadline_ms", 2345};
  start();
  const Answer busy = exchange(complete(R"(,"deadline_ms":10)"));
  EXPECT_EQ(busy.status, 429);
  EXPECT_EQ(error_code(busy), "deadline_infeasible");
  EXPECT_NE(busy.head.find("X-Feasible-Deadline-Ms: 2345\r\n"), std::string::npos) << busy.head;
  EXPECT_NE(busy.head.find("Retry-After: 3\r\n"), std::string::npos) << busy.head;
  engine_.refusal = Error{ErrorCode::kInvalid, "never", "deadline_ms", 500};
  const Answer never = exchange(complete(R"(,"deadline_ms":10)"));
  EXPECT_EQ(never.status, 400);
  EXPECT_EQ(error_code(never), "deadline_infeasible");
  EXPECT_NE(never.head.find("X-Feasible-Deadline-Ms: 500\r\n"), std::string::npos) << never.head;
}

TEST_F(AdmissionTest, AnExpiredDeadlineEndsTheAnswerWithItsReason) {
  start();
  RawClient whole(port());
  whole.send(complete(R"(,"deadline_ms":60000)"));
  ASSERT_TRUE(wait_for_request(1));
  engine_.feed_text(1, "some", last_event(-1, FinishReason::kDeadline));
  const Answer partial = parse_answer(whole.read_all());
  EXPECT_EQ(partial.status, 200);
  EXPECT_EQ(*partial.json.find("text")->as_string(), "some");
  EXPECT_NE(partial.body.find(R"("finish_reason":"deadline")"), std::string::npos) << partial.body;

  RawClient stream(port());
  stream.send(complete(R"(,"deadline_ms":60000,"stream":true)"));
  ASSERT_TRUE(wait_for_request(2));
  engine_.feed_text(2, "some", last_event(-1, FinishReason::kDeadline));
  const Answer streamed = parse_answer(stream.read_all());
  EXPECT_NE(streamed.body.find(R"("finish_reason":"deadline")"), std::string::npos) << streamed.body;
  EXPECT_TRUE(streamed.body.ends_with("data: [DONE]\n\n"));

  RawClient nothing(port());
  nothing.send(complete(R"(,"deadline_ms":60000)"));
  ASSERT_TRUE(wait_for_request(3));
  engine_.feed(3, {last_event(-1, FinishReason::kDeadline)});
  const Answer late = parse_answer(nothing.read_all());
  EXPECT_EQ(late.status, 504);
  EXPECT_EQ(error_code(late), "deadline_exceeded");
}

}  // namespace
}  // namespace hussar
