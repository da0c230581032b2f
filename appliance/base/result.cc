#include "appliance/base/result.h"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <system_error>

namespace skerry {

namespace {

struct CodeRow {
  ErrorCode code;
  std::string_view name;
  int exit_status;
  int http_status;
};

constexpr CodeRow kCodes[] = {
    {ErrorCode::kInvalidArgument, "invalid_argument", 2, 400},
    {ErrorCode::kNotFound, "not_found", 1, 404},
    {ErrorCode::kAlreadyExists, "already_exists", 1, 409},
    {ErrorCode::kDenied, "denied", 1, 403},
    {ErrorCode::kUntrusted, "untrusted", 1, 403},
    {ErrorCode::kCorrupt, "corrupt", 1, 422},
    {ErrorCode::kIo, "io", 1, 500},
    {ErrorCode::kExhausted, "exhausted", 1, 429},
    {ErrorCode::kUnavailable, "unavailable", 1, 503},
    {ErrorCode::kCancelled, "cancelled", 1, 499},
    {ErrorCode::kInternal, "internal", 1, 500},
};

const CodeRow& Row(ErrorCode code) {
  for (const CodeRow& row : kCodes) {
    if (row.code == code) return row;
  }
  std::abort();
}

}  // namespace

std::string_view ErrorCodeName(ErrorCode code) { return Row(code).name; }
ErrorCode ErrorCodeFromName(std::string_view name) {
  for (const CodeRow& row : kCodes) {
    if (row.name == name) return row.code;
  }
  return ErrorCode::kInternal;
}
int ExitStatus(ErrorCode code) { return Row(code).exit_status; }
int HttpStatus(ErrorCode code) { return Row(code).http_status; }

Error ErrnoError(std::string_view what, int errno_value) {
  ErrorCode code = ErrorCode::kIo;
  switch (errno_value) {
    case ENOENT:
    case ENOTDIR:
      code = ErrorCode::kNotFound;
      break;
    case EEXIST:
    case ENOTEMPTY:
      code = ErrorCode::kAlreadyExists;
      break;
    case EACCES:
    case EPERM:
    case EROFS:
      code = ErrorCode::kDenied;
      break;
    case ENOSPC:
    case EDQUOT:
    case EMFILE:
    case ENFILE:
      code = ErrorCode::kExhausted;
      break;
    default:
      break;
  }
  return Error(code, std::string(what) + ": " + std::generic_category().message(errno_value));
}

namespace internal {
void BadResultAccess(const Error& error) {
  std::fprintf(stderr, "fatal: a failed result was used as a value: %s\n", error.message().c_str());
  std::abort();
}
}  // namespace internal

}  // namespace skerry
