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

struct Text {  // no markup; what is no UTF-8 is replaced when it is written
  std::string en = {};
  std::string zh = {};  // empty: the same as en
};
enum class Language { kEnglish, kChinese };
const std::string& in_language(const Text& text, Language language);

// One large number at the top of the page.
struct KeyFigure {
  Text name;
  Text value;  // with its unit: "610 tok/s"
  Text note = {};
};

struct Table {
  enum class Kind { kFigures, kFacts };  // kFacts: names and what they are, all of it words
  std::string id;                        // "latency": names the table in tables.csv
  Text title;
  // "TTFT s · OWNER" says whose figures follow; the page shows an owner once above the neighbours that share
  // it.
  std::vector<Text> columns;
  // [row][column]; the first column names the row, kNoFigure (bench/format.h) stands where there is none.
  std::vector<std::vector<Text>> rows;
  std::vector<Text> notes;
  Kind kind = Kind::kFigures;
};
// Whether a column is set to the right: at least half of its cells that say something begin with a digit.
bool is_figure_column(const Table& table, size_t column);

struct Series {
  enum class Role {
    kMeasured,
    kReference
  };  // a reference (the article's figures, an SLO) is grey and dashed
  Text name;
  std::vector<double> x, y;  // kBars: y alone, one for each label. NaN: a gap
  Role role = Role::kMeasured;
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
  std::map<std::string, std::vector<double>> samples;  // by metric_samples, with the window for rates
  // Scores that are no latencies. A share of trials is an object with {"count": trials, "right": hits}, at
  // any depth, so that `compare` can give its difference an interval (more is better); a plain number has
  // none.
  JsonObject extra;
};

struct Report {
  std::string kind;     // "load", "article", "limit", "prove"
  std::string started;  // ISO 8601, UTC
  double seconds = 0;
  std::vector<std::string> command;  // values of --api-key and of headers are masked when it is written
  bool interrupted = false;          // the writers say so at the top

  // The server under test as far as it is known.
  std::string url, model, server, api, tokenizer, hardware;
  JsonObject environment;  // of the client's machine: CPU, cores, memory, kernel, hussar's version
  JsonObject workload;

  std::vector<KeyFigure> key_figures;  // at most six
  std::vector<Section> sections;
  std::vector<MeasuredRow> rows;
  SelfProof proof;
  std::string prove_line;  // result of the last `bench prove` on this machine, or that there is none
  std::vector<ServerSample> server_samples;
  std::vector<std::string> server_missing;  // ServerWatch::missing()
  std::vector<Text> warnings;  // shown at the top, in red, after CLIENT-LIMITED where `proof` says that
};

// results.json's content; docs/bench-results.md describes it. schema "hussar-bench-results", version 1.
Json report_to_json(const Report& report);
std::string report_to_markdown(const Report& report, Language language);
// RFC 4180, English. First fields: the table's id, and the row's number, 0 for the column heads. All lines
// have as many fields as the widest table needs.
std::string report_to_csv(const Report& report);
std::string report_to_html(const Report& report);  // one file that opens offline

// Writes index.html, results.json, requests.jsonl, tables.md, tables.zh.md and tables.csv into `folder`, each
// to a temporary name first. Errors: kIo.
Result<void> write_report(const Report& report, const std::vector<RequestRecord>& records,
                          const std::string& folder);
// Makes the folder where it is missing and proves that it can be written to, so that a run does not end with
// nothing. Errors: kIo, one line that says what to do.
Result<void> prepare_report_folder(const std::string& folder);

// One line of requests.jsonl.
Json record_to_json(const RequestRecord& record);

}  // namespace hussar
