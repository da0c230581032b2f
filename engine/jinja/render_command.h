// `skerry-engine render`: what a chat template makes of a context, for comparing with another
// implementation.
#pragma once

#include <string>
#include <string_view>

#include "appliance/base/result.h"

namespace skerry::engine {

struct RenderCommand {
  std::string template_path;
  // Standard input has one JSON object {"template", "context"} on each line and the output one
  // {"text"} or {"error"} for each; template_path is not used.
  bool batch = false;
};

// The prompt. "now" ("2026-11-21T12:00:00") in the context is what strftime_now shows, else it is
// `now_micros` since 1970. A template that calls raise_exception is an error with its message
// alone.
Result<std::string> RunRender(const RenderCommand& command, std::string_view input,
                              int64_t now_micros);

inline constexpr size_t kMaxRenderInput = 64 << 20;

}  // namespace skerry::engine
