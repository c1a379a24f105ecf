// Log lines to standard error, as text or JSON. The only user of spdlog is log.cc.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

namespace hussar {

enum class LogLevel { kDebug, kInfo, kWarning, kError };
enum class LogFormat { kText, kJson };

// Once, at start, before other threads run. The default is kInfo as text.
void configure_log(LogLevel level, LogFormat format);

using LogField = std::pair<std::string_view, std::string>;  // key, value already as text

// Writes one line: time, level, message, then key=value fields (members of the object in JSON), those left
// out that are empty. Control characters are escaped, so that a foreign string can't forge a line.
// Thread-safe.
void log_line(LogLevel level, std::string_view message, std::initializer_list<LogField> fields = {});

}  // namespace hussar
