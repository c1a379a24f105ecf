# The grammar library, from the source package that tools/setup unpacks: its C++ library alone, by our build instead of its own, without the
# Python bindings. Its warnings are not ours to fix.
set(HUSSAR_XGRAMMAR_DIR ${CMAKE_SOURCE_DIR}/build/third_party/xgrammar-0.2.8 CACHE PATH "xgrammar's unpacked source package")
if(NOT EXISTS ${HUSSAR_XGRAMMAR_DIR}/include/xgrammar/xgrammar.h)
  message(FATAL_ERROR "no xgrammar in ${HUSSAR_XGRAMMAR_DIR}: run tools/setup run, or set HUSSAR_XGRAMMAR_DIR")
endif()
file(GLOB_RECURSE xgrammar_sources ${HUSSAR_XGRAMMAR_DIR}/cpp/*.cc)
list(FILTER xgrammar_sources EXCLUDE REGEX "/cpp/tvm_ffi/")

add_library(xgrammar STATIC ${xgrammar_sources})
set_target_properties(xgrammar PROPERTIES CXX_STANDARD 17)
target_compile_options(xgrammar PRIVATE -w)
target_compile_definitions(xgrammar PUBLIC XGRAMMAR_ENABLE_CPPTRACE=0 XGRAMMAR_ENABLE_INTERNAL_CHECK=0)
# cpp/earley_parser.h is the parser's own header, which is no part of the public ones: the version is pinned.
target_include_directories(xgrammar SYSTEM PUBLIC ${HUSSAR_XGRAMMAR_DIR} ${HUSSAR_XGRAMMAR_DIR}/include
  ${HUSSAR_XGRAMMAR_DIR}/3rdparty/picojson ${HUSSAR_XGRAMMAR_DIR}/3rdparty/dlpack/include)
