#include "base/priority.h"

#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>

namespace hussar {
namespace {

constexpr int kNiceness = 10;
// Linux 6.12 and later let go of a processor at the end of a slice only, some 3 ms by default, whoever wakes
// up meanwhile; this is the shortest that they take. Earlier ones look at niceness alone, which suffices
// there.
constexpr uint64_t kSliceNs = 100'000;

struct SchedulingAttributes {  // struct sched_attr of linux/sched/types.h, which clashes with sched.h
  uint32_t size, policy;
  uint64_t flags;
  int32_t nice;
  uint32_t priority;
  uint64_t runtime_ns, deadline_ns, period_ns;
};

}  // namespace

void run_in_background() {
  SchedulingAttributes attributes = {};
  attributes.size = sizeof attributes;
  attributes.policy = SCHED_BATCH;
  attributes.nice = kNiceness;
  attributes.runtime_ns = kSliceNs;
  // Where a sandbox knows only the old call, or none, the work goes on as before.
  if (syscall(SYS_sched_setattr, 0, &attributes, 0) != 0) (void)setpriority(PRIO_PROCESS, 0, kNiceness);
}

}  // namespace hussar
