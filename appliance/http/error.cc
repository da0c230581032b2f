#include "appliance/http/error.h"

#include <nlohmann/json.hpp>

#include "appliance/base/json.h"

namespace skerry::http {

std::string_view ErrorType(int status) {
  switch (status) {
    case 401:
      return "authentication_error";
    case 403:
      return "permission_error";
    case 429:
      return "rate_limit_error";
    default:
      return status >= 500 ? "server_error" : "invalid_request_error";
  }
}

std::string ErrorBody(const ApiError& error) {
  const std::string code = error.code.empty() ? std::string(ErrorType(error.status)) : error.code;
  const Json body = {{"error",
                      {{"message", error.message},
                       {"type", ErrorType(error.status)},
                       {"param", error.param.empty() ? Json(nullptr) : Json(error.param)},
                       {"code", code}}}};
  return DumpJsonAscii(body);
}

ApiError FromError(const Error& error) {
  return ApiError{HttpStatus(error.code()), error.message(),
                  std::string(ErrorCodeName(error.code())), ""};
}

}  // namespace skerry::http
