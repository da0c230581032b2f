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

uint64_t LayerBlockBytes(const ModelConfig& config, KvType type) {
  return static_cast<uint64_t>(KvBlockBytes(type, config.n_kv_heads, config.head_dim));
}

}  // namespace

PlanModel::PlanModel(const ModelConfig& config, std::unique_ptr<Device> device, KvType kv_type)
    : config_(config), kv_type_(kv_type), device_(std::move(device)) {
  info_.vocab_size = static_cast<int32_t>(config.vocab_size);
  info_.max_position = static_cast<int32_t>(config.max_position);
  info_.kv_bytes_per_block = LayerBlockBytes(config, kv_type) * config.n_layers;
  info_.n_layers = static_cast<int32_t>(config.n_layers);
  info_.hidden_size = static_cast<int32_t>(config.hidden_size);
  info_.generates = config.architecture->generates;
  for (const RopeTable& rope : config.ropes) {
    frequencies_.push_back(InverseFrequencies(rope, config.head_dim));
  }
  for (size_t i = 0; i < frequencies_.size(); ++i) {
    ropes_.push_back({frequencies_[i], config.ropes[i].scale});
  }
}

Result<std::unique_ptr<PlanModel>> PlanModel::Create(const Checkpoint& checkpoint,
                                                     std::unique_ptr<Device> device, KvType kv_type,
                                                     const std::function<void(double)>& progress) {
  const ModelConfig& config = checkpoint.config();
  const Architecture& architecture = *config.architecture;
  std::unique_ptr<PlanModel> model(new PlanModel(config, std::move(device), kv_type));
  model->input_ = TRY(model->LoadSteps(checkpoint, architecture.input, "", {}));
  for (int64_t i = 0; i < config.n_layers; ++i) {
    const std::string prefix = "layers." + std::to_string(i) + ".";
    Steps steps = TRY(model->LoadSteps(checkpoint, architecture.layer, prefix, config.layers[i]));
    model->layers_.push_back(std::move(steps));
    if (progress) progress(static_cast<double>(i + 1) / static_cast<double>(config.n_layers));
  }
  model->output_ = TRY(model->LoadSteps(checkpoint, architecture.output, "", {}));
  if (!architecture.generates) return model;
  if (config.tie_word_embeddings) {
    model->lm_head_ = model->input_[0].weights[0];
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

Result<void> PlanModel::LoadStep(const Checkpoint& checkpoint, const std::string& prefix,
                                 LoadedStep& loaded) {
  for (const WeightSpec& spec : StepWeights(config_, loaded.step)) {
    const std::string name = prefix + spec.name;
    if (loaded.step.op == Op::kExpertMatMul) {
      const std::vector<Tensor> experts = TRY(checkpoint.LoadExperts(name, spec.shape));
      for (const Tensor& expert : experts) {
        info_.weight_bytes += expert.bytes.size();
        Weight weight = TRY(device_->Place(expert));
        loaded.weights.push_back(std::move(weight));
      }
      continue;
    }
    if (loaded.step.op == Op::kExpertBias) {
      // Placed as a vector, so that it becomes F32.
      Tensor biases = TRY(checkpoint.Load(name, spec.shape));
      biases.shape = {spec.shape[0] * spec.shape[1]};
      info_.weight_bytes += biases.bytes.size();
      Weight weight = TRY(device_->Place(biases));
      weight.rows = spec.shape[0];
      weight.cols = spec.shape[1];
      loaded.weights.push_back(std::move(weight));
      continue;
    }
    Weight weight = TRY(LoadWeight(checkpoint, name, spec.shape));
    loaded.weights.push_back(std::move(weight));
  }
  return {};
}

Result<PlanModel::Steps> PlanModel::LoadSteps(const Checkpoint& checkpoint,
                                              std::span<const Step> plan, const std::string& prefix,
                                              const LayerConfig& layer) {
  Steps steps;
  for (const Step& step : plan) {
    if (!Applies(step.when, config_, layer)) continue;
    LoadedStep loaded{step, {}};
    TRY(LoadStep(checkpoint, prefix, loaded));
    steps.push_back(std::move(loaded));
    used_[static_cast<int>(step.out)] = true;
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
  if (!config_.architecture->causal && chunk.position != 0) {
    return Bad("an encoder's sequence must be one chunk, not begin at " +
               std::to_string(chunk.position));
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
  positions_.clear();
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
    for (int64_t i = 0; i < n; ++i) {
      positions_.push_back(static_cast<TokenId>(chunk.position + i));
    }
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
  // Each buffer is given back before the next is asked for: both sizes at once may be too much.
  const auto reserve = [&](Buffer& buffer, int64_t width) -> Result<void> {
    buffer = Buffer();
    buffer = TRY(device_->Allocate(n_rows * width * sizeof(float)));
    return {};
  };
  for (int i = 0; i < kSlots; ++i) {
    // The last rows pass through kDelta, whatever the plan uses.
    const auto slot = static_cast<Slot>(i);
    if (used_[i] || slot == Slot::kDelta) TRY(reserve(slots_[i], SlotWidth(config_, slot)));
  }
  TRY(reserve(expert_ids_, config_.experts_per_token));
  TRY(reserve(expert_shares_, config_.experts_per_token));
  row_capacity_ = n_rows;
  return {};
}

Result<void> PlanModel::ReserveLogits(int64_t n_rows) {
  if (n_rows <= logit_capacity_) return {};
  logit_capacity_ = 0;
  logits_ = Buffer();
  logits_ = TRY(device_->Allocate(n_rows * config_.vocab_size * sizeof(float)));
  logit_capacity_ = n_rows;
  return {};
}

Result<void> PlanModel::ReserveStep(int64_t n_rows, int64_t n_logits) {
  TRY(ReserveRows(n_rows));
  if (!info_.generates) return {};
  return ReserveLogits(n_logits);
}

uint64_t PlanModel::StepBytes(int64_t n_rows, int64_t n_logits, int64_t n_keys) const {
  int64_t width = 2 * config_.experts_per_token;
  int64_t widest = 0;
  for (int i = 0; i < kSlots; ++i) {
    const auto slot = static_cast<Slot>(i);
    if (!used_[i] && slot != Slot::kDelta) continue;
    width += SlotWidth(config_, slot);
    widest = std::max(widest, SlotWidth(config_, slot));
  }
  // The widest rows once more: a device rounds operands of quantised products to a copy.
  const int64_t floats = n_rows * (width + widest);
  // Logits lie on the device and where they are sampled.
  const int64_t logits = info_.generates ? 2 * n_logits * config_.vocab_size : 0;
  uint64_t scratch = 0;
  for (const LayerConfig& layer : config_.layers) {
    scratch = std::max(scratch, device_->AttentionScratchBytes(Shape(layer), n_keys));
  }
  return static_cast<uint64_t>(floats + logits) * sizeof(float) + scratch;
}

AttentionShape PlanModel::Shape(const LayerConfig& layer) const {
  AttentionShape shape;
  shape.n_heads = config_.n_heads;
  shape.n_kv_heads = config_.n_kv_heads;
  shape.head_dim = config_.head_dim;
  shape.window = layer.window;
  shape.scale = config_.attention_scale > 0
                    ? config_.attention_scale
                    : 1.0F / std::sqrt(static_cast<float>(config_.head_dim));
  shape.soft_cap = config_.attention_soft_cap;
  shape.causal = config_.architecture->causal;
  return shape;
}

Result<void> PlanModel::RunGate(Gate gate, const Step& step, int64_t n_rows) {
  return device_->GateMul(gate, config_.gate_limit, Rows(step.in), Rows(step.second),
                          n_rows * SlotWidth(config_, step.out), Rows(step.out));
}

Result<void> PlanModel::RunExperts(const LoadedStep& loaded, int64_t n_rows) {
  const Step& step = loaded.step;
  const ExpertChoice choice = {expert_ids_.ints(), expert_shares_.floats(),
                               config_.experts_per_token};
  switch (step.op) {
    case Op::kRoute:
      return device_->Route(Rows(step.in), n_rows, config_.n_experts, config_.normalise_experts,
                            choice);
    case Op::kExpertMatMul:
      return device_->ExpertMatMul(loaded.weights, choice, Rows(step.in),
                                   /*x_per_expert=*/step.in == Slot::kExpertGate, n_rows,
                                   Rows(step.out));
    case Op::kExpertBias:
      return device_->ExpertBias(loaded.weights[0], choice, n_rows, Rows(step.out));
    default:
      return device_->ExpertSum(Rows(step.in), choice, n_rows, config_.hidden_size, Rows(step.out));
  }
}

Result<void> PlanModel::RunStep(const LoadedStep& loaded, const LayerConfig& layer, int64_t n_rows,
                                const KvCache& cache) {
  const Step& step = loaded.step;
  const std::vector<Weight>& weights = loaded.weights;
  const float* in = Rows(step.in);
  float* out = Rows(step.out);
  const int64_t width = SlotWidth(config_, step.out);
  switch (step.op) {
    case Op::kEmbed:
      return device_->Embed(weights[0], ids_, out);
    case Op::kEmbedPosition:
      return device_->Embed(weights[0], positions_, out);
    case Op::kEmbedType:
      types_.assign(n_rows, 0);
      return device_->Embed(weights[0], types_, out);
    case Op::kScale:
      return device_->Scale(out, n_rows * width, config_.embed_scale);
    case Op::kNorm:
    case Op::kHeadNorm:
      return device_->RmsNorm(in, n_rows * width / weights[0].cols, weights[0], config_.norm_eps,
                              out);
    case Op::kLayerNorm:
      return device_->LayerNorm(in, n_rows, weights[0], weights[1], config_.norm_eps, out);
    case Op::kMatMul:
      return device_->MatMul(weights[0], in, n_rows, out);
    case Op::kBias:
      return device_->AddRow(out, n_rows, weights[0]);
    case Op::kRope:
      return device_->Rope(out, width / config_.head_dim, config_.head_dim, layer.rope);
    case Op::kScaleQuery:
      return device_->ScaleByPosition(out, width,
                                      {config_.query_scale.beta, config_.query_scale.length});
    case Op::kStoreKv:
      return device_->StoreKv(in, Rows(step.second), Shape(layer), cache);
    case Op::kAttention:
      return device_->Attention(
          in, Shape(layer), weights.empty() ? nullptr : static_cast<const float*>(weights[0].data),
          cache, out);
    case Op::kSiluMul:
      return RunGate(Gate::kSilu, step, n_rows);
    case Op::kGeluTanhMul:
      return RunGate(Gate::kGeluTanh, step, n_rows);
    case Op::kClampedSwiGlu:
      return RunGate(Gate::kClampedSwiGlu, step, n_rows);
    case Op::kGelu:
      return device_->Gelu(out, n_rows * width);
    case Op::kAdd:
      return device_->Add(out, in, n_rows * width);
    case Op::kRoute:
    case Op::kExpertMatMul:
    case Op::kExpertBias:
    case Op::kExpertSum:
      return RunExperts(loaded, n_rows);
  }
  return {};
}

Result<void> PlanModel::Run(const Steps& steps, const LayerConfig& layer, int64_t n_rows,
                            const KvCache& cache) {
  for (const LoadedStep& step : steps) TRY(RunStep(step, layer, n_rows, cache));
  return {};
}

// Runs the whole plan; the results are the rows of wanted_, null when there are none.
Result<const float*> PlanModel::RunBatch(std::span<const SequenceChunk> chunks) {
  TRY(GatherBatch(chunks));
  const auto n_rows = static_cast<int64_t>(ids_.size());
  if (n_rows == 0) return nullptr;
  TRY(ReserveRows(n_rows));
  TRY(device_->SetBatch({n_rows, sequences_, ropes_}));
  TRY(Run(input_, {}, n_rows, {}));
  const size_t layer_bytes = LayerBlockBytes(config_, kv_type_) * n_blocks_;
  auto* cache = static_cast<uint8_t*>(cache_.data());
  for (size_t i = 0; i < layers_.size(); ++i) {
    TRY(Run(layers_[i], config_.layers[i], n_rows, {cache + i * layer_bytes, kv_type_}));
  }
  if (wanted_.empty()) return nullptr;
  TRY(device_->GatherRows(Rows(Slot::kHidden), config_.hidden_size, wanted_, Rows(Slot::kDelta)));
  std::swap(slots_[static_cast<int>(Slot::kHidden)], slots_[static_cast<int>(Slot::kDelta)]);
  TRY(Run(output_, {}, static_cast<int64_t>(wanted_.size()), {}));
  return Rows(output_.empty() ? Slot::kHidden : output_.back().step.out);
}

Result<void> PlanModel::Forward(std::span<const SequenceChunk> chunks, std::vector<float>& logits) {
  logits.clear();
  if (!info_.generates) {
    return Bad("a " + std::string(config_.architecture->name) + " model generates no text");
  }
  const float* rows = TRY(RunBatch(chunks));
  if (rows == nullptr) return {};
  const auto n_wanted = static_cast<int64_t>(wanted_.size());
  const int64_t n_logits = n_wanted * config_.vocab_size;
  TRY(ReserveLogits(n_wanted));
  TRY(device_->MatMul(lm_head_, rows, n_wanted, logits_.floats()));
  if (config_.logit_soft_cap > 0) {
    TRY(device_->SoftCap(logits_.floats(), n_logits, config_.logit_soft_cap));
  }
  logits.resize(n_logits);
  return device_->Download(logits_.floats(), logits);
}

Result<void> PlanModel::Encode(std::span<const SequenceChunk> chunks, std::vector<float>& hidden) {
  hidden.clear();
  const float* rows = TRY(RunBatch(chunks));
  if (rows == nullptr) return {};
  hidden.resize(wanted_.size() * config_.hidden_size);
  return device_->Download(rows, hidden);
}

}  // namespace skerry::engine
