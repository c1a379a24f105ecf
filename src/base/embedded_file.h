// A file that the build put into the binary (cmake/embed_files.cmake).
#pragma once

#include <string_view>

namespace hussar {

struct EmbeddedFile {
  std::string_view name;  // without folders: "app.js"
  std::string_view bytes;
};

}  // namespace hussar
