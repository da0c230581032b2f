// `skerry-engine logits`: the raw numbers of a model, for comparing with another implementation.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "appliance/base/result.h"

namespace skerry::engine {

struct LogitsCommand {
  std::string model_path;  // as Checkpoint::Open takes it
  std::string tokens;      // ids, separated by white space: "1 403 407"
  int64_t greedy = 0;      // how many ids to continue with
  int threads = 0;         // as ModelOptions
};

// One JSON document and a newline: {"tokens":[..],"logits":[[..]],"greedy":[..]}: one row of logits
// for each prompt position, then the most likely ids that follow (the lowest of equals; it does not
// stop at an end-of-text id). kInvalidArgument for bad ids or more tokens than the model's context.
Result<std::string> RunLogits(const LogitsCommand& command);

}  // namespace skerry::engine
