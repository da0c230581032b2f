#include "engine/model/plan_model.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <utility>

#include "engine/architectures/architecture.h"

namespace skerry::engine {
namespace {

// Tokens of one Forward; the scheduler's chunks are far below.
constexpr int64_t kMaxBatchRows = 1 << 17;

Error Bad(const std::string& what) { return Error(ErrorCode::kInvalidArgument, what); }

std::vector<double> InverseFrequencies(const RopeTable& rope, int64_t head_dim) {
  std::vector<double> frequencies;
  for (int64_t i = 0; i < head_dim / 2; ++i) {
    const double exponent = -2.0 * static_cast<double>(i) / static_cast<double>(head_dim);
    const double divisor = rope.divisors.empty() ? 1.0 : rope.divisors[i];
    frequencies.push_back(std::pow(rope.theta, exponent) / divisor);
  }
  return frequencies;
}

uint64_t LayerBlockBytes(const ModelConfig& config) {
  return uint64_t{2} * config.n_kv_heads * kBlockTokens * config.head_dim * sizeof(float);
}

}  // namespace

PlanModel::PlanModel(const ModelConfig& config, std::unique_ptr<Device> device)
    : config_(config), device_(std::move(device)) {
  info_.vocab_size = static_cast<int32_t>(config.vocab_size);
  info_.max_position = static_cast<int32_t>(config.max_position);
  info_.kv_bytes_per_block = LayerBlockBytes(config) * config.n_layers;
  info_.n_layers = static_cast<int32_t>(config.n_layers);
  if (!config.ropes.empty()) {
    inverse_frequencies_ = InverseFrequencies(config.ropes[0], config.head_dim);
  }
}

Result<std::unique_ptr<PlanModel>> PlanModel::Create(const Checkpoint& checkpoint,
                                                     std::unique_ptr<Device> device) {
  const ModelConfig& config = checkpoint.config();
  const Architecture& architecture = *config.architecture;
  std::unique_ptr<PlanModel> model(new PlanModel(config, std::move(device)));
  model->input_ = TRY(model->LoadSteps(checkpoint, architecture.input, "", {}));
  for (int64_t i = 0; i < config.n_layers; ++i) {
    const std::string prefix = "layers." + std::to_string(i) + ".";
    Steps steps = TRY(model->LoadSteps(checkpoint, architecture.layer, prefix, config.layers[i]));
    model->layers_.push_back(std::move(steps));
  }
  model->output_ = TRY(model->LoadSteps(checkpoint, architecture.output, "", {}));
  if (!architecture.generates) return model;
  if (config.tie_word_embeddings) {
    model->lm_head_ = model->input_[0].weight;
  } else {
    const int64_t shape[] = {config.vocab_size, config.hidden_size};
    model->lm_head_ = TRY(model->LoadWeight(checkpoint, "lm_head", shape));
  }
  return model;
}

Result<Weight> PlanModel::LoadWeight(const Checkpoint& checkpoint, std::string_view name,
                                     std::span<const int64_t> shape) {
  const Tensor tensor = TRY(checkpoint.Load(name, shape));
  info_.weight_bytes += tensor.bytes.size();
  return device_->Place(tensor);
}

Result<PlanModel::Steps> PlanModel::LoadSteps(const Checkpoint& checkpoint,
                                              std::span<const Step> plan, const std::string& prefix,
                                              const LayerConfig& layer) {
  Steps steps;
  for (const Step& step : plan) {
    if (!Applies(step.when, config_, layer)) continue;
    LoadedStep loaded{step, {}};
    for (const WeightSpec& spec : StepWeights(config_, step)) {
      loaded.weight = TRY(LoadWeight(checkpoint, prefix + spec.name, spec.shape));
    }
    steps.push_back(std::move(loaded));
  }
  return steps;
}

Result<void> PlanModel::AllocateCache(int32_t n_blocks) {
  if (n_blocks < 1) return Bad("a cache of " + std::to_string(n_blocks) + " blocks");
  if (static_cast<uint64_t>(n_blocks) > SIZE_MAX / info_.kv_bytes_per_block) {
    return Error(ErrorCode::kExhausted,
                 std::to_string(n_blocks) + " cache blocks are more than an address space holds");
  }
  n_blocks_ = 0;
  cache_ = Buffer();  // given back first: both sizes at once may be too much
  cache_ = TRY(device_->Allocate(info_.kv_bytes_per_block * n_blocks));
  n_blocks_ = n_blocks;
  return {};
}

Result<void> PlanModel::CheckChunk(const SequenceChunk& chunk) const {
  if (chunk.tokens.empty()) return Bad("a chunk without tokens");
  const auto n_tokens = static_cast<int64_t>(chunk.tokens.size());
  if (chunk.position < 0 || chunk.position + n_tokens > config_.max_position) {
    return Bad("tokens at " + std::to_string(chunk.position) + " to " +
               std::to_string(chunk.position + n_tokens - 1) + " are outside the context of " +
               std::to_string(config_.max_position));
  }
  const int64_t needed = (chunk.position + n_tokens + kBlockTokens - 1) / kBlockTokens;
  if (static_cast<int64_t>(chunk.blocks.size()) < needed) {
    return Bad(std::to_string(chunk.blocks.size()) + " cache blocks where " +
               std::to_string(needed) + " are needed");
  }
  for (const BlockId block : chunk.blocks.first(needed)) {
    if (block < 0 || block >= n_blocks_) {
      return Bad("cache block " + std::to_string(block) + " does not exist");
    }
  }
  for (const TokenId id : chunk.tokens) {
    if (id < 0 || id >= config_.vocab_size) {
      return Bad("token " + std::to_string(id) + " is outside the vocabulary of " +
                 std::to_string(config_.vocab_size));
    }
  }
  return {};
}

Result<void> PlanModel::GatherBatch(std::span<const SequenceChunk> chunks) {
  ids_.clear();
  sequences_.clear();
  wanted_.clear();
  for (const SequenceChunk& chunk : chunks) {
    TRY(CheckChunk(chunk));
    const auto first = static_cast<int64_t>(ids_.size());
    const auto n = static_cast<int64_t>(chunk.tokens.size());
    if (n > kMaxBatchRows - first) {
      return Bad("more than " + std::to_string(kMaxBatchRows) + " tokens in one step");
    }
    ids_.insert(ids_.end(), chunk.tokens.begin(), chunk.tokens.end());
    sequences_.push_back(
        {static_cast<int32_t>(first), static_cast<int32_t>(n), chunk.position, chunk.blocks});
    if (chunk.logits == SequenceChunk::Logits::kNone) continue;
    const bool all = chunk.logits == SequenceChunk::Logits::kAll;
    for (int64_t row = all ? first : first + n - 1; row < first + n; ++row) {
      wanted_.push_back(static_cast<int32_t>(row));
    }
  }
  return {};
}

Result<void> PlanModel::ReserveRows(int64_t n_rows) {
  if (n_rows <= row_capacity_) return {};
  row_capacity_ = 0;
  for (int i = 0; i < kSlots; ++i) {
    const int64_t width = SlotWidth(config_, static_cast<Slot>(i));
    slots_[i] = Buffer();  // given back first: both sizes at once may be too much
    slots_[i] = TRY(device_->Allocate(n_rows * width * sizeof(float)));
  }
  row_capacity_ = n_rows;
  return {};
}

Result<void> PlanModel::RunStep(const LoadedStep& loaded, const LayerConfig& layer, int64_t n_rows,
                                float* cache) {
  const Step& step = loaded.step;
  const float* in = Rows(step.in);
  float* out = Rows(step.out);
  const int64_t out_width = SlotWidth(config_, step.out);
  const AttentionShape attention = {config_.n_heads, config_.n_kv_heads, config_.head_dim,
                                    layer.window};
  switch (step.op) {
    case Op::kEmbed:
      return device_->Embed(loaded.weight, ids_, out);
    case Op::kNorm:
    case Op::kHeadNorm:
      return device_->RmsNorm(in, n_rows * out_width / loaded.weight.cols, loaded.weight,
                              config_.norm_eps, out);
    case Op::kMatMul:
      return device_->MatMul(loaded.weight, in, n_rows, out);
    case Op::kRope:
      return device_->Rope(out, out_width / config_.head_dim, config_.head_dim);
    case Op::kStoreKv:
      return device_->StoreKv(in, Rows(step.second), attention, cache);
    case Op::kAttention:
      return device_->Attention(in, attention, cache, out);
    case Op::kSiluMul:
      return device_->SiluMul(in, Rows(step.second), n_rows * out_width, out);
    case Op::kAdd:
      return device_->Add(out, in, n_rows * out_width);
    default:
      return Error(ErrorCode::kInvalidArgument,
                   "device '" + std::string(device_->name()) + "' lacks an op of this model");
  }
}

Result<void> PlanModel::Run(const Steps& steps, const LayerConfig& layer, int64_t n_rows,
                            float* cache) {
  for (const LoadedStep& step : steps) TRY(RunStep(step, layer, n_rows, cache));
  return {};
}

Result<void> PlanModel::ComputeLogits(std::vector<float>& logits) {
  const auto n_wanted = static_cast<int64_t>(wanted_.size());
  logits.resize(n_wanted * config_.vocab_size);
  if (n_wanted == 0) return {};
  if (n_wanted > logit_capacity_) {
    logit_capacity_ = 0;
    logits_ = Buffer();
    logits_ = TRY(device_->Allocate(n_wanted * config_.vocab_size * sizeof(float)));
    logit_capacity_ = n_wanted;
  }
  TRY(device_->GatherRows(Rows(Slot::kHidden), config_.hidden_size, wanted_, Rows(Slot::kDelta)));
  std::swap(slots_[static_cast<int>(Slot::kHidden)], slots_[static_cast<int>(Slot::kDelta)]);
  TRY(Run(output_, {}, n_wanted, nullptr));
  TRY(device_->MatMul(lm_head_, Rows(Slot::kNormed), n_wanted, logits_.floats()));
  return device_->Download(logits_.floats(), logits);
}

Result<void> PlanModel::Forward(std::span<const SequenceChunk> chunks, std::vector<float>& logits) {
  logits.clear();
  TRY(GatherBatch(chunks));
  const auto n_rows = static_cast<int64_t>(ids_.size());
  if (n_rows == 0) return {};
  TRY(ReserveRows(n_rows));
  TRY(device_->SetBatch({n_rows, sequences_, inverse_frequencies_}));
  TRY(Run(input_, {}, n_rows, nullptr));
  const size_t layer_floats = LayerBlockBytes(config_) / sizeof(float) * n_blocks_;
  for (size_t i = 0; i < layers_.size(); ++i) {
    TRY(Run(layers_[i], config_.layers[i], n_rows, cache_.floats() + i * layer_floats));
  }
  return ComputeLogits(logits);
}

}  // namespace skerry::engine
