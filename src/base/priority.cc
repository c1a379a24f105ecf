#include "base/priority.h"

#include <sched.h>
#include <sys/resource.h>

namespace hussar {

// Where a sandbox forbids either, the work goes on as before.

void run_when_idle() {
  const sched_param none{};
  (void)sched_setscheduler(0, SCHED_IDLE, &none);
}

void run_in_background() {
  constexpr int kNiceness = 10;
  (void)setpriority(PRIO_PROCESS, 0, kNiceness);
}

}  // namespace hussar
