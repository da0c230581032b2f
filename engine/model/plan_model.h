// Runs a layer plan on a device.
#pragma once

#include <array>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "engine/architectures/checkpoint.h"
#include "engine/architectures/layer_plan.h"
#include "engine/device/device.h"
#include "engine/model/language_model.h"

namespace skerry::engine {

class PlanModel : public LanguageModel {
 public:
  static Result<std::unique_ptr<PlanModel>> Create(
      const Checkpoint& checkpoint, std::unique_ptr<Device> device, KvType kv_type = KvType::kF32,
      const std::function<void(double)>& progress = {});

  const ModelInfo& info() const override { return info_; }
  Result<void> AllocateCache(int32_t n_blocks) override;
  DeviceMemory Memory() const override { return device_->Memory(); }
  uint64_t StepBytes(int64_t n_rows, int64_t n_logits, int64_t n_keys) const override;
  Result<void> ReserveStep(int64_t n_rows, int64_t n_logits) override;
  Result<void> Forward(std::span<const SequenceChunk> chunks, std::vector<float>& logits) override;
  Result<void> Encode(std::span<const SequenceChunk> chunks, std::vector<float>& hidden) override;

 private:
  // A step of the plan with what it reads.
  struct LoadedStep {
    Step step;
    std::vector<Weight> weights;  // as StepWeights, or one for each expert
  };
  using Steps = std::vector<LoadedStep>;

  PlanModel(const ModelConfig& config, std::unique_ptr<Device> device, KvType kv_type);
  Result<Weight> LoadWeight(const Checkpoint& checkpoint, std::string_view name,
                            std::span<const int64_t> shape);
  Result<void> LoadStep(const Checkpoint& checkpoint, const std::string& prefix,
                        LoadedStep& loaded);
  Result<Steps> LoadSteps(const Checkpoint& checkpoint, std::span<const Step> plan,
                          const std::string& prefix, const LayerConfig& layer);
  Result<void> CheckChunk(const SequenceChunk& chunk) const;
  Result<void> GatherBatch(std::span<const SequenceChunk> chunks);
  Result<void> ReserveRows(int64_t n_rows);
  Result<void> ReserveLogits(int64_t n_rows);
  AttentionShape Shape(const LayerConfig& layer) const;
  Result<void> Run(const Steps& steps, const LayerConfig& layer, int64_t n_rows,
                   const KvCache& cache);
  Result<void> RunStep(const LoadedStep& loaded, const LayerConfig& layer, int64_t n_rows,
                       const KvCache& cache);
  Result<void> RunGate(Gate gate, const Step& step, int64_t n_rows);
  Result<void> RunExperts(const LoadedStep& loaded, int64_t n_rows);
  Result<const float*> RunBatch(std::span<const SequenceChunk> chunks);

  float* Rows(Slot slot) const { return slots_[static_cast<int>(slot)].floats(); }

  ModelConfig config_;
  KvType kv_type_;
  ModelInfo info_;
  std::vector<std::vector<double>> frequencies_;  // by rope table
  std::vector<RopeFrequencies> ropes_;            // views of them
  std::unique_ptr<Device> device_;                // before everything that lies in its memory

  Steps input_;
  std::vector<Steps> layers_;
  Steps output_;
  Weight lm_head_;
  int32_t n_blocks_ = 0;
  Buffer cache_;  // the layers' caches one after the other

  // The running batch, and room for the largest one so far.
  int64_t row_capacity_ = 0;
  std::array<Buffer, kSlots> slots_;
  std::array<bool, kSlots> used_{};  // by some step
  Buffer expert_ids_;                // of the rows' experts, and their shares
  Buffer expert_shares_;
  std::vector<TokenId> ids_;
  std::vector<TokenId> positions_;
  std::vector<TokenId> types_;
  std::vector<BatchSequence> sequences_;
  std::vector<int32_t> wanted_;  // rows whose logits are asked for
  int64_t logit_capacity_ = 0;
  Buffer logits_;
};

}  // namespace skerry::engine
