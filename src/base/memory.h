// How much memory this process may still take: what the machine has and what its container allows.
#pragma once

#include <cstdint>
#include <string>

namespace hussar {

// The least of MemAvailable, of what each memory cgroup (version 1 or 2) around this process leaves, and of
// what its limit of address space leaves; file pages that the kernel can drop count as free. INT64_MAX where
// nothing can be read. `root` stands in front of /proc and /sys, so that a test can lay out a machine in a
// folder.
int64_t available_memory_bytes(const std::string& root = "");

// Hands pages that were freed and lie idle in the heap back to the system: after much small work, such as
// reading a large JSON document.
void return_freed_memory();

// From now on blocks of a MiB and more have pages of their own, which go back as soon as they are freed. By
// default glibc raises that bound to the largest block ever freed, and what lies below it stays where another
// thread's allocations have come behind it.
void give_large_blocks_own_pages();

// "98 MB", "3.2 GB": decimal units, for people.
std::string bytes_text(int64_t bytes);

}  // namespace hussar
