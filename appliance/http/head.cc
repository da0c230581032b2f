#include "appliance/http/head.h"

#include <algorithm>
#include <array>

namespace skerry::http {

namespace {

constexpr size_t kMaxMethodBytes = 16;
constexpr size_t kMaxLengthDigits = 15;  // below 2^53
constexpr std::string_view kVersion = "HTTP/1.1";
constexpr char kTargetTooLong[] = "the request target is too long";

constexpr std::array<bool, 256> TokenTable() {
  std::array<bool, 256> table{};
  for (int c = '0'; c <= '9'; ++c) table[c] = true;
  for (int c = 'a'; c <= 'z'; ++c) table[c] = true;
  for (int c = 'A'; c <= 'Z'; ++c) table[c] = true;
  for (char c : std::string_view("!#$%&'*+-.^_`|~")) table[static_cast<uint8_t>(c)] = true;
  return table;
}
constexpr std::array<bool, 256> kTokenChars = TokenTable();

bool IsToken(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(),
                                      [](char c) { return kTokenChars[static_cast<uint8_t>(c)]; });
}

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

char Lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

bool EqualsIgnoringCase(std::string_view text, std::string_view lower_case) {
  return text.size() == lower_case.size() &&
         std::equal(text.begin(), text.end(), lower_case.begin(),
                    [](char a, char b) { return Lower(a) == b; });
}

// RFC 9110 section 5.5: visible characters, space, tab and obs-text.
bool IsFieldValue(std::string_view value) {
  return std::all_of(value.begin(), value.end(), [](char c) {
    const auto byte = static_cast<uint8_t>(c);
    return byte == '\t' || (byte >= 0x20 && byte != 0x7f);
  });
}

std::string_view Trim(std::string_view text) {
  const auto blank = [](char c) { return c == ' ' || c == '\t'; };
  while (!text.empty() && blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && blank(text.back())) text.remove_suffix(1);
  return text;
}

Error Bad(std::string message) { return Error(ErrorCode::kInvalidArgument, std::move(message)); }

// Takes the next line off `rest`; the line must end in CRLF and hold no other CR or LF.
Result<std::string_view> TakeLine(std::string_view& rest) {
  const size_t lf = rest.find('\n');
  if (lf == std::string_view::npos || lf == 0 || rest[lf - 1] != '\r') {
    return Bad("a line does not end in CRLF");
  }
  const std::string_view line = rest.substr(0, lf - 1);
  if (line.find('\r') != std::string_view::npos) return Bad("a bare CR");
  rest.remove_prefix(lf + 1);
  return line;
}

Result<void> ParseField(std::string_view line, HeaderList& headers) {
  if (line.front() == ' ' || line.front() == '\t') return Bad("a folded header line");
  const size_t colon = line.find(':');
  if (colon == std::string_view::npos) return Bad("a header line without a colon");
  const std::string_view name = line.substr(0, colon);
  if (!IsToken(name)) return Bad("a header name with a character that is not allowed");
  const std::string_view value = Trim(line.substr(colon + 1));
  if (!IsFieldValue(value)) return Bad("a control character in a header value");
  std::string lower(name);
  std::transform(lower.begin(), lower.end(), lower.begin(), Lower);
  headers.emplace_back(std::move(lower), std::string(value));
  return {};
}

// The part of a head that says where the message ends, the same for requests and replies.
struct Framing {
  std::optional<uint64_t> content_length;
  bool chunked = false;
  bool keep_alive = true;
};

Result<Framing> ReadFraming(const HeaderList& headers) {
  Framing framing;
  for (const auto& [name, value] : headers) {
    if (name == "content-length") {
      if (framing.content_length) return Bad("two Content-Length headers");
      if (value.empty() || value.size() > kMaxLengthDigits ||
          !std::all_of(value.begin(), value.end(), IsDigit)) {
        return Bad("a Content-Length that is not a number of 1 to 15 digits");
      }
      uint64_t length = 0;
      for (char c : value) length = length * 10 + static_cast<uint64_t>(c - '0');
      framing.content_length = length;
    } else if (name == "transfer-encoding") {
      if (framing.chunked) return Bad("two Transfer-Encoding headers");
      if (!EqualsIgnoringCase(value, "chunked")) {
        return Bad("a Transfer-Encoding other than chunked");
      }
      framing.chunked = true;
    } else if (name == "connection") {
      std::string_view rest = value;
      while (!rest.empty()) {
        const size_t comma = rest.find(',');
        if (EqualsIgnoringCase(Trim(rest.substr(0, comma)), "close")) framing.keep_alive = false;
        rest.remove_prefix(comma == std::string_view::npos ? rest.size() : comma + 1);
      }
    }
  }
  if (framing.chunked && framing.content_length) {
    return Bad("both Content-Length and Transfer-Encoding");
  }
  return framing;
}

struct RequestLine {
  std::string_view method;
  std::string_view target;
};

Result<RequestLine> ParseRequestLine(std::string_view line, const HeadLimits& limits) {
  const size_t first = line.find(' ');
  const size_t second = first == std::string_view::npos ? first : line.find(' ', first + 1);
  if (second == std::string_view::npos) {
    return Bad("the first line is not 'METHOD TARGET HTTP/1.1'");
  }
  RequestLine parts{line.substr(0, first), line.substr(first + 1, second - first - 1)};
  if (!IsToken(parts.method) || parts.method.size() > kMaxMethodBytes) {
    return Bad("the method is not a token of at most 16 characters");
  }
  if (parts.target.size() > limits.max_target_bytes) {
    return Error(ErrorCode::kExhausted, kTargetTooLong);
  }
  const bool visible = std::all_of(parts.target.begin(), parts.target.end(),
                                   [](char c) { return c > 0x20 && c < 0x7f && c != '#'; });
  if (parts.target.empty() || parts.target.front() != '/' || !visible) {
    return Bad("the request target is not a path that starts with '/' in visible ASCII");
  }
  if (line.substr(second + 1) != kVersion) return Bad("the protocol version is not HTTP/1.1");
  return parts;
}

// host [":" port] of RFC 3986, as far as characters go.
bool IsHost(std::string_view value) {
  return !value.empty() && std::all_of(value.begin(), value.end(), [](char c) {
    return IsDigit(c) || (Lower(c) >= 'a' && Lower(c) <= 'z') ||
           std::string_view("-._~%!$&'()*+;=:[]").find(c) != std::string_view::npos;
  });
}

Result<void> CheckRequestFields(const HeaderList& headers, RequestHead& head) {
  int hosts = 0;
  int authorizations = 0;
  for (const auto& [name, value] : headers) {
    if (name == "host") {
      if (++hosts > 1) return Bad("two Host headers");
      if (!IsHost(value)) return Bad("a Host that is not a host name");
    } else if (name == "authorization") {
      if (++authorizations > 1) return Bad("two Authorization headers");
    } else if (name == "expect") {
      if (!EqualsIgnoringCase(value, "100-continue")) return Bad("an unknown Expect");
      head.expect_continue = true;
    }
  }
  if (hosts == 0) return Bad("no Host header");
  return {};
}

Error HeadTooLarge(const HeadLimits& limits) {
  return Error(ErrorCode::kExhausted, "the request head is longer than " +
                                          std::to_string(limits.max_head_bytes) + " bytes");
}

Result<RequestHead> ParseRequest(std::string_view rest, const HeadLimits& limits) {
  RequestHead head;
  const std::string_view first_line = TRY(TakeLine(rest));
  const RequestLine line = TRY(ParseRequestLine(first_line, limits));
  head.method = line.method;
  head.target = line.target;
  const size_t question = head.target.find('?');
  head.path = head.target.substr(0, question);
  if (question != std::string::npos) head.query = head.target.substr(question + 1);
  if (rest.size() < 2 || !rest.ends_with("\r\n")) return Bad("the head has no end");
  TRY(ParseFieldLines(rest.substr(0, rest.size() - 2), limits.max_headers, head.headers));
  TRY(CheckRequestFields(head.headers, head));
  const Framing framing = TRY(ReadFraming(head.headers));
  head.content_length = framing.content_length;
  head.chunked = framing.chunked;
  head.keep_alive = framing.keep_alive;
  return head;
}

Result<ResponseHead> ParseResponse(std::string_view rest, const HeadLimits& limits) {
  ResponseHead head;
  const std::string_view line = TRY(TakeLine(rest));
  // "HTTP/1.1 200" with or without " reason".
  const bool shape = line.size() >= 12 && line.substr(0, 9) == "HTTP/1.1 " && IsDigit(line[9]) &&
                     IsDigit(line[10]) && IsDigit(line[11]) &&
                     (line.size() == 12 || line[12] == ' ');
  if (!shape) return Bad("the first line is not 'HTTP/1.1 NNN REASON'");
  head.status = (line[9] - '0') * 100 + (line[10] - '0') * 10 + (line[11] - '0');
  if (head.status < 100 || head.status > 599) return Bad("a status outside 100 to 599");
  if (line.size() > 13) head.reason = line.substr(13);
  if (!IsFieldValue(head.reason)) return Bad("a control character in the reason phrase");
  if (rest.size() < 2 || !rest.ends_with("\r\n")) return Bad("the head has no end");
  TRY(ParseFieldLines(rest.substr(0, rest.size() - 2), limits.max_headers, head.headers));
  const Framing framing = TRY(ReadFraming(head.headers));
  head.content_length = framing.content_length;
  head.chunked = framing.chunked;
  head.keep_alive = framing.keep_alive;
  return head;
}

}  // namespace

