// The strict check of HTTP/1.1 heads (RFC 9112): every ambiguity in framing is refused before a
// route sees the message. Pure functions over bytes, no I/O: small enough to fuzz.
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
  std::string method;  // token, at most 16 bytes
  std::string target;  // origin form: starts with '/', visible ASCII
  std::string path;    // target up to '?'
  std::string query;   // after '?', may be empty
  HeaderList headers;
  std::optional<uint64_t> content_length;
  bool chunked = false;    // transfer-encoding: exactly "chunked"
  bool keep_alive = true;  // false with "connection: close"
  bool expect_continue = false;
};

struct ResponseHead {
  int status = 0;      // 100 to 599
  std::string reason;  // may be empty
  HeaderList headers;
  std::optional<uint64_t> content_length;
  bool chunked = false;
  bool keep_alive = true;
};

// Position just after the blank line that ends the head, or npos when it is not complete yet. A
// blank line made of bare LFs counts too, so that such a head is refused at once instead of waited
// for. The search may start at `from` when that many bytes were searched before.
size_t FindHeadEnd(std::string_view bytes, size_t from = 0);

// `head` is everything up to and with the blank line. Refuses with kInvalidArgument (answer 400 and
// close): any line not ended by CRLF, bare CR or LF, NUL or other control characters, obs-fold,
// white space before the colon, empty or non-token names, HTTP versions other than 1.1, absolute or
// authority form, no Host or two, two Content-Lengths (even equal), a Content-Length that is not 1
// to 15 digits, Transfer-Encoding other than "chunked", both of them, two Authorizations; and with
// kExhausted (431 or 414) what is over a limit.
Result<RequestHead> CheckRequestHead(std::string_view head, const HeadLimits& limits = {});

// Refuses the beginning of a head (no blank line yet) as soon as no continuation can make it valid:
// a bad first line, or more bytes than a head may have. Same error codes.
Result<void> CheckPartialRequestHead(std::string_view bytes, const HeadLimits& limits = {});

// Status for an error of the two functions above: 400, 414 or 431.
int HeadErrorStatus(const Error& error);

// The same strictness for a reply's head: status line "HTTP/1.1 NNN reason", CRLF only, no
// obs-fold, one framing or none (then the body ends with the connection). kCorrupt otherwise,
// kExhausted over a limit.
Result<ResponseHead> CheckResponseHead(std::string_view head, const HeadLimits& limits = {});

// `name: value` lines, each ended by CRLF, without a blank line; used for trailers. Appends to
// `headers`. kInvalidArgument or kExhausted as above.
Result<void> ParseFieldLines(std::string_view lines, size_t max_headers, HeaderList& headers);

}  // namespace skerry::http
