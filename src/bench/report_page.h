// The files of web/report/ and Chart.js, which the build embeds; report_to_html puts them together.
#pragma once

#include <span>

#include "base/embedded_file.h"

namespace hussar {

std::span<const EmbeddedFile> embedded_report_files();  // written by the build

}  // namespace hussar
