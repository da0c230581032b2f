// Makes a LanguageModel from a checkpoint.
#pragma once

#include <memory>

#include "appliance/base/result.h"
#include "engine/architectures/checkpoint.h"
#include "engine/model/language_model.h"

namespace skerry::engine {

struct ModelOptions {
  int threads = 0;  // workers including the caller; 0: one for each processor this process may use
};

// Weights stay in the checkpoint's file mapping where the layout allows; the checkpoint itself may
// be dropped afterwards. Errors as Checkpoint::Load; kExhausted when memory or threads are short.
Result<std::unique_ptr<LanguageModel>> LoadModel(const Checkpoint& checkpoint,
                                                 const ModelOptions& options);

}  // namespace skerry::engine
