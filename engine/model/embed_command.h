// `skerry-engine embed`: one vector for a text, for comparing with another implementation.
#pragma once

#include <string>

#include "appliance/base/result.h"

namespace skerry::engine {

struct EmbedCommand {
  std::string model_path;  // as Checkpoint::Open takes it
  std::string tokens;      // ids, separated by white space: "2 5 9"
  std::string pooling;     // "cls", "mean" or "last"; empty: the checkpoint's own
  int threads = 0;         // as ModelOptions
};

// One JSON document and a newline: {"tokens":[..],"embedding":[..]}. The vector has length 1 where
// the checkpoint says so. kInvalidArgument for bad ids, more tokens than the model's context, and a
// model that generates text and names no pooling, unless `pooling` does.
Result<std::string> RunEmbed(const EmbedCommand& command);

}  // namespace skerry::engine
