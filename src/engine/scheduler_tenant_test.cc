// Fair shares between tenants, and priorities within one, in a world where time passes as the steps cost.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "engine/scheduler_world.h"

namespace hussar {
namespace {

using std::chrono::milliseconds;

SchedulerLimits limits() {
  SchedulerLimits limits;
  limits.context_max = 1024;
  limits.running_max = 16;
  limits.queue_max = 2000;
  limits.step_tokens_max = 256;
  return limits;
}

Request make_request(TenantId tenant, double share, int32_t prompt, int32_t tokens_max, TokenId mark) {
  Request request;
  request.prompt.assign(static_cast<size_t>(prompt), 2);
  request.prompt[0] = mark;
  request.tokens_max = tokens_max;
  request.tenant = tenant;
  request.tenant_share = share;
  return request;
}

int running(SchedulerWorld* world, TenantId tenant) {
  return world->scheduler().load(tenant, 1).tenant_running;
}

constexpr TenantId kBig = 1, kSmall = 2;
enum class BigTenant { kFlood, kHalfOfTheSlots };

// Mean seconds of the small tenant's requests, which come now and then while the big one's never end.
double small_latency(BigTenant big, const SchedulerWorld::Costs& costs, uint64_t seed) {
  std::mt19937_64 random(seed);
  const auto between = [&](int low, int high) {
    return low + static_cast<int>(random() % static_cast<uint64_t>(high - low + 1));
  };
  SchedulerWorld world(limits(), costs, 2000, 16);
  TokenId mark = 10;
  const auto send = [&](TenantId tenant) {
    Request request = make_request(tenant, 0.5, between(50, 150), between(60, 140), ++mark);
    const auto id = world.submit(std::move(request));
    EXPECT_TRUE(id.ok());
    return *id;
  };
  constexpr int kSmallRequests = 60;
  std::vector<RequestId> small;
  TimePoint next = world.now() + milliseconds(2000);
  while (small.size() < kSmallRequests || !world.requests().at(small.back()).finish) {
    const int32_t target = big == BigTenant::kFlood ? 1000 : limits().running_max / 2;
    const LoadEstimate load = world.scheduler().load(kBig, 0.5);
    for (int32_t i = load.tenant_waiting + load.tenant_running; i < target; ++i) send(kBig);
    if (small.size() < kSmallRequests && world.now() >= next) {
      small.push_back(send(kSmall));
      next = world.now() + milliseconds(between(200, 3000));
    }
    EXPECT_TRUE(world.turn());
  }
  double seconds = 0;
  for (const RequestId id : small) {
    const auto& known = world.requests().at(id);
    EXPECT_EQ(known.finish, FinishReason::kLength);
    seconds += std::chrono::duration<double>(known.ended - known.sent).count();
  }
  return seconds / kSmallRequests;
}

TEST(SchedulerTenant, AFloodCostsAnotherTenantNoMoreThanItsShare) {
  using std::chrono::microseconds;
  // Devices where a step costs nearly the same for one row and for many, where rows are all that counts, and
  // between the two.
  const SchedulerWorld::Costs devices[] = {
      {microseconds(5000), microseconds(20), microseconds(20)},
      {microseconds(5000), microseconds(100), microseconds(400)},
      {microseconds(100), microseconds(300), microseconds(1000)},
  };
  for (const SchedulerWorld::Costs& costs : devices) {
    const double half = small_latency(BigTenant::kHalfOfTheSlots, costs, 7);
    const double flood = small_latency(BigTenant::kFlood, costs, 7);
    std::printf("half of the slots: %.3f s, flood: %.3f s, ratio %.3f\n", half, flood, flood / half);
    EXPECT_LE(flood, 1.3 * half);
  }
}

TEST(SchedulerTenant, SharesFollowTheWeights) {
  SchedulerWorld world(limits(), {}, 2000, 16);
  TokenId mark = 10;
  for (int i = 0; i < 400; ++i) {
    ASSERT_TRUE(world.submit(make_request(1, 0.75, 20, 50, ++mark)).ok());
    ASSERT_TRUE(world.submit(make_request(2, 0.25, 20, 50, ++mark)).ok());
  }
  for (int step = 0; step < 600; ++step) ASSERT_TRUE(world.turn());
  double served[3] = {};
  for (const auto& [id, known] : world.requests()) served[known.request.tenant] += known.generated;
  EXPECT_NEAR(served[1] / (served[1] + served[2]), 0.75, 0.03);
}

TEST(SchedulerTenant, ALoneTenantLeavesRoomForOthersAndAllOfItWhereThereIsNone) {
  for (const double share : {0.5, 1.0}) {
    SchedulerWorld world(limits(), {}, 2000, 16);
    for (int i = 0; i < 40; ++i) ASSERT_TRUE(world.submit(make_request(1, share, 20, 50, 10 + i)).ok());
    for (int step = 0; step < 20; ++step) ASSERT_TRUE(world.turn());
    EXPECT_EQ(running(&world, 1), share < 1 ? 14 : 16);
    ASSERT_TRUE(world.submit(make_request(2, 0.5, 20, 50, 9)).ok());
    ASSERT_TRUE(world.turn());
    EXPECT_EQ(running(&world, 2), share < 1 ? 1 : 0);
  }
}

TEST(SchedulerTenant, AFloodLeavesBlocksForOthers) {
  SchedulerWorld world(limits(), {}, 64, 16);  // of 1,024 tokens
  for (int i = 0; i < 40; ++i) ASSERT_TRUE(world.submit(make_request(1, 0.5, 60, 60, 10 + i)).ok());
  ASSERT_TRUE(world.turn());
  EXPECT_EQ(running(&world, 1), 7);
  ASSERT_TRUE(world.submit(make_request(2, 0.5, 60, 60, 9)).ok());
  ASSERT_TRUE(world.turn());
  EXPECT_EQ(running(&world, 2), 1);
}

TEST(SchedulerTenant, WhoComesBackHasNotSavedUp) {
  SchedulerWorld world(limits(), {}, 4000, 16);
  TokenId mark = 10;
  for (int i = 0; i < 200; ++i) ASSERT_TRUE(world.submit(make_request(1, 0.5, 20, 50, ++mark)).ok());
  for (int step = 0; step < 300; ++step) ASSERT_TRUE(world.turn());
  for (int i = 0; i < 400; ++i) ASSERT_TRUE(world.submit(make_request(2, 0.5, 20, 50, ++mark)).ok());
  for (int i = 0; i < 200; ++i) ASSERT_TRUE(world.submit(make_request(1, 0.5, 20, 50, ++mark)).ok());
  double before = 0, served[3] = {};
  for (const auto& [id, known] : world.requests()) before += known.generated;
  for (int step = 0; step < 600; ++step) ASSERT_TRUE(world.turn());
  for (const auto& [id, known] : world.requests()) served[known.request.tenant] += known.generated;
  served[1] -= before;
  EXPECT_NEAR(served[1] / (served[1] + served[2]), 0.5, 0.05);
}

TEST(SchedulerTenant, EverybodyInAStepThatOneTenantHasToItself) {
  SchedulerWorld world(limits(), {}, 2000, 16);
  for (int i = 0; i < 16; ++i) ASSERT_TRUE(world.submit(make_request(0, 1, 5, 50, 10 + i)).ok());
  for (int step = 0; step < 5; ++step) ASSERT_TRUE(world.turn());
  EXPECT_EQ(world.last_plan().parts.size(), 16u);
}

TEST(SchedulerTenant, PrioritiesOrderTheQueueAndAge) {
  SchedulerLimits limit = limits();
  limit.running_max = 1;
  SchedulerWorld world(limit, {}, 2000, 16);
  std::vector<RequestId> sent;
  const auto send = [&](int32_t priority) {
    Request request = make_request(0, 1, 5, 20, 10 + priority);
    request.priority = priority;
    sent.push_back(*world.submit(request));
  };
  send(0);  // runs at once
  ASSERT_TRUE(world.turn());
  const TimePoint began = world.now();
  send(3);
  send(0);
  send(-1);
  world.wait_until(began + milliseconds(4500));
  send(0);  // the one of priority 3 came more than three seconds earlier
  while (world.turn()) {
  }
  std::ranges::sort(sent, {}, [&](RequestId id) { return world.requests().at(id).first_token; });
  EXPECT_EQ(sent, (std::vector<RequestId>{1, 4, 3, 2, 5}));
}

}  // namespace
}  // namespace hussar
