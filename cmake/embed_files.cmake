# cmake -DOUT=files.cc -DHEADER=server/web_files.h -DFUNCTION=embedded_web_files "-DFILES=a.html;b.js" -P embed_files.cmake: writes the files as
# byte arrays behind FUNCTION, which HEADER declares. Each is named by its last part.
set(arrays "")
set(entries "")
set(index 0)
foreach(file ${FILES})
  file(READ ${file} hex HEX)
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
  string(APPEND arrays "constexpr unsigned char kFile${index}[] = {${bytes}};\n")
  get_filename_component(name ${file} NAME)
  string(APPEND entries "    {\"${name}\", {reinterpret_cast<const char*>(kFile${index}), sizeof kFile${index}}},\n")
  math(EXPR index "${index} + 1")
endforeach()
file(WRITE ${OUT} "// Written by cmake/embed_files.cmake.
#include \"${HEADER}\"

namespace hussar {
namespace {
${arrays}}  // namespace

std::span<const EmbeddedFile> ${FUNCTION}() {
  static const EmbeddedFile files[] = {
${entries}  };
  return files;
}

}  // namespace hussar
")
