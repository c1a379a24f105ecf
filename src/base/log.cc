#include "base/log.h"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <atomic>
#include <memory>

#include "base/json.h"
#include "base/utf8.h"

namespace hussar {
namespace {

struct Log {
  // spdlog adds time and level and keeps lines of several threads apart; the rest of the line is ours.
  Log() : logger("hussar", std::make_shared<spdlog::sinks::stderr_sink_mt>()) {
    set(LogLevel::kInfo, LogFormat::kText);
  }
  void set(LogLevel level, LogFormat new_format);

  spdlog::logger logger;
  std::atomic<LogFormat> format;
};

spdlog::level::level_enum spdlog_level(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return spdlog::level::debug;
    case LogLevel::kInfo:
      return spdlog::level::info;
    case LogLevel::kWarning:
      return spdlog::level::warn;
    case LogLevel::kError:
      return spdlog::level::err;
  }
  return spdlog::level::info;
}

void Log::set(LogLevel level, LogFormat new_format) {
  format = new_format;
  logger.set_level(spdlog_level(level));
  logger.flush_on(spdlog::level::trace);
  logger.set_pattern(new_format == LogFormat::kText ? "%Y-%m-%dT%H:%M:%S.%eZ %-7l %v"
                                                    : R"({"time":"%Y-%m-%dT%H:%M:%S.%eZ","level":"%l",%v})",
                     spdlog::pattern_time_type::utc);
}

Log& the_log() {
  static Log log;
  return log;
}

// Text for a line of a terminal: valid UTF-8, and the control characters (C0, DEL and C1, which terminals
// obey too) as escapes.
void append_plain(std::string_view text, std::string* out) {
  const std::string valid = replace_invalid_utf8(text);
  for (size_t offset = 0; offset < valid.size();) {
    const size_t begin = offset;
    const char32_t c = next_code_point(valid, &offset);
    if (c >= 0x20 && (c < 0x7F || c >= 0xA0)) {
      out->append(valid, begin, offset - begin);
    } else if (c == '\n') {
      *out += "\\n";
    } else {
      static constexpr char kHex[] = "0123456789abcdef";
      *out += "\\u00";
      *out += kHex[c >> 4];
      *out += kHex[c & 15];
    }
  }
}

void append_field(std::string_view value, std::string* out) {
  if (!value.empty() && value.find_first_of(" \"=\\\t\r\n") == std::string_view::npos) {
    return append_plain(value, out);
  }
  std::string quoted;
  append_json_string(value, &quoted);
  append_plain(quoted, out);
}

std::string text_line(std::string_view message, std::initializer_list<LogField> fields) {
  std::string line;
  append_plain(message, &line);
  for (const auto& [key, value] : fields) {
    if (value.empty()) continue;
    line += ' ';
    append_plain(key, &line);
    line += '=';
    append_field(value, &line);
  }
  return line;
}

// The members after time and level, without the braces.
std::string json_members(std::string_view message, std::initializer_list<LogField> fields) {
  std::string line = "\"message\":";
  append_json_string(message, &line);
  for (const auto& [key, value] : fields) {
    if (value.empty()) continue;
    line += ',';
    append_json_string(key, &line);
    line += ':';
    append_json_string(value, &line);
  }
  return line;
}

}  // namespace

void configure_log(LogLevel level, LogFormat format) { the_log().set(level, format); }

void log_line(LogLevel level, std::string_view message, std::initializer_list<LogField> fields) {
  Log& log = the_log();
  if (!log.logger.should_log(spdlog_level(level))) return;
  const std::string line =
      log.format == LogFormat::kText ? text_line(message, fields) : json_members(message, fields);
  // As a string_view it is taken as it stands; braces in it are not looked at.
  log.logger.log(spdlog_level(level), spdlog::string_view_t(line.data(), line.size()));
}

}  // namespace hussar
