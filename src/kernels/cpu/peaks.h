// What this machine can do at best, measured with the kernels' own threads and instructions: the roofline of
// benchmarks.
#pragma once

#include "kernels/cpu/isa.h"
#include "kernels/cpu/thread_team.h"

namespace hussar::cpu {

// Bytes of memory that all members together read in a second: the best of several passes over a buffer that
// no cache holds. Takes about a quarter of a second. 0 when there is no memory for the buffer.
double measure_read_bytes_per_second(Isa isa, ThreadTeam& team);

// Multiply-accumulates (8-bit, or BF16 where there are tiles) that all members together do in a second.
double measure_macs_per_second(Isa isa, ThreadTeam& team);

}  // namespace hussar::cpu
