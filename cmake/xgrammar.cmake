# The grammar library, from the source package that tools/setup unpacks: its C++ library alone, by our build instead of its own, without the
# Python bindings. Its warnings are not ours to fix.
set(HUSSAR_XGRAMMAR_DIR ${CMAKE_SOURCE_DIR}/build/third_party/xgrammar-0.2.8 CACHE PATH "xgrammar's unpacked source package")
if(NOT EXISTS ${HUSSAR_XGRAMMAR_DIR}/include/xgrammar/xgrammar.h)
  message(FATAL_ERROR "no xgrammar in ${HUSSAR_XGRAMMAR_DIR}: run tools/setup run, or set HUSSAR_XGRAMMAR_DIR")
endif()
file(GLOB_RECURSE xgrammar_sources ${HUSSAR_XGRAMMAR_DIR}/cpp/*.cc)
list(FILTER xgrammar_sources EXCLUDE REGEX "/cpp/tvm_ffi/")

# The parser has no limit of its own: at each byte, and wherever it looks through a row of its chart, it is made to say so to ParseWork
# (src/grammar/internal/parse_work.h), which stops it when that becomes too much. hussar_count_work(FILE LINE TEXT...): behind each LINE of
# cpp/FILE stands TEXT in the copy that is compiled.
function(hussar_count_work file)
  set(source ${HUSSAR_XGRAMMAR_DIR}/cpp/${file})
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${source})
  file(READ ${source} text)
  set(text "#include \"grammar/internal/parse_work.h\"\n${text}")
  list(LENGTH ARGN arguments)
  math(EXPR last "${arguments} - 1")
  foreach(at RANGE 0 ${last} 2)
    math(EXPR behind "${at} + 1")
    list(GET ARGN ${at} line)
    list(GET ARGN ${behind} added)
    string(FIND "${text}" "${line}" found)
    if(found EQUAL -1)
      message(FATAL_ERROR "${source} does not hold: ${line}")
    endif()
    string(REPLACE "${line}" "${line} hussar::ParseWork::spend(${added})$<SEMICOLON>" text "${text}")
  endforeach()
  set(copy ${CMAKE_BINARY_DIR}/xgrammar/${file})
  string(REPLACE "$<SEMICOLON>" ";" text "${text}")
  set(before "")
  if(EXISTS ${copy})
    file(READ ${copy} before)
  endif()
  if(NOT before STREQUAL text)
    file(WRITE ${copy} "${text}")
  endif()
  list(REMOVE_ITEM xgrammar_sources ${source})
  list(APPEND xgrammar_sources ${copy})
  set(xgrammar_sources ${xgrammar_sources} PARENT_SCOPE)
endfunction()
hussar_count_work(earley_parser.cc
  "bool EarleyParser::Advance(const uint8_t ch, bool debug_print) {"
  "1 + scanable_state_history_[scanable_state_history_.size() - 1].size()"
  "const auto& parent_states_map = rule_id_to_completable_states_[state.rule_start_pos]\;"
  "1 + parent_states_map.size()"
  "const auto in_vec = [&](const ParserState& state_) {"
  "rule_id_to_completable_states_.Back().size()")
hussar_count_work(grammar_matcher.cc
  "// Examine only the current one ParserState\n"
  "1 + adaptive_token_mask.uncertain_indices.size() / 8 + adaptive_token_mask.rejected_indices.size() / 8")

add_library(xgrammar STATIC ${xgrammar_sources})
set_target_properties(xgrammar PROPERTIES CXX_STANDARD 17)
target_compile_options(xgrammar PRIVATE -w)
target_compile_definitions(xgrammar PUBLIC XGRAMMAR_ENABLE_CPPTRACE=0 XGRAMMAR_ENABLE_INTERNAL_CHECK=0)
# cpp/earley_parser.h is the parser's own header, which is no part of the public ones: the version is pinned.
target_include_directories(xgrammar PRIVATE ${CMAKE_SOURCE_DIR}/src ${HUSSAR_XGRAMMAR_DIR}/cpp)
target_include_directories(xgrammar SYSTEM PUBLIC ${HUSSAR_XGRAMMAR_DIR} ${HUSSAR_XGRAMMAR_DIR}/include
  ${HUSSAR_XGRAMMAR_DIR}/3rdparty/picojson ${HUSSAR_XGRAMMAR_DIR}/3rdparty/dlpack/include)
