// CHECK: our own invariants, on in release builds too. A failed CHECK is a bug of ours and ends the process;
// no user input, file or environment may ever reach one (those are a Result). DCHECK costs nothing in release
// builds.
#pragma once

namespace hussar {

// Prints the place and the text to standard error and aborts.
[[noreturn]] void check_failed(const char* file, int line, const char* expression, const char* note);

}  // namespace hussar

#define CHECK(condition) \
  (static_cast<bool>(condition) ? void(0) : ::hussar::check_failed(__FILE__, __LINE__, #condition, ""))
#define CHECK_NOTE(condition, note) \
  (static_cast<bool>(condition) ? void(0) : ::hussar::check_failed(__FILE__, __LINE__, #condition, note))

#ifdef NDEBUG
#define DCHECK(condition) (true ? void(0) : void(condition))
#else
#define DCHECK(condition) CHECK(condition)
#endif
