// The subcommands. Each takes the words after its name and returns the process's exit code: 0, or 2 for the
// caller's or environment's fault.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/flags.h"
#include "base/result.h"

namespace hussar {

constexpr int kExitFault = 2;

int run_bench(const std::vector<std::string>& args);
int run_bench_article(const std::vector<std::string>& args);
int run_bench_compare(const std::vector<std::string>& args);
int run_bench_limit(const std::vector<std::string>& args);
int run_bench_load(const std::vector<std::string>& args);
int run_bench_prove(const std::vector<std::string>& args);
int run_chat(const std::vector<std::string>& args);
int run_compile_grammars(const std::vector<std::string>& args);
int run_inspect(const std::vector<std::string>& args);
int run_list(const std::vector<std::string>& args);
int run_mock(const std::vector<std::string>& args);
int run_perf(const std::vector<std::string>& args);
int run_pull(const std::vector<std::string>& args);
int run_rm(const std::vector<std::string>& args);
int run_serve(const std::vector<std::string>& args);
int run_show(const std::vector<std::string>& args);
int run_tokenize(const std::vector<std::string>& args);
int run_version(const std::vector<std::string>& args);

// Prints "hussar COMMAND: message" to standard error; returns kExitFault.
int report_error(std::string_view command, const Error& error);

// Parses; the exit code when there is nothing left to do (help was shown, or a flag is wrong).
std::optional<int> parse_or_exit_code(FlagTable* flags, std::string_view command,
                                      const std::vector<std::string>& args);

}  // namespace hussar