const std::string* FindHeader(const HeaderList& headers, std::string_view lower_case_name) {
  for (const auto& [name, value] : headers) {
    if (name == lower_case_name) return &value;
  }
  return nullptr;
}

size_t FindHeadEnd(std::string_view bytes, size_t from) {
  // A blank line is at most three bytes ("\n\r\n"), so a search may miss two at its border.
  size_t lf = bytes.find('\n', from < 3 ? 0 : from - 3);
  while (lf != std::string_view::npos) {
    const std::string_view after = bytes.substr(lf + 1);
    if (after.starts_with('\n')) return lf + 2;
    if (after.starts_with("\r\n")) return lf + 3;
    lf = bytes.find('\n', lf + 1);
  }
  return std::string_view::npos;
}

Result<void> ParseFieldLines(std::string_view lines, size_t max_headers, HeaderList& headers) {
  while (!lines.empty()) {
    const std::string_view line = TRY(TakeLine(lines));
    if (line.empty()) return Bad("an empty line among the headers");
    if (headers.size() == max_headers) {
      return Error(ErrorCode::kExhausted,
                   "more than " + std::to_string(max_headers) + " header lines");
    }
    TRY(ParseField(line, headers));
  }
  return {};
}

Result<RequestHead> CheckRequestHead(std::string_view head, const HeadLimits& limits) {
  if (head.size() > limits.max_head_bytes) return HeadTooLarge(limits);
  return ParseRequest(head, limits);
}

