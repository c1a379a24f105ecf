// The process that compiles grammars from elsewhere, apart from the server: the grammar library can't be
// interrupted, and some schemas make it take minutes or all memory.
//
// It is the server's own program, executed anew and not only forked: a server has many threads by the time it
// compiles its first grammar, and a fork of those inherits locks that nobody will ever release. It makes the
// vocabulary ready once, then forks for each grammar, which costs little because it is small and has one
// thread; only that fork has the limits, and only that fork ends when they are exceeded.
#pragma once

namespace hussar {

// Serves the connection at `fd` until its other end closes. Returns the exit code. REQUIRES: the process has
// one thread.
int run_grammar_compiler_child(int fd);

}  // namespace hussar
