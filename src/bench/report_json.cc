#include "bench/report_json.h"

#include <cmath>
#include <cstdio>
#include <cstdlib>

#include "bench/measures.h"
#include "bench/self_proof.h"

namespace hussar {
namespace {

constexpr double kNsPerS = 1e9;

template <typename T, typename Convert>
Json list(const std::vector<T>& values, Convert convert) {
  JsonArray array;
  array.reserve(values.size());
  for (const T& value : values) array.push_back(convert(value));
  return array;
}

Json texts_to_json(const std::vector<Text>& texts) { return list(texts, text_to_json); }

// The structures say "unknown" by -1.
Json known(double value) { return value < 0 ? Json() : Json(value); }
Json known(int64_t value) { return value < 0 ? Json() : Json(value); }
Json known(int32_t value) { return known(int64_t{value}); }

// A chart needs no seventeen digits. NaN and infinities become null.
Json rounded(double value) {
  if (!std::isfinite(value)) return nullptr;
  char buffer[32];
  std::snprintf(buffer, sizeof buffer, "%.6g", value);
  return std::strtod(buffer, nullptr);
}

std::string_view kind_name(Chart::Kind kind) {
  switch (kind) {
    case Chart::Kind::kLines:
      return "lines";
    case Chart::Kind::kBars:
      return "bars";
    case Chart::Kind::kPoints:
      return "points";
  }
  return "";
}

Json series_to_json(const Series& series) {
  return JsonObject{{"name", text_to_json(series.name)},
                    {"role", series.role == Series::Role::kReference ? "reference" : "measured"},
                    {"x", list(series.x, rounded)},
                    {"y", list(series.y, rounded)}};
}

Json chart_to_json(const Chart& chart) {
  return JsonObject{{"id", chart.id},
                    {"kind", kind_name(chart.kind)},
                    {"title", text_to_json(chart.title)},
                    {"x_label", text_to_json(chart.x_label)},
                    {"y_label", text_to_json(chart.y_label)},
                    {"log_x", chart.log_x},
                    {"log_y", chart.log_y},
                    {"labels", texts_to_json(chart.labels)},
                    {"series", list(chart.series, series_to_json)}};
}

Json table_to_json(const Table& table) {
  JsonArray figures;
  for (size_t i = 0; i < table.columns.size(); ++i) figures.push_back(is_figure_column(table, i));
  return JsonObject{{"id", table.id},
                    {"title", text_to_json(table.title)},
                    {"columns", texts_to_json(table.columns)},
                    {"figure_columns", std::move(figures)},
                    {"rows", list(table.rows, texts_to_json)},
                    {"notes", texts_to_json(table.notes)}};
}

Json key_figure_to_json(const KeyFigure& figure) {
  return JsonObject{{"name", text_to_json(figure.name)},
                    {"value", text_to_json(figure.value)},
                    {"note", text_to_json(figure.note)}};
}

Json row_to_json(const MeasuredRow& row) {
  JsonObject samples;
  for (const auto& [name, values] : row.samples) {
    samples.emplace_back(name, list(values, [](double value) { return Json(value); }));
  }
  return JsonObject{{"id", row.id},
                    {"status", row.status},
                    {"note", row.note},
                    {"workload", row.workload},
                    {"summary", row.summary ? to_json(*row.summary) : Json()},
                    {"samples", std::move(samples)},
                    {"extra", row.extra}};
}

Json histogram_to_json(const Histogram& histogram, std::string_view unit) {
  return list(histogram, [&](const HistogramBin& bin) {
    return Json(JsonObject{{"from_" + std::string(unit), bin.from},
                           {"below_" + std::string(unit), bin.below},
                           {"count", bin.count}});
  });
}

Json proof_to_json(const SelfProof& proof) {
  std::vector<double> lateness_ms;
  for (const int64_t ns : proof.lateness_ns) lateness_ms.push_back(static_cast<double>(ns) / 1e6);
  return JsonObject{
      {"client_limited", proof.client_limited},
      {"reason", proof.reason},
      {"send_lateness_ms", to_json(describe(std::move(lateness_ms)))},
      {"send_lateness_histogram", histogram_to_json(lateness_histogram_ms(proof.lateness_ns), "ms")},
      {"cpu_share", proof.cpu_share},
      {"thread_cpu_s", static_cast<double>(proof.loop.thread_cpu_ns) / kNsPerS},
      {"loop_s", static_cast<double>(proof.loop.run_ns) / kNsPerS},
      {"loop_delay_max_ms", static_cast<double>(proof.loop.timer_delay_max_ns) / 1e6},
      {"loop_delay_histogram", histogram_to_json(loop_delay_histogram_us(proof.loop), "us")}};
}

Json sample_to_json(const ServerSample& sample) {
  return JsonObject{{"at_s", sample.at_s},
                    {"running_requests", known(sample.running)},
                    {"waiting_requests", known(sample.waiting)},
                    {"kv_use_fraction", known(sample.kv_use)},
                    {"preemptions_total", known(sample.preemptions)},
                    {"prompt_tokens_total", known(sample.prompt_tokens)},
                    {"generation_tokens_total", known(sample.generation_tokens)},
                    {"resident_bytes", known(sample.resident_bytes)},
                    {"cpu_cores", known(sample.cpu_cores)},
                    {"memory_available_bytes", known(sample.memory_available_bytes)},
                    {"gpu_memory_bytes", known(sample.gpu_memory_bytes)},
                    {"gpu_memory_total_bytes", known(sample.gpu_memory_total_bytes)},
                    {"gpu_power_w", known(sample.gpu_power_w)},
                    {"gpu_utilisation_fraction", known(sample.gpu_utilisation)}};
}

Json formulas_to_json() {
  return list(formulas(), [](const std::pair<std::string, std::string>& line) {
    return text_to_json({line.first, line.second});
  });
}

Json words_to_json(const std::vector<std::string>& words) {
  return list(words, [](const std::string& word) { return Json(word); });
}

}  // namespace

Json text_to_json(const Text& text) {
  return JsonObject{{"en", text.en}, {"zh", in_language(text, Language::kChinese)}};
}

Json section_to_json(const Section& section) {
  return JsonObject{{"id", section.id},
                    {"title", text_to_json(section.title)},
                    {"paragraphs", texts_to_json(section.paragraphs)},
                    {"tables", list(section.tables, table_to_json)},
                    {"charts", list(section.charts, chart_to_json)},
                    {"notes", texts_to_json(section.notes)}};
}

std::vector<Text> all_warnings(const Report& report) {
  std::vector<Text> warnings;
  if (report.proof.client_limited) warnings.push_back(self_proof_line(report.proof));
  if (report.interrupted) {
    warnings.push_back(
        {"The run was interrupted: what is missing was not measured.", "测试被中断：缺少的部分没有测量。"});
  }
  warnings.insert(warnings.end(), report.warnings.begin(), report.warnings.end());
  return warnings;
}

JsonObject report_head(const Report& report) {
  return {{"schema", "hussar-bench-results"},
          {"version", 1},
          {"kind", report.kind},
          {"started", report.started},
          {"duration_s", report.seconds},
          {"interrupted", report.interrupted},
          {"client_limited", report.proof.client_limited},
          {"target", JsonObject{{"url", masked_url(report.url)},
                                {"model", report.model},
                                {"server", report.server},
                                {"api", report.api},
                                {"tokenizer", report.tokenizer},
                                {"hardware", report.hardware}}},
          {"warnings", texts_to_json(all_warnings(report))},
          {"key_figures", list(report.key_figures, key_figure_to_json)},
          {"prove_line", report.prove_line}};
}

Json report_to_json(const Report& report) {
  JsonObject object = report_head(report);
  object.emplace_back("command", words_to_json(masked_command(report.command)));
  object.emplace_back("environment", report.environment);
  object.emplace_back("workload", report.workload);
  object.emplace_back("rows", list(report.rows, row_to_json));
  object.emplace_back("sections", list(report.sections, section_to_json));
  object.emplace_back("self_proof", proof_to_json(report.proof));
  object.emplace_back("server_samples", list(report.server_samples, sample_to_json));
  object.emplace_back("server_missing", words_to_json(report.server_missing));
  object.emplace_back("formulas", formulas_to_json());
  return object;
}

Json record_to_json(const RequestRecord& record) {
  JsonArray chunk_at_ns, chunk_tokens;
  for (const TextChunk& chunk : record.chunks) {
    chunk_at_ns.push_back(chunk.at_ns);
    chunk_tokens.push_back(int64_t{chunk.tokens});
  }
  JsonObject object{{"index", record.index},
                    {"user", known(record.user)},
                    {"stage", int64_t{record.stage}},
                    {"label", record.label},
                    {"outcome", outcome_name(record.outcome)},
                    {"detail", record.detail},
                    {"http_status", record.http_status > 0 ? Json(record.http_status) : Json()},
                    {"retry_after_s", known(record.retry_after_s)},
                    {"scheduled_ns", known(record.scheduled_ns)},
                    {"sent_ns", known(record.sent_ns)},
                    {"connected_ns", known(record.connected_ns)},
                    {"written_ns", known(record.written_ns)},
                    {"head_ns", known(record.head_ns)},
                    {"first_token_ns", known(record.first_token_ns)},
                    {"last_token_ns", known(record.last_token_ns)},
                    {"end_ns", known(record.end_ns)},
                    {"connection_reused", record.connection_reused},
                    {"streamed", record.streamed},
                    {"prompt_tokens", known(record.prompt_tokens)},
                    {"cached_tokens", known(record.cached_tokens)},
                    {"output_tokens", known(record.output_tokens)},
                    {"token_source", token_source_name(record.token_source)},
                    {"finish_reason", record.finish_reason.empty() ? Json() : Json(record.finish_reason)},
                    {"server_ttft_s", known(record.server_ttft_s)},
                    {"text_bytes", record.text_bytes},
                    {"chunk_at_ns", std::move(chunk_at_ns)},
                    {"chunk_tokens", std::move(chunk_tokens)}};
  if (!record.text.empty()) object.emplace_back("text", record.text);
  return object;
}

}  // namespace hussar
