#include "base/check.h"

#include <cstdio>
#include <cstdlib>

namespace hussar {

void check_failed(const char* file, int line, const char* expression, const char* note) {
  std::fprintf(stderr, "hussar: internal error at %s:%d: CHECK(%s) failed %s\n", file, line, expression,
               note);
  std::fflush(stderr);
  std::abort();
}

}  // namespace hussar
