#include "engine/model/plan_model.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <utility>

namespace skerry::engine {
namespace {

// Tokens of one Forward; the scheduler's chunks are far below.
constexpr int64_t kMaxBatchRows = 1 << 17;

Error Bad(const std::string& what) { return Error(ErrorCode::kInvalidArgument, what); }

std::vector<double> InverseFrequencies(const ModelConfig& config) {
  std::vector<double> frequencies;
  for (int64_t i = 0; i < config.head_dim / 2; ++i) {
    const double exponent = -2.0 * static_cast<double>(i) / static_cast<double>(config.head_dim);
    const double divisor = config.rope_divisors.empty() ? 1.0 : config.rope_divisors[i];
    frequencies.push_back(std::pow(config.rope_theta, exponent) / divisor);
  }
  return frequencies;
}

uint64_t LayerBlockBytes(const ModelConfig& config) {
  return uint64_t{2} * config.n_kv_heads * kBlockTokens * config.head_dim * sizeof(float);
}

}  // namespace

PlanModel::PlanModel(const ModelConfig& config, std::unique_ptr<Device> device)
    : config_(config),
      attention_{config.n_heads, config.n_kv_heads, config.head_dim, config.sliding_window},
      inverse_frequencies_(InverseFrequencies(config)),
      device_(std::move(device)),
      plan_(LayerPlan(config.architecture)) {
  info_.vocab_size = static_cast<int32_t>(config.vocab_size);
  info_.max_position = static_cast<int32_t>(config.max_position);
  info_.kv_bytes_per_block = LayerBlockBytes(config) * config.n_layers;
  info_.n_layers = static_cast<int32_t>(config.n_layers);
}

Result<std::unique_ptr<PlanModel>> PlanModel::Create(const Checkpoint& checkpoint,
                                                     std::unique_ptr<Device> device) {
  const ModelConfig& config = checkpoint.config();
  std::unique_ptr<PlanModel> model(new PlanModel(config, std::move(device)));
  const int64_t vocab_shape[] = {config.vocab_size, config.hidden_size};
  const int64_t norm_shape[] = {config.hidden_size};
  model->embed_ = TRY(model->LoadWeight(checkpoint, "embed", vocab_shape));
  for (int64_t layer = 0; layer < config.n_layers; ++layer) {
    TRY(model->LoadLayer(checkpoint, layer));
  }
  model->final_norm_ = TRY(model->LoadWeight(checkpoint, "final_norm", norm_shape));
  if (config.tie_word_embeddings) {
    model->lm_head_ = model->embed_;
  } else {
    model->lm_head_ = TRY(model->LoadWeight(checkpoint, "lm_head", vocab_shape));
  }
  return model;
}

Result<Weight> PlanModel::LoadWeight(const Checkpoint& checkpoint, std::string_view name,
                                     std::span<const int64_t> shape) {
  const Tensor tensor = TRY(checkpoint.Load(name, shape));
  info_.weight_bytes += tensor.bytes.size();
  return device_->Place(tensor);
}

Result<void> PlanModel::LoadLayer(const Checkpoint& checkpoint, int64_t layer) {
  Layer loaded;
  for (const Step& step : plan_) {
    Weight weight;
    if (!step.weight.empty()) {
      const std::string name = "layers." + std::to_string(layer) + "." + std::string(step.weight);
      const int64_t matrix[] = {SlotWidth(config_, step.out), SlotWidth(config_, step.in)};
      const std::span<const int64_t> shape = matrix;
      weight = TRY(LoadWeight(checkpoint, name, step.op == Op::kNorm ? shape.last(1) : shape));
    }
    loaded.weights.push_back(std::move(weight));
  }
  layers_.push_back(std::move(loaded));
  return {};
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

Result<void> PlanModel::RunStep(const Step& step, const Weight& weight, float* cache) {
  const float* in = Rows(step.in);
  float* out = Rows(step.out);
  const int64_t out_width = SlotWidth(config_, step.out);
  switch (step.op) {
    case Op::kNorm:
      return device_->RmsNorm(in, n_rows_, weight, config_.rms_eps, out);
    case Op::kMatMul:
      return device_->MatMul(weight, in, n_rows_, out);
    case Op::kRope:
      return device_->Rope(out, out_width / config_.head_dim, config_.head_dim);
    case Op::kStoreKv:
      return device_->StoreKv(in, Rows(step.second), attention_, cache);
    case Op::kAttention:
      return device_->Attention(in, attention_, cache, out);
    case Op::kSiluMul:
      return device_->SiluMul(in, Rows(step.second), n_rows_ * out_width, out);
    case Op::kAdd:
      return device_->Add(out, in, n_rows_ * out_width);
  }
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
  TRY(device_->RmsNorm(Rows(Slot::kDelta), n_wanted, final_norm_, config_.rms_eps,
                       Rows(Slot::kNormed)));
  TRY(device_->MatMul(lm_head_, Rows(Slot::kNormed), n_wanted, logits_.floats()));
  return device_->Download(logits_.floats(), logits);
}

Result<void> PlanModel::Forward(std::span<const SequenceChunk> chunks, std::vector<float>& logits) {
  logits.clear();
  TRY(GatherBatch(chunks));
  n_rows_ = static_cast<int64_t>(ids_.size());
  if (n_rows_ == 0) return {};
  TRY(ReserveRows(n_rows_));
  TRY(device_->SetBatch({n_rows_, sequences_, inverse_frequencies_}));
  TRY(device_->Embed(embed_, ids_, Rows(Slot::kHidden)));
  const size_t layer_floats = LayerBlockBytes(config_) / sizeof(float) * n_blocks_;
  for (size_t layer = 0; layer < layers_.size(); ++layer) {
    float* cache = cache_.floats() + layer * layer_floats;
    for (size_t i = 0; i < plan_.size(); ++i) {
      TRY(RunStep(plan_[i], layers_[layer].weights[i], cache));
    }
  }
  return ComputeLogits(logits);
}

}  // namespace skerry::engine
