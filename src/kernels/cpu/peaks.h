// What this machine can do at best, measured with the kernels' own threads and instructions: the roofline of
// benchmarks.
#pragma once

#include "kernels/cpu/isa.h"
#include "kernels/cpu/thread_team.h"

namespace hussar::cpu {

// Bytes that all members together read in a second from a buffer of so many (at least 8 MiB), again and
// again, so that they come from where such a working set lies: memory, or a cache that holds it. The best of
// many slices of it. Takes about a quarter of a second. 0 when there is no memory for the buffer.
double measure_read_bytes_per_second(Isa isa, ThreadTeam& team, int64_t buffer_bytes);

// Multiply-accumulates (8-bit, or BF16 where there are tiles) that all members together do in a second.
double measure_macs_per_second(Isa isa, ThreadTeam& team);

}  // namespace hussar::cpu
