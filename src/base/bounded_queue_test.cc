#include "base/bounded_queue.h"

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <thread>

namespace hussar {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(BoundedQueue, KeepsOrderAndRefusesWhatIsTooMuch) {
  BoundedQueue<std::unique_ptr<int>> queue(2);
  auto third = std::make_unique<int>(3);
  EXPECT_TRUE(queue.try_push(std::make_unique<int>(1)));
  EXPECT_TRUE(queue.try_push(std::make_unique<int>(2)));
  EXPECT_FALSE(queue.try_push(std::move(third)));
  ASSERT_NE(third, nullptr) << "an item that was refused must stay with its owner";
  EXPECT_EQ(queue.size(), 2u);
  std::unique_ptr<int> out;
  EXPECT_TRUE(queue.pop(&out));
  EXPECT_EQ(*out, 1);
  EXPECT_TRUE(queue.try_push(std::move(third)));
  std::vector<std::unique_ptr<int>> rest;
  queue.drain(&rest);
  ASSERT_EQ(rest.size(), 2u);
  EXPECT_EQ(*rest[0], 2);
  EXPECT_EQ(*rest[1], 3);
  EXPECT_EQ(queue.size(), 0u);
}

TEST(BoundedQueue, CloseLetsWaitersGoAndKeepsWhatIsQueued) {
  BoundedQueue<int> queue(4);
  EXPECT_TRUE(queue.try_push(7));
  queue.close();
  EXPECT_FALSE(queue.try_push(8));
  int out = 0;
  EXPECT_TRUE(queue.pop(&out));
  EXPECT_EQ(out, 7);
  EXPECT_FALSE(queue.pop(&out));

  BoundedQueue<int> empty(1);
  std::thread waiter([&empty] {
    int item = 0;
    EXPECT_FALSE(empty.pop(&item));
  });
  std::this_thread::sleep_for(milliseconds(5));
  empty.close();
  waiter.join();
}

TEST(BoundedQueue, WaitUntilEndsAtTheDeadlineOrWithAnItem) {
  BoundedQueue<int> queue(1);
  const TimePoint start = Clock::now();
  queue.wait_until(start + milliseconds(20));
  EXPECT_GE(Clock::now(), start + milliseconds(20));
  std::thread pusher([&queue] { EXPECT_TRUE(queue.try_push(1)); });
  queue.wait_until(Clock::now() + seconds(60));
  EXPECT_EQ(queue.size(), 1u);
  pusher.join();
  EXPECT_LT(Clock::now(), start + seconds(50));
}

TEST(BoundedQueue, NothingIsLostOrDoubledBetweenThreads) {
  constexpr int kThreads = 4, kItems = 5000;
  BoundedQueue<int> queue(16);
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&queue, t] {
      for (int i = 0; i < kItems; ++i) {
        while (!queue.try_push(t * kItems + i)) std::this_thread::yield();
      }
    });
  }
  std::vector<int> seen(kThreads * kItems), last(kThreads, -1);
  for (int n = 0; n < kThreads * kItems; ++n) {
    int item = 0;
    ASSERT_TRUE(queue.pop(&item));
    ++seen[item];
    ASSERT_GT(item, last[item / kItems]) << "the order within one thread must stay";
    last[item / kItems] = item;
  }
  for (std::thread& thread : threads) thread.join();
  for (const int count : seen) ASSERT_EQ(count, 1);
}

}  // namespace
}  // namespace hussar