Result<void> CheckPartialRequestHead(std::string_view bytes, const HeadLimits& limits) {
  if (bytes.size() >= limits.max_head_bytes) return HeadTooLarge(limits);
  if (bytes.find('\n') == std::string_view::npos) {
    const bool text = std::all_of(bytes.begin(), bytes.end(),
                                  [](char c) { return (c >= 0x20 && c < 0x7f) || c == '\r'; });
    if (!text) return Bad("a byte that no request line has");
    return {};
  }
  const std::string_view line = TRY(TakeLine(bytes));
  TRY(ParseRequestLine(line, limits));
  return {};
}

int HeadErrorStatus(const Error& error) {
  if (error.code() != ErrorCode::kExhausted) return 400;
  return error.message() == kTargetTooLong ? 414 : 431;
}

Result<ResponseHead> CheckResponseHead(std::string_view head, const HeadLimits& limits) {
  if (head.size() > limits.max_head_bytes) {
    return Error(ErrorCode::kExhausted, "the reply's head is too long");
  }
  Result<ResponseHead> parsed = ParseResponse(head, limits);
  if (!parsed && parsed.error().code() == ErrorCode::kInvalidArgument) {
    return Error(ErrorCode::kCorrupt, "the reply's head has " + parsed.error().message());
  }
  return parsed;
}

}  // namespace skerry::http
