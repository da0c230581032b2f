// Makes a LanguageModel from a checkpoint.
#pragma once

#include <functional>
#include <memory>

#include "appliance/base/result.h"
#include "engine/architectures/checkpoint.h"
#include "engine/device/kv_cache.h"
#include "engine/model/language_model.h"

namespace skerry::engine {

struct ModelOptions {
  int threads = 0;  // workers including the caller; 0: one for each processor this process may use
  KvType kv_type = KvType::kF32;  // how keys and values are kept
  // Called now and then while weights are loaded, with the part that is done.
  std::function<void(double)> progress = {};
};

// Weights stay in the checkpoint's file mapping where the layout allows; the checkpoint itself may
// be dropped afterwards. Errors as Checkpoint::Load; kExhausted when memory or threads are short.
Result<std::unique_ptr<LanguageModel>> LoadModel(const Checkpoint& checkpoint,
                                                 const ModelOptions& options);

}  // namespace skerry::engine
