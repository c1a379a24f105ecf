// The files of web/, which the build embeds (cmake/embed_web.cmake).
#pragma once

#include <span>
#include <string_view>

namespace hussar {

struct WebFile {
  std::string_view path;  // "/app.js"; index.html is "/"
  std::string_view content_type;
  std::string_view bytes;
};

std::span<const WebFile> web_files();

}  // namespace hussar
