#include "appliance/cli/sse.h"

namespace skerry::cli {

namespace {

constexpr size_t kMaxEventBytes = 1 << 20;

}  // namespace

Result<std::vector<SseEvent>> SseParser::Feed(std::string_view piece) {
  std::vector<SseEvent> events;
  buffer_ += piece;
  size_t start = 0;
  for (size_t end; (end = buffer_.find('\n', start)) != std::string::npos; start = end + 1) {
    const std::string_view line(buffer_.data() + start, end - start);
    if (line.empty()) {
      if (!current_.data.empty()) events.push_back(std::move(current_));
      current_ = {};
    } else if (line.starts_with("data: ")) {
      if (!current_.data.empty()) current_.data += '\n';
      current_.data += line.substr(6);
    } else if (line.starts_with("event: ")) {
      current_.type = line.substr(7);
    }
    // Comments (": ping") and other fields mean nothing here.
  }
  buffer_.erase(0, start);
  if (buffer_.size() + current_.data.size() > kMaxEventBytes) {
    return Error(ErrorCode::kExhausted, "an event of the stream is longer than 1 MiB");
  }
  for (SseEvent& event : events) {
    if (event.type.empty()) event.type = "message";
  }
  return events;
}

}  // namespace skerry::cli
