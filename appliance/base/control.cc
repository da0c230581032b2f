#include "appliance/base/control.h"

#include <sys/socket.h>
#include <sys/time.h>

#include <nlohmann/json.hpp>

#include "appliance/base/unix_socket.h"

namespace skerry {

namespace {

void LimitWaiting(int socket, int timeout_ms) {
  timeval limit{};
  limit.tv_sec = timeout_ms / 1000;
  limit.tv_usec = timeout_ms % 1000 * 1000;
  ::setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  ::setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
}

}  // namespace

Result<Json> CallControl(const std::string& socket_path, const Json& request, int timeout_ms) {
  const Result<UniqueFd> socket = ConnectUnix(socket_path);
  if (!socket) return Error(ErrorCode::kUnavailable, socket.error().message());
  LimitWaiting(socket->get(), timeout_ms);
  const Result<void> sent = WriteFully(socket->get(), DumpJson(request) + "\n");
  // Whoever refuses at once may have gone before the request was sent; the reason is waiting.
  const Result<std::string> line = ReadLine(socket->get(), kMaxControlLineBytes);
  if (!line && !sent) return Error(ErrorCode::kUnavailable, sent.error().message());
  if (!line) {
    return Error(ErrorCode::kUnavailable,
                 "no answer on '" + socket_path + "': " + line.error().message());
  }
  Json reply = TRY(ParseJson(*line));
  if (!reply.is_object()) {
    return Error(ErrorCode::kCorrupt, "the answer on '" + socket_path + "' is not an object");
  }
  if (reply.contains("error")) {
    return ErrorFromJson(
        reply, Error(ErrorCode::kCorrupt, "a malformed error came on '" + socket_path + "'"));
  }
  return reply;
}

std::string ControlReply(const Result<Json>& result) {
  return DumpJson(result ? *result : ErrorToJson(result.error())) + "\n";
}

Json ErrorToJson(const Error& error) {
  return {{"error",
           {{"code", std::string(ErrorCodeName(error.code()))}, {"message", error.message()}}}};
}

Error ErrorFromJson(const Json& reply, const Error& fallback) {
  if (!reply.is_object()) return fallback;
  const auto error = reply.find("error");
  if (error == reply.end()) return fallback;
  const Result<std::string> code = GetString(*error, "code");
  const Result<std::string> message = GetString(*error, "message");
  if (!code || !message) return fallback;
  return Error(ErrorCodeFromName(*code), *message);
}

}  // namespace skerry
