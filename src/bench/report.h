// What a run says, as values; the writers turn it into a folder of files. A report knows nothing of how it
// was measured: sections bring their own tables and charts, rows bring figures for machines.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "bench/load.h"
#include "bench/measures.h"
#include "bench/record.h"
#include "bench/server_watch.h"

namespace hussar {

struct Text {          // UTF-8, no markup
  std::string en, zh;  // empty zh: the same as en
};

struct Table {
  std::string id;  // "latency": names the table in tables.csv
  Text title;
  std::vector<Text> columns;
  std::vector<std::vector<Text>> rows;  // [row][column]
  std::vector<Text> notes;
};

struct Series {
  Text name;
  std::vector<double> x, y;  // kBars: y alone, one for each label. NaN: a gap
};
struct Chart {
  enum class Kind { kLines, kBars, kPoints };
  std::string id;
  Kind kind = Kind::kLines;
  Text title, x_label, y_label;
  bool log_x = false, log_y = false;
  std::vector<Text> labels;  // kBars: of the x axis
  std::vector<Series> series;
};

struct Section {
  std::string id;
  Text title;
  std::vector<Text> paragraphs;
  std::vector<Table> tables;
  std::vector<Chart> charts;
  std::vector<Text> notes;
};

// One measured thing, for machines and for `compare`.
struct MeasuredRow {
  std::string id;      // "latency/512", "load": equal ids are compared with each other
  std::string status;  // "measured", "does_not_fit", "refused", "cut", "failed", "unsupported"
  std::string note;
  JsonObject workload;  // what was asked; two runs are comparable when these are equal
  std::optional<Summary> summary;
  std::map<std::string, std::vector<double>> samples;
  JsonObject extra;  // scores that are no latencies: {"legal_fraction": 0.97, ...}
};

struct Report {
  std::string kind;     // "load", "article", "limit", "prove"
  std::string started;  // ISO 8601, UTC
  double seconds = 0;
  std::vector<std::string> command;
  bool interrupted = false;

  // The server under test as far as it is known.
  std::string url, model, server, api, tokenizer, hardware;
  JsonObject environment;  // of the client's machine: CPU, cores, memory, kernel, hussar's version
  JsonObject workload;

  std::vector<Section> sections;
  std::vector<MeasuredRow> rows;
  SelfProof proof;
  std::string prove_line;  // result of the last `bench prove` on this machine, or that there is none
  std::vector<ServerSample> server_samples;
  std::vector<Text> warnings;  // shown at the top, in red
};

// results.json's content; docs/bench-results.md describes it. schema "hussar-bench-results", version 1.
Json report_to_json(const Report& report);
std::string report_to_markdown(const Report& report);
std::string report_to_csv(const Report& report);
std::string report_to_html(const Report& report);  // one file that opens offline

// Writes index.html, results.json, requests.jsonl, tables.md and tables.csv into `folder`, each to a
// temporary name first. Errors: kIo.
Result<void> write_report(const Report& report, const std::vector<RequestRecord>& records,
                          const std::string& folder);
// Makes the folder where it is missing and proves that it can be written to, so that a run does not end with
// nothing. Errors: kIo, one line that says what to do.
Result<void> prepare_report_folder(const std::string& folder);

// One line of requests.jsonl.
Json record_to_json(const RequestRecord& record);

}  // namespace hussar
