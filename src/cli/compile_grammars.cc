#include <unistd.h>

#include "cli/commands.h"
#include "grammar/grammar_compiler_child.h"

namespace hussar {

// Not for people: `serve` starts it, with a socket as standard input.
int run_compile_grammars(const std::vector<std::string>&) { return run_grammar_compiler_child(STDIN_FILENO); }

}  // namespace hussar
