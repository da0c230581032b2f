#include "appliance/http/chunked.h"

#include <algorithm>
#include <charconv>

namespace skerry::http {

namespace {

// Fields that would change framing, routing or identity after the fact (RFC 9110 section 6.5.1).
constexpr std::string_view kForbiddenTrailers[] = {
    "content-length", "transfer-encoding", "host",    "authorization", "connection",
    "content-type",   "content-encoding",  "trailer", "expect",        "te"};

int HexValue(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

Error ChunkedDecoder::Fail(ErrorCode code, std::string message) {
  state_ = State::kFailed;
  return Error(code, std::move(message));
}

Result<void> ChunkedDecoder::SizeByte(char c) {
  const int value = HexValue(c);
  if (value >= 0) {
    if (++digits_ > limits_.max_size_digits) {
      return Fail(ErrorCode::kInvalidArgument, "a chunk size with too many digits");
    }
    remaining_ = remaining_ * 16 + static_cast<uint64_t>(value);
    return {};
  }
  if (c != '\r' || digits_ == 0) {
    return Fail(ErrorCode::kInvalidArgument, "a chunk size that is not plain hex and CRLF");
  }
  state_ = State::kSizeLf;
  return {};
}

Result<void> ChunkedDecoder::TrailerByte(char c) {
  trailer_bytes_.push_back(c);
  if (trailer_bytes_.size() > limits_.max_trailer_bytes) {
    return Fail(ErrorCode::kExhausted, "trailers that are too long");
  }
  if (c != '\n') return {};
  if (trailer_bytes_ == "\r\n" || trailer_bytes_.ends_with("\r\n\r\n")) return FinishTrailers();
  if (!trailer_bytes_.ends_with("\r\n")) {
    return Fail(ErrorCode::kInvalidArgument, "a trailer line that does not end in CRLF");
  }
  return {};
}

Result<void> ChunkedDecoder::FinishTrailers() {
  const std::string_view lines(trailer_bytes_.data(), trailer_bytes_.size() - 2);
  Result<void> parsed = ParseFieldLines(lines, limits_.max_trailers, trailers_);
  if (!parsed) return Fail(parsed.error().code(), "trailers with " + parsed.error().message());
  for (const auto& [name, value] : trailers_) {
    if (std::find(std::begin(kForbiddenTrailers), std::end(kForbiddenTrailers), name) !=
        std::end(kForbiddenTrailers)) {
      return Fail(ErrorCode::kInvalidArgument, "a trailer '" + name + "', which is not allowed");
    }
  }
  state_ = State::kDone;
  return {};
}

Result<size_t> ChunkedDecoder::Feed(std::string_view bytes, std::string& out, size_t max_output) {
  size_t at = 0;
  size_t produced = 0;
  while (at < bytes.size() && state_ != State::kDone) {
    if (state_ == State::kData) {
      const size_t room = max_output - produced;
      const size_t take =
          static_cast<size_t>(std::min<uint64_t>({remaining_, bytes.size() - at, room}));
      if (take == 0) break;
      out.append(bytes.substr(at, take));
      at += take;
      produced += take;
      remaining_ -= take;
      if (remaining_ == 0) state_ = State::kDataCr;
      continue;
    }
    const char c = bytes[at++];
    switch (state_) {
      case State::kSize:
        TRY(SizeByte(c));
        break;
      case State::kSizeLf:
        if (c != '\n') return Fail(ErrorCode::kInvalidArgument, "a bare CR after a chunk size");
        state_ = remaining_ == 0 ? State::kTrailers : State::kData;
        break;
      case State::kDataCr:
        if (c != '\r') return Fail(ErrorCode::kInvalidArgument, "a chunk longer than its size");
        state_ = State::kDataLf;
        break;
      case State::kDataLf:
        if (c != '\n') return Fail(ErrorCode::kInvalidArgument, "a bare CR after a chunk");
        state_ = State::kSize;
        digits_ = 0;
        break;
      case State::kTrailers:
        TRY(TrailerByte(c));
        break;
      default:
        return Error(ErrorCode::kInvalidArgument, "the body was refused before");
    }
  }
  return at;
}

void AppendChunk(std::string_view data, std::string& out) {
  if (data.empty()) return;
  char digits[16];
  const auto end = std::to_chars(digits, digits + sizeof digits, data.size(), 16).ptr;
  out.append(digits, end).append("\r\n").append(data).append("\r\n");
}

void AppendLastChunk(const HeaderList& trailers, std::string& out) {
  out += "0\r\n";
  for (const auto& [name, value] : trailers)
    out.append(name).append(": ").append(value).append("\r\n");
  out += "\r\n";
}

}  // namespace skerry::http
