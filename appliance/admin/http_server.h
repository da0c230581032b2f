// The admin API on loopback TCP, by Pistache. The one file that includes it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "appliance/admin/api.h"
#include "appliance/base/result.h"

namespace skerry::admin {

// Answers on threads of its own until destroyed.
class HttpServer {
 public:
  // Listens on 127.0.0.1:`port` (0: any free one). Every request must carry
  // `Authorization: Bearer SECRET`; this is checked, in constant time, before its path or body is
  // looked at. `secret`: 64 hex digits. `api` must outlive the server. kAlreadyExists when the port
  // is in use.
  static Result<std::unique_ptr<HttpServer>> Start(uint16_t port, const std::string& secret,
                                                   Api& api);
  virtual ~HttpServer() = default;
  virtual uint16_t port() const = 0;
};

// Whether `authorization` (the header's value) is "Bearer " and `secret`; in time that depends on
// the lengths only.
bool IsAuthorized(std::string_view authorization, std::string_view secret);

}  // namespace skerry::admin
