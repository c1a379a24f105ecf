// Inside the load generator: when to send what (closed or open loop), apart from how it is sent and recorded.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>

#include "bench/load.h"

namespace hussar {

struct SendOrder {
  int32_t user = -1;
  int32_t stage = 0;
  int64_t scheduled_ns = 0;
  bool waited_for_stream = false;  // all streams were taken when it was due
};

// What a loop can do; all on the client's thread, all times in nanoseconds since the run's start.
class LoadSender {
 public:
  virtual ~LoadSender() = default;
  virtual int64_t now_ns() const = 0;
  // Runs `task` at `at_ns`, unless nothing is sent any more.
  virtual void at(int64_t at_ns, std::function<void()> task) = 0;
  // The source's next request, unless the run has had as many as it may.
  virtual std::optional<PlannedRequest> next(int32_t user) = 0;
  virtual void send(const PlannedRequest& request, const SendOrder& order) = 0;
  virtual size_t running() const = 0;
  // The steady window can't go on behind `at_ns`: somebody has nothing to do.
  virtual void end_steady(int64_t at_ns) = 0;
  // Nothing will be sent any more. Once.
  virtual void no_more() = 0;
};

class LoadDriver {
 public:
  virtual ~LoadDriver() = default;
  virtual void begin() = 0;
  virtual void on_end(const RequestRecord& record) = 0;
  virtual int64_t planned_end_ns() const = 0;  // -1: not known
  // A request is due and finds no stream.
  virtual bool is_held_up() const { return false; }
};

std::unique_ptr<LoadDriver> make_closed_loop(const LoadShape& shape, LoadSender* sender);
std::unique_ptr<LoadDriver> make_open_loop(const LoadShape& shape, LoadSender* sender);

}  // namespace hussar
