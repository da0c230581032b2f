// Error replies in OpenAI's shape, the same from engine and proxy:
// {"error":{"message":"...","type":"...","param":null or "...","code":"..."}}.
#pragma once

#include <string>
#include <string_view>

#include "appliance/base/result.h"

namespace skerry::http {

struct ApiError {
  int status = 400;
  std::string message;  // for people: what happened, what to do
  std::string code;     // for programs, e.g. "model_not_found"; never empty on the wire
  std::string param;    // field of the request at fault; empty: null
};

// "invalid_request_error", "authentication_error", "rate_limit_error" or "server_error" for the
// status.
std::string_view ErrorType(int status);

// The JSON body, ASCII only.
std::string ErrorBody(const ApiError& error);

// Status and code by the error's category, its message as it is.
ApiError FromError(const Error& error);

}  // namespace skerry::http
