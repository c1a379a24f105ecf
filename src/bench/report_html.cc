#include <utility>

#include "base/check.h"
#include "bench/report_json.h"
#include "bench/report_page.h"
#include "bench/report_sections.h"
#include "bench/self_proof.h"

namespace hussar {
namespace {

std::string_view page_file(std::string_view name) {
  for (const EmbeddedFile& file : embedded_report_files()) {
    if (file.name == name) return file.bytes;
  }
  check_failed(__FILE__, __LINE__, "page_file", "no such file was embedded");
}

// Inside a script element only "</script" and "<!--" matter; without '<' there is neither, whatever a model
// or a server said. '<' can only stand within a string of JSON.
std::string json_for_script(const Json& value) {
  std::string out;
  for (const char c : write_json(value)) {
    if (c == '<') {
      out += "\\u003c";
    } else {
      out += c;
    }
  }
  return out;
}

// Numbers for machines stay in results.json: the page shows sections.
Json page_data(const Report& report) {
  JsonObject data = report_head(report);
  JsonArray sections;
  for (const Section& section : all_sections(report)) sections.push_back(section_to_json(section));
  data.emplace_back("title", text_to_json(report_title(report)));
  data.emplace_back("proof_line", text_to_json(self_proof_line(report.proof)));
  data.emplace_back("sections", std::move(sections));
  return data;
}

std::string script_of_page() {
  std::string script;
  for (const std::string_view name :
       {"words.js", "choices.js", "elements.js", "tables.js", "charts.js", "page.js"}) {
    script += page_file(name);
  }
  return script;
}

}  // namespace

std::string report_to_html(const Report& report) {
  const std::string data = json_for_script(page_data(report)), script = script_of_page();
  const std::pair<std::string_view, std::string_view> parts[] = {{"{{style}}", page_file("style.css")},
                                                                 {"{{data}}", data},
                                                                 {"{{chart}}", page_file("chart.min.js")},
                                                                 {"{{script}}", script}};
  // Each place once, in this order: what was put in is never searched.
  std::string page;
  std::string_view rest = page_file("index.html");
  for (const auto& [place, part] : parts) {
    const size_t at = rest.find(place);
    CHECK(at != std::string_view::npos);
    page += rest.substr(0, at);
    page += part;
    rest.remove_prefix(at + place.size());
  }
  return page += rest;
}

}  // namespace hussar
