#include <cstdio>
#include <ctime>
#include <sstream>
#include <thread>

#include "bench/environment.h"
#include "bench/prove.h"
#include "bench/report.h"
#include "cli/bench_summary.h"
#include "cli/bench_target_flags.h"
#include "cli/commands.h"
#include "cli/interrupts.h"
#include "cli/prove_line.h"
#include "cli/version.h"
#include "net/http_server.h"

namespace hussar {
namespace {

constexpr int kExitFailed = 1;
constexpr int kExitInterrupted = 130;  // 128 + SIGINT, as shells count

struct ProveFlags {
  ProveOptions options;
  std::string only, out;
  std::vector<ProvePart> parts;
};

Result<std::vector<ProvePart>> parse_parts(const std::string& text) {
  if (text.empty()) return std::vector<ProvePart>(std::begin(kProveParts), std::end(kProveParts));
  std::vector<ProvePart> parts;
  std::istringstream words(text);
  for (std::string word; std::getline(words, word, ',');) {
    bool found = false;
    for (const ProvePart part : kProveParts) {
      if (word != prove_part_name(part)) continue;
      parts.push_back(part);
      found = true;
    }
    if (!found) {
      return Error{ErrorCode::kInvalid,
                   "'" + word + "' is no part; there are counts, faults, freeze, timing, speed", "--only"};
    }
  }
  return parts;
}

void print_check(const ProveCheck& check) {
  const char* verdict = check.demanded.empty() ? "    " : check.passed ? "ok  " : "FAIL";
  std::printf("  %s %-44s %s", verdict, check.name.c_str(), check.measured.c_str());
  if (!check.demanded.empty()) std::printf("   [%s]", check.demanded.c_str());
  std::printf("\n");
  std::fflush(stdout);
}

// Runs the parts on a thread of its own, while this one hears Ctrl-C. Errors: kCancelled, kIo.
Result<std::vector<ProveCheck>> prove_all(const ProveFlags& flags, Interrupts* interrupts) {
  std::vector<ProveCheck> all;
  for (const ProvePart part : flags.parts) {
    std::printf("%s\n", prove_part_name(part));
    std::fflush(stdout);
    std::atomic<bool> stop{false}, ended{false};
    Result<std::vector<ProveCheck>> checks{std::vector<ProveCheck>()};
    std::thread runner([&] {
      checks = prove_part(part, flags.options, stop);
      ended = true;
    });
    while (!ended) {
      if (interrupts->take() != Interrupts::Kind::kNone) {
        stop = true;
        interrupts->let_through();
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
    runner.join();
    if (!checks.ok()) return checks;
    for (const ProveCheck& check : *checks) {
      print_check(check);
      all.push_back(check);
    }
  }
  return all;
}

std::string machine_text(const JsonObject& environment) {
  std::string cpu = "an unknown CPU", cores;
  for (const auto& [name, value] : environment) {
    if (name == "cpu" && value.as_string() != nullptr) cpu = *value.as_string();
    if (name == "cores" && value.as_int() != nullptr) cores = std::to_string(*value.as_int()) + " cores";
  }
  return cpu + (cores.empty() ? "" : ", " + cores);
}

Report make_report(const std::vector<std::string>& args, const std::vector<ProveCheck>& checks,
                   const JsonObject& environment, const std::string& started, const std::string& line) {
  Report report;
  report.kind = "prove";
  report.started = started;
  report.command = {"hussar", "bench", "prove"};
  report.command.insert(report.command.end(), args.begin(), args.end());
  report.server = "hussar mock";
  report.environment = environment;
  report.prove_line = line;
  Section section;
  section.id = "prove";
  section.title = {"Measured against true", "测量值与真值对照"};
  for (const ProvePart part : kProveParts) {
    Table table;
    table.id = prove_part_name(part);
    table.kind = Table::Kind::kFacts;
    table.title = {prove_part_name(part)};
    table.columns = {
        {"What", "项目"}, {"Measured", "测量值"}, {"Demanded or true", "要求或真值"}, {"Result", "结论"}};
    for (const ProveCheck& check : checks) {
      if (check.part != part) continue;
      const Text verdict = check.demanded.empty() ? Text{"shown", "仅列出"}
                           : check.passed         ? Text{"passed", "通过"}
                                                  : Text{"FAILED", "未通过"};
      table.rows.push_back({{check.name}, {check.measured}, {check.demanded}, verdict});
    }
    if (!table.rows.empty()) section.tables.push_back(std::move(table));
  }
  report.sections = {std::move(section)};
  return report;
}

Result<int> prove(const ProveFlags& flags, const std::vector<std::string>& args) {
  if (!flags.out.empty()) RETURN_IF_ERROR(prepare_report_folder(flags.out));
  raise_open_files_limit();
  Interrupts interrupts;
  const JsonObject environment = client_environment(hussar_version());
  const std::string started = utc_text(static_cast<double>(std::time(nullptr)));
  const TimePoint began = Clock::now();
  std::printf("the load generator against a mock whose truth is known, on %s\n",
              machine_text(environment).c_str());
  const auto checks = prove_all(flags, &interrupts);
  if (!checks.ok() && checks.error().code == ErrorCode::kCancelled) return kExitInterrupted;
  if (!checks.ok()) return checks.error();

  const std::string line = started + ", " + machine_text(environment) + ": " + prove_summary(*checks);
  std::printf("%s\n", line.c_str());
  if (flags.parts.size() == std::size(kProveParts)) {
    if (const auto stored = store_prove_line(line); !stored.ok()) {
      print_note("later reports can't name this result: " + stored.error().message);
    }
  }
  if (!flags.out.empty()) {
    Report report = make_report(args, *checks, environment, started, line);
    report.seconds = std::chrono::duration<double>(Clock::now() - began).count();
    RETURN_IF_ERROR(write_report(report, {}, flags.out));
    std::printf("report: %s/index.html\n", flags.out.c_str());
  }
  for (const ProveCheck& check : *checks) {
    if (!check.passed) return kExitFailed;
  }
  return 0;
}

}  // namespace

int run_bench_prove(const std::vector<std::string>& args) {
  ProveFlags o;
  FlagTable flags(
      "bench prove",
      "Runs the load generator against a mock whose truth is known, and compares. Ends with 0 when "
      "every check passed, with 1 when one failed; timed checks may fail on a busy machine.",
      "hussar bench prove --only counts,faults");
  flags.add_string("--only", &o.only, "PARTS", "of counts, faults, freeze, timing, speed");
  flags.add_int("--streams", &o.options.streams, 1, 10'000, "timing: at once, 50 tokens/s each");
  flags.add_double("--timing-s", &o.options.timing_s, 1, 3600, "timing: how long");
  flags.add_int("--speed-streams", &o.options.speed_streams, 1, 20'000, "speed: at once");
  flags.add_int("--sends-per-s", &o.options.sends_per_s, 1, 100'000, "speed: sends on schedule");
  flags.add_string("--out", &o.out, "DIR", "folder for a report");
  if (const auto code = parse_or_exit_code(&flags, "bench prove", args)) return *code;
  auto parts = parse_parts(o.only);
  if (!parts.ok()) return report_error("bench prove", parts.error());
  o.parts = std::move(*parts);
  const auto code = prove(o, args);
  return code.ok() ? *code : report_error("bench prove", code.error());
}

}  // namespace hussar
