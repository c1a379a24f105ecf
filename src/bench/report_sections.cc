#include "bench/report_sections.h"

#include "bench/format.h"
#include "bench/measures.h"
#include "bench/report_json.h"
#include "bench/self_proof.h"

namespace hussar {
namespace {

struct Label {
  std::string_view key;
  Text text;
};

// Names that the environment and the workload commonly use; others stand as they are.
Text label_of(const std::string& key) {
  static const Label labels[] = {
      {"cpu", {"CPU", "处理器"}},
      {"cores", {"cores", "核数"}},
      {"memory_bytes", {"memory", "内存"}},
      {"kernel", {"kernel", "内核"}},
      {"os", {"operating system", "操作系统"}},
      {"host", {"host", "主机"}},
      {"hussar_version", {"hussar", "hussar 版本"}},
  };
  for (const Label& label : labels) {
    if (label.key == key) return label.text;
  }
  return {key};
}

std::string value_text(const std::string& key, const Json& value) {
  if (value.is_null()) return std::string(kNoFigure);
  if (const std::string* text = value.as_string()) return *text;
  double number = 0;
  if (key.ends_with("_bytes") && value.as_number(&number)) return format_bytes(number);
  return write_json(value);
}

Table target_table(const Report& report) {
  Table table;
  table.id = "target";
  table.kind = Table::Kind::kFacts;
  table.title = {"Server under test", "被测服务"};
  table.columns = {{"name", "名称"}, {"value", "值"}};
  const auto add = [&](Text name, const std::string& value) {
    table.rows.push_back({std::move(name), {value.empty() ? std::string(kNoFigure) : value}});
  };
  add({"address", "地址"}, masked_url(report.url));
  add({"model", "模型"}, report.model);
  add({"server", "服务程序"}, report.server);
  add({"API"}, report.api);
  add({"tokenizer", "分词器"}, report.tokenizer);
  add({"hardware", "硬件"}, report.hardware);
  return table;
}

// As it can be typed into a shell again, but for what is masked.
std::string shell_line(const std::vector<std::string>& words) {
  std::string line;
  for (const std::string& word : words) {
    if (!line.empty()) line += ' ';
    const bool plain = !word.empty() && word.find_first_not_of(
                                            "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                            "0123456789-_=./:,@%+*") == std::string::npos;
    if (plain) {
      line += word;
      continue;
    }
    line += '\'';
    for (const char c : word) line += c == '\'' ? "'\\''" : std::string(1, c);
    line += '\'';
  }
  return line;
}

Section environment_section(const Report& report) {
  Section section;
  section.id = "environment";
  section.title = {"Environment", "环境"};
  section.tables.push_back(target_table(report));
  if (!report.environment.empty()) {
    section.tables.push_back(
        object_table("environment", {"The client's machine", "压测机"}, report.environment));
  }
  if (!report.workload.empty()) {
    section.tables.push_back(object_table("workload", {"Workload", "负载"}, report.workload));
  }
  const std::string command = shell_line(masked_command(report.command));
  if (!command.empty()) section.notes.push_back({"Command: " + command, "命令：" + command});
  return section;
}

Section formulas_section() {
  Section section;
  section.id = "formulas";
  section.title = {"How the figures are made", "数字是怎样算出来的"};
  for (const auto& [en, zh] : formulas()) section.paragraphs.push_back({en, zh});
  return section;
}

}  // namespace

Table object_table(std::string id, Text title, const JsonObject& object) {
  Table table;
  table.id = std::move(id);
  table.kind = Table::Kind::kFacts;
  table.title = std::move(title);
  table.columns = {{"name", "名称"}, {"value", "值"}};
  for (const auto& [key, value] : object) table.rows.push_back({label_of(key), {value_text(key, value)}});
  return table;
}

Text report_title(const Report& report) {
  if (report.kind == "article") return {"Pressure test in five dimensions", "五个维度的压力测试"};
  if (report.kind == "load") return {"Load test", "负载测试"};
  if (report.kind == "limit") return {"Search for the limit", "极限搜索"};
  if (report.kind == "prove") return {"Proof of the load generator", "压测端自证"};
  return {report.kind};
}

std::vector<Section> all_sections(const Report& report) {
  std::vector<Section> sections = report.sections;
  if (!report.server_samples.empty() || !report.server_missing.empty()) {
    sections.push_back(server_section(report.server_samples, report.server_missing));
  }
  sections.push_back(self_proof_section(report.proof, report.prove_line));
  sections.push_back(environment_section(report));
  sections.push_back(formulas_section());
  return sections;
}

}  // namespace hussar
