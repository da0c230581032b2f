// The strict check of an HTTP/1.1 request head (RFC 9112): every ambiguity in framing is refused before
// a library parser or a route sees the message. Pure functions over bytes, no I/O: small enough to fuzz.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "appliance/base/result.h"

namespace skerry::http {

// Names are lower case. Order and duplicates are kept.
using HeaderList = std::vector<std::pair<std::string, std::string>>;

// First value of `lower_case_name`; nullptr when absent.
const std::string* FindHeader(const HeaderList& headers, std::string_view lower_case_name);

struct HeadLimits {
  size_t max_head_bytes = 16 << 10;
  size_t max_headers = 64;
  size_t max_target_bytes = 4 << 10;
};

struct RequestHead {
  std::string method;                    // token, at most 16 bytes
  std::string target;                    // origin form: starts with '/', visible ASCII
  std::string path;                      // target up to '?'
  std::string query;                     // after '?', may be empty
  HeaderList headers;
  std::optional<uint64_t> content_length;
  bool chunked = false;                  // transfer-encoding: exactly "chunked"
  bool keep_alive = true;                // false with "connection: close"
  bool expect_continue = false;
};

// Position just after the blank line that ends the head, or npos when it is not complete yet.
size_t FindHeadEnd(std::string_view bytes);

// `head` is everything up to and with the blank line. Refuses with kInvalidArgument (answer 400 and close):
// any line not ended by CRLF, bare CR or LF, NUL or other control characters, obs-fold, white space before
// the colon, empty or non-token names, HTTP versions other than 1.1, absolute or authority form, no Host or
// two, two Content-Lengths (even equal), a Content-Length that is not 1 to 15 digits, Transfer-Encoding other
// than "chunked", both of them, two Authorizations; and with kExhausted (431 or 414) what is over a limit.
Result<RequestHead> CheckRequestHead(std::string_view head, const HeadLimits& limits = {});

}  // namespace skerry::http
