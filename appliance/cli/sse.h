// Server-sent events as OpenAI's API uses them, from pieces of any size to whole `data:` payloads.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "appliance/base/result.h"

namespace skerry::cli {

struct SseEvent {
  std::string type;  // "message" unless the event names one
  std::string data;
};

// One stream. One thread.
class SseParser {
 public:
  // Events that `piece` completes. kExhausted when one event is longer than 1 MiB.
  Result<std::vector<SseEvent>> Feed(std::string_view piece);

 private:
  std::string buffer_;
  SseEvent current_;
};

}  // namespace skerry::cli
