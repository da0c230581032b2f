// How processes of the appliance give each other commands: one JSON object per line in each
// direction over a Unix socket, errors as {"error":{"code","message"}} (docs/architecture.md).
#pragma once

#include <string>
#include <string_view>

#include "appliance/base/json.h"
#include "appliance/base/result.h"

namespace skerry {

inline constexpr size_t kMaxControlLineBytes = 64 << 10;

// One request over a connection of its own. The other side's error becomes this call's error;
// kUnavailable when nobody listens or no answer comes within `timeout_ms`, kCorrupt for an answer
// that is not one.
Result<Json> CallControl(const std::string& socket_path, const Json& request, int timeout_ms);

// The answer to a request, as a line with its '\n'.
std::string ControlReply(const Result<Json>& result);

// {"error":{"code":"not_found","message":"..."}}; also the body of admin's HTTP errors.
Json ErrorToJson(const Error& error);
// The inverse, for any object with such a member; `fallback` when it is not well-formed.
Error ErrorFromJson(const Json& reply, const Error& fallback);

}  // namespace skerry
