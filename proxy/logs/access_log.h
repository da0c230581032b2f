// The access log in nginx's combined format, so that tools that read nginx's read this one. The
// token's label stands as the remote user. Query strings are left out: people put keys there.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "appliance/base/result.h"
#include "appliance/base/unique_fd.h"

namespace skerry::proxy {

struct AccessEntry {
  std::string_view remote_address;
  std::string_view user;  // empty: "-"
  int64_t unix_millis = 0;
  std::string_view method;  // empty: the request had no readable first line
  std::string_view path;
  int status = 0;
  uint64_t body_bytes = 0;
  std::string_view referer;
  std::string_view user_agent;
};

// One line with its '\n'. Quotes, backslashes and everything outside visible ASCII become \xHH.
std::string FormatAccess(const AccessEntry& entry);

// One thread.
class AccessLog {
 public:
  // Appends to `path`, made with mode 0640 when absent.
  static Result<std::unique_ptr<AccessLog>> Open(const std::string& path);
  // A line that cannot be written is dropped: the audit journal is the record that must not lose
  // any.
  void Write(const AccessEntry& entry);

 private:
  explicit AccessLog(UniqueFd fd) : fd_(std::move(fd)) {}
  const UniqueFd fd_;
};

}  // namespace skerry::proxy
