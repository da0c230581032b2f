#include "proxy/logs/access_log.h"

#include <fcntl.h>

#include <cerrno>
#include <ctime>

namespace skerry::proxy {

namespace {

constexpr size_t kMaxFieldBytes = 512;

void AppendEscaped(std::string_view text, std::string& out) {
  constexpr char kHex[] = "0123456789ABCDEF";
  if (text.empty()) {
    out += '-';
    return;
  }
  for (char c : text.substr(0, kMaxFieldBytes)) {
    const auto byte = static_cast<uint8_t>(c);
    if (byte < 0x20 || byte > 0x7e || c == '"' || c == '\\') {
      out += {'\\', 'x', kHex[byte >> 4], kHex[byte & 15]};
    } else {
      out += c;
    }
  }
}

}  // namespace

std::string FormatAccess(const AccessEntry& entry) {
  std::string line;
  line.reserve(256);
  line.append(entry.remote_address).append(" - ");
  std::string user;
  AppendEscaped(entry.user, user);
  for (char& c : user) c = c == ' ' ? '_' : c;  // the field ends at the first space
  line += user;
  const time_t seconds = entry.unix_millis / 1000;
  tm utc{};
  ::gmtime_r(&seconds, &utc);
  char time[64];
  line.append(time, std::strftime(time, sizeof time, " [%d/%b/%Y:%H:%M:%S +0000] \"", &utc));
  if (!entry.method.empty()) {
    AppendEscaped(entry.method, line);
    line += ' ';
    AppendEscaped(entry.path, line);
    line += " HTTP/1.1";
  }
  line += "\" " + std::to_string(entry.status) + " " + std::to_string(entry.body_bytes) + " \"";
  AppendEscaped(entry.referer, line);
  line += "\" \"";
  AppendEscaped(entry.user_agent, line);
  line += "\"\n";
  return line;
}

Result<std::unique_ptr<AccessLog>> AccessLog::Open(const std::string& path) {
  UniqueFd fd(::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640));
  if (!fd) return ErrnoError("cannot open the access log '" + path + "'", errno);
  return std::unique_ptr<AccessLog>(new AccessLog(std::move(fd)));
}

void AccessLog::Write(const AccessEntry& entry) {
  const std::string line = FormatAccess(entry);
  [[maybe_unused]] const ssize_t put = ::write(fd_.get(), line.data(), line.size());
}

}  // namespace skerry::proxy
