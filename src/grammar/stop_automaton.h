// Stop strings as a byte automaton. The engine runs it at commit, so that where an answer ends never depends
// on timing; the server runs the same one over the same bytes to hold back what might become a stop string.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace hussar {

// All stop strings of a request (Aho-Corasick). Immutable, shareable between threads.
class StopAutomaton {
 public:
  struct Limits {
    size_t strings_max = 16;
    size_t bytes_max = 4096;  // of all strings together
  };
  // Errors: kInvalid (an empty string), kTooLarge.
  static Result<std::shared_ptr<const StopAutomaton>> compile(const std::vector<std::string>& strings,
                                                              const Limits& limits);

 private:
  friend class StopMatcher;
  struct Node {
    int32_t first_child = -1,
            next_sibling = -1;  // children as a list: a few bytes each, one node a byte of the strings
    uint8_t byte = 0;
    int32_t fallback = 0;     // node of the longest proper suffix that is a prefix of some string
    int32_t depth = 0;        // bytes from the root
    int32_t match_bytes = 0;  // length of the longest string that ends here; 0: none
  };
  int32_t child(int32_t node, uint8_t byte) const;  // -1: none
  int32_t next(int32_t node, uint8_t byte) const;   // where reading the byte leads
  void insert(std::string_view string);
  void link_fallbacks();
  std::vector<Node> nodes_{Node{}};  // [0] is the root
};

// Where one answer stands. Cheap to copy.
class StopMatcher {
 public:
  explicit StopMatcher(std::shared_ptr<const StopAutomaton> automaton) : automaton_(std::move(automaton)) {}

  struct Match {
    int64_t begin_byte;  // of the stop string, counted from the answer's first byte
    int64_t end_byte;
  };
  // Feeds the answer's next bytes; the first match that ends in them, if any (of several ending at one byte,
  // the longest). After a match the matcher is finished and must not be fed again.
  std::optional<Match> advance(std::string_view bytes);

  // How many of the bytes fed so far might still become part of a stop string and must not be shown yet.
  int64_t held_bytes() const;

 private:
  std::shared_ptr<const StopAutomaton> automaton_;
  int32_t node_ = 0;
  int64_t fed_bytes_ = 0;
};

}  // namespace hussar
