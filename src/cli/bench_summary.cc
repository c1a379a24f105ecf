#include "cli/bench_summary.h"

#include <unistd.h>

#include <cstdio>

#include "base/utf8.h"
#include "cli/table_text.h"
#include "cli/terminal_text.h"

namespace hussar {
namespace {

// Intervals stand in the report; a terminal is too narrow.
constexpr size_t kColumnsMax = 9;

Table narrowed(Table table) {
  if (table.columns.size() <= kColumnsMax) return table;
  table.columns.resize(kColumnsMax);
  for (auto& row : table.rows) {
    if (row.size() > kColumnsMax) row.resize(kColumnsMax);
  }
  return table;
}

std::string on_terminal(std::string_view text) { return safe_for_terminal(replace_invalid_utf8(text)); }

// `alarm` in red where someone watches.
void print_alarm(const std::string& line) {
  const bool red = isatty(STDOUT_FILENO) == 1;
  std::printf("%s%s%s\n", red ? "\x1B[1;31m" : "", on_terminal(line).c_str(), red ? "\x1B[0m" : "");
}

void print_tables(const Report& report) {
  const std::string head = report.model + " at " + report.url + " (" + report.server + ")";
  std::printf("%s\n\n", on_terminal(head).c_str());
  for (const Section& section : report.sections) {
    Section narrow = section;
    for (Table& table : narrow.tables) table = narrowed(std::move(table));
    std::printf("%s\n", section_text(narrow).c_str());
  }
  for (const std::string& missing : report.server_missing) {
    std::printf("not seen of the server: %s\n", on_terminal(missing).c_str());
  }
  if (report.interrupted) print_alarm("INTERRUPTED: the figures are of what was measured until then");
  if (report.proof.client_limited) print_alarm("CLIENT-LIMITED: " + report.proof.reason);
  for (const Text& warning : report.warnings) print_alarm(warning.en);
}

}  // namespace

Result<void> show_report(const Report& report, const std::vector<RequestRecord>& records,
                         const std::string& out, SummaryKind kind) {
  if (!out.empty()) RETURN_IF_ERROR(write_report(report, records, out));
  if (kind == SummaryKind::kJson) {
    std::printf("%s\n", write_json(report_to_json(report)).c_str());
  } else {
    print_tables(report);
  }
  if (!out.empty()) {
    std::fprintf(kind == SummaryKind::kJson ? stderr : stdout, "report: %s/index.html\n", out.c_str());
  }
  std::fflush(stdout);
  return {};
}

void print_note(const std::string& line) { std::fprintf(stderr, "%s\n", on_terminal(line).c_str()); }

}  // namespace hussar
