#include "server/web_files.h"

#include <vector>

namespace hussar {
namespace {

std::string_view content_type(std::string_view name) {
  if (name.ends_with(".html")) return "text/html; charset=utf-8";
  if (name.ends_with(".css")) return "text/css; charset=utf-8";
  if (name.ends_with(".js")) return "text/javascript; charset=utf-8";
  return "image/svg+xml";
}

}  // namespace

std::span<const WebFile> web_files() {
  static const std::vector<WebFile> files = [] {
    std::vector<WebFile> list;
    for (const EmbeddedFile& file : embedded_web_files()) {
      const std::string path = file.name == "index.html" ? "/" : "/" + std::string(file.name);
      list.push_back({path, content_type(file.name), file.bytes});
    }
    return list;
  }();
  return files;
}

}  // namespace hussar
