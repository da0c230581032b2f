// Logging for programs. Libraries return errors; only mains and servers log. Never log a token, key
// or prompt. On a journal the lines carry syslog priorities, elsewhere a time and a level.
#pragma once

#include <string>
#include <string_view>

namespace skerry {

enum class LogLevel { kDebug, kInfo, kWarning, kError };

// Once per program, before other threads start. `program` stands in each line.
void InitLogging(std::string_view program, LogLevel level = LogLevel::kInfo);

// One line to standard error. Control characters in `message` are replaced, so that text of a
// stranger cannot forge a line. Thread-safe.
void Log(LogLevel level, std::string_view message);

inline void LogDebug(std::string_view message) { Log(LogLevel::kDebug, message); }
inline void LogInfo(std::string_view message) { Log(LogLevel::kInfo, message); }
inline void LogWarning(std::string_view message) { Log(LogLevel::kWarning, message); }
inline void LogError(std::string_view message) { Log(LogLevel::kError, message); }

// `text` with control characters (below 0x20, and 0x7f) replaced by '?'.
std::string OneLine(std::string_view text);

}  // namespace skerry
