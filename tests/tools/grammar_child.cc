// The process that compiles grammars, for test programs: hussar itself is not among them.
#include <unistd.h>

#include "grammar/grammar_compiler_child.h"

int main() { return hussar::run_grammar_compiler_child(STDIN_FILENO); }
