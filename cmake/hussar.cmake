# The folders, what each may include (tools/check_layers checks it), and the libraries that each one owns.
include_directories(${CMAKE_SOURCE_DIR}/src)

function(hussar_folder folder)
  cmake_parse_arguments(ARG "" "" "EXCLUDES;USES;LIBRARIES" ${ARGN})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/${folder}/*.cc)
  set(tests ${sources})
  list(FILTER sources EXCLUDE REGEX "_test\\.cc$")
  foreach(excluded ${ARG_EXCLUDES})
    list(REMOVE_ITEM sources ${CMAKE_SOURCE_DIR}/src/${folder}/${excluded})
  endforeach()
  list(FILTER tests INCLUDE REGEX "_test\\.cc$")
  if(NOT sources)
    return()
  endif()
  add_library(hussar_${folder} STATIC ${sources})
  foreach(used ${ARG_USES})
    if(TARGET hussar_${used})
      target_link_libraries(hussar_${folder} PUBLIC hussar_${used})
    endif()
  endforeach()
  target_link_libraries(hussar_${folder} PUBLIC Threads::Threads PRIVATE ${ARG_LIBRARIES})
  if(HUSSAR_TESTS AND tests)
    find_package(GTest REQUIRED)
    add_executable(${folder}_test ${tests})
    target_link_libraries(${folder}_test PRIVATE hussar_${folder} ${ARG_LIBRARIES} GTest::gtest GTest::gtest_main)
    add_test(NAME ${folder} COMMAND ${folder}_test)
  endif()
endfunction()

enable_testing()
find_package(PkgConfig REQUIRED)
if(HUSSAR_BOOST_ROOT)
  include_directories(SYSTEM ${HUSSAR_BOOST_ROOT}/include)
endif()

# Boost.JSON is compiled inside json.cc (header-only mode), so that no Boost library has to be installed or linked.
find_package(spdlog REQUIRED)
hussar_folder(base LIBRARIES spdlog::spdlog)
pkg_check_modules(CURL REQUIRED IMPORTED_TARGET libcurl)
pkg_check_modules(CRYPTO REQUIRED IMPORTED_TARGET libcrypto)
pkg_check_modules(OPENSSL REQUIRED IMPORTED_TARGET openssl)
hussar_folder(net USES base LIBRARIES PkgConfig::CURL PkgConfig::OPENSSL)
hussar_folder(hub USES base net LIBRARIES PkgConfig::CRYPTO)
hussar_folder(kernels USES base)
hussar_folder(weights USES base)
pkg_check_modules(PCRE2 REQUIRED IMPORTED_TARGET libpcre2-8)
pkg_check_modules(UTF8PROC REQUIRED IMPORTED_TARGET libutf8proc)
hussar_folder(text USES base LIBRARIES PkgConfig::PCRE2 PkgConfig::UTF8PROC)
include(cmake/xgrammar.cmake)
hussar_folder(grammar USES base LIBRARIES xgrammar)
hussar_folder(model USES base kernels weights)
hussar_folder(engine USES base kernels grammar model)
find_package(prometheus-cpp REQUIRED)
hussar_folder(server USES base net text grammar weights model engine LIBRARIES prometheus-cpp::core)

# Puts files into a folder's library as bytes: FUNCTION, which HEADER declares, hands them out.
function(hussar_embed folder function header)
  set(written ${CMAKE_BINARY_DIR}/${function}.cc)
  set(script ${CMAKE_SOURCE_DIR}/cmake/embed_files.cmake)
  add_custom_command(OUTPUT ${written}
    COMMAND ${CMAKE_COMMAND} -DOUT=${written} -DHEADER=${header} -DFUNCTION=${function} "-DFILES=${ARGN}" -P ${script}
    DEPENDS ${ARGN} ${script} VERBATIM)
  target_sources(hussar_${folder} PRIVATE ${written})
endfunction()
file(GLOB web_files CONFIGURE_DEPENDS
  ${CMAKE_SOURCE_DIR}/web/*.html ${CMAKE_SOURCE_DIR}/web/*.css ${CMAKE_SOURCE_DIR}/web/*.js ${CMAKE_SOURCE_DIR}/web/*.svg)
hussar_embed(server embedded_web_files server/web_files.h ${web_files})

hussar_folder(bench USES base net)
# The page of a report, with the library that draws its charts.
find_file(CHART_JS chart.min.js PATHS /usr/share/javascript/chart.js NO_DEFAULT_PATH)
if(NOT CHART_JS)
  message(FATAL_ERROR "no chart.min.js: install libjs-chart.js (tools/setup run does), or set CHART_JS to its path")
endif()
file(GLOB report_files CONFIGURE_DEPENDS
  ${CMAKE_SOURCE_DIR}/web/report/*.html ${CMAKE_SOURCE_DIR}/web/report/*.css ${CMAKE_SOURCE_DIR}/web/report/*.js)
hussar_embed(bench embedded_report_files bench/report_page.h ${report_files} ${CHART_JS})

# Everything but main.cc is a library like the others, so that its tests link it too.
hussar_folder(cli EXCLUDES main.cc USES base net hub kernels weights text grammar model engine server bench)
target_compile_definitions(hussar_cli PRIVATE HUSSAR_VERSION="${PROJECT_VERSION}")
add_executable(hussar ${CMAKE_SOURCE_DIR}/src/cli/main.cc)
target_link_libraries(hussar PRIVATE hussar_cli)

# Each ISA has its own translation units, compiled for it; nothing else in the binary is.
file(GLOB isa_avx2 ${CMAKE_SOURCE_DIR}/src/kernels/cpu/avx2/*.cc)
file(GLOB isa_avx512 ${CMAKE_SOURCE_DIR}/src/kernels/cpu/avx512/*.cc)
set_source_files_properties(${isa_avx2} PROPERTIES COMPILE_OPTIONS "-mavx2;-mfma;-mf16c;-O3")
# GCC 12 takes the "any value" operands inside its own AVX-512 header for uninitialised variables.
set_source_files_properties(${isa_avx512} PROPERTIES COMPILE_OPTIONS
  "-Wno-uninitialized;-Wno-maybe-uninitialized;-mavx2;-mfma;-mf16c;-mavx512f;-mavx512bw;-mavx512vl;-mavx512dq;-mavx512vnni;-mavx512bf16;-mprefer-vector-width=512;-O3")

if(HUSSAR_TESTS)
  # Programs that the Python tests talk to.
  function(hussar_test_tool name)
    add_executable(${name} ${CMAKE_SOURCE_DIR}/tests/tools/${name}.cc)
    foreach(folder ${ARGN})
      target_link_libraries(${name} PRIVATE hussar_${folder})
    endforeach()
  endfunction()
  hussar_test_tool(dump_logits base kernels weights model)
  hussar_test_tool(encode_lines base weights text)
  target_sources(encode_lines PRIVATE ${CMAKE_SOURCE_DIR}/src/cli/vocabulary.cc)
  hussar_test_tool(render_template base text)
  hussar_test_tool(statistics_lines base bench)
  hussar_test_tool(measure_lines base bench)
  hussar_test_tool(article_lines base bench)
  hussar_test_tool(demo_report base net bench)
  # What `hussar compile-grammars` does, for test programs that are not hussar.
  hussar_test_tool(grammar_child base grammar)
  foreach(test grammar_test server_test)
    add_dependencies(${test} grammar_child)
    target_compile_definitions(${test} PRIVATE HUSSAR_GRAMMAR_CHILD="$<TARGET_FILE:grammar_child>")
  endforeach()
  # A GPU library of known figures, for machines without GPU.
  add_library(fake_nvml SHARED ${CMAKE_SOURCE_DIR}/tests/tools/fake_nvml.cc)
  add_dependencies(bench_test fake_nvml)
  target_compile_definitions(bench_test PRIVATE HUSSAR_FAKE_NVML="$<TARGET_FILE:fake_nvml>")

  if(NOT HUSSAR_SANITIZE)
    add_test(NAME isa_symbols COMMAND ${CMAKE_SOURCE_DIR}/tests/kernels/isa_symbols_test.sh
      "$<FILTER:$<TARGET_OBJECTS:hussar_kernels>,INCLUDE,/avx>" COMMAND_EXPAND_LISTS)
  endif()

  # clang 14 can't instrument coroutines: "Cannot represent a difference across sections". No target feeds them.
  if(HUSSAR_FUZZER)
    set_source_files_properties(${CMAKE_SOURCE_DIR}/src/net/http_server.cc PROPERTIES COMPILE_OPTIONS -fno-sanitize=all)
  endif()
  add_custom_target(fuzz_targets)

  # Each target has LLVMFuzzerTestOneInput; without clang's fuzzer it is linked with a small driver that runs the files it is given.
  file(GLOB fuzz_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/fuzz/*_fuzz.cc)
  foreach(source ${fuzz_sources})
    get_filename_component(name ${source} NAME_WE)
    string(REPLACE "_fuzz" "" corpus ${name})
    if(HUSSAR_FUZZER)
      add_executable(${name} ${source})
      target_link_options(${name} PRIVATE -fsanitize=fuzzer)
    else()
      add_executable(${name} ${source} ${CMAKE_SOURCE_DIR}/fuzz/run_corpus.cc)
    endif()
    foreach(folder base weights text grammar net hub bench)
      if(TARGET hussar_${folder})
        target_link_libraries(${name} PRIVATE hussar_${folder})
      endif()
    endforeach()
    add_dependencies(fuzz_targets ${name})
    add_test(NAME ${name} COMMAND ${name} ${CMAKE_SOURCE_DIR}/fuzz/corpus/${corpus})
  endforeach()
endif()

# Programs that print how fast one part is, built on request only: ninja linear_bench.
file(GLOB micro_benchmarks CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/benchmarks/micro/*_bench.cc)
foreach(source ${micro_benchmarks})
  get_filename_component(name ${source} NAME_WE)
  add_executable(${name} EXCLUDE_FROM_ALL ${source})
  target_link_libraries(${name} PRIVATE hussar_kernels hussar_engine hussar_bench)
endforeach()
