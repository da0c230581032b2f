#include "engine/model/load.h"

#include <utility>

#include "engine/device/cpu/cpu_device.h"
#include "engine/model/plan_model.h"

namespace skerry::engine {

Result<std::unique_ptr<LanguageModel>> LoadModel(const Checkpoint& checkpoint,
                                                 const ModelOptions& options) {
  CpuOptions cpu;
  cpu.threads = options.threads;
  std::unique_ptr<Device> device = TRY(CreateCpuDevice(cpu));
  std::unique_ptr<PlanModel> model =
      TRY(PlanModel::Create(checkpoint, std::move(device), options.kv_type, options.progress));
  return std::unique_ptr<LanguageModel>(std::move(model));
}

}  // namespace skerry::engine
