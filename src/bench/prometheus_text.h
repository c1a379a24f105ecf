// Reads Prometheus's text format (version 0.0.4) line by line: foreign bytes, of which whatever is no sample
// line is passed over.
#pragma once

#include <string_view>

namespace hussar {

struct PrometheusLine {
  std::string_view name;    // of the text
  std::string_view labels;  // between the braces, as written; empty: none
  double value = 0;         // may be a NaN or an infinity
};

// The next sample of `text`, which is moved behind it. False at the end.
bool next_prometheus_line(std::string_view* text, PrometheusLine* line);

}  // namespace hussar
