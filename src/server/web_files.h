// The page that the server shows: the files of web/, as they are asked for.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "base/embedded_file.h"

namespace hussar {

struct WebFile {
  std::string path;  // "/app.js"; index.html is "/"
  std::string_view content_type;
  std::string_view bytes;
};

std::span<const WebFile> web_files();

std::span<const EmbeddedFile> embedded_web_files();  // written by the build

}  // namespace hussar
