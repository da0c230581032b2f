#include "engine/model/embed_command.h"

#include <numeric>
#include <vector>

#include "engine/architectures/checkpoint.h"
#include "engine/cache/block_pool.h"
#include "engine/model/internal/number_text.h"
#include "engine/model/load.h"
#include "engine/model/pooling.h"

namespace skerry::engine {
namespace {

Result<Pooling> ChoosePooling(const EmbedCommand& command, const ModelConfig& config) {
  if (!command.pooling.empty()) {
    const std::optional<Pooling> asked = FindPooling(command.pooling);
    if (asked) return *asked;
    return Error(ErrorCode::kInvalidArgument,
                 "pooling '" + command.pooling + "' is not cls, mean or last");
  }
  if (config.pooling != Pooling::kNone) return config.pooling;
  return Error(ErrorCode::kInvalidArgument,
               "'" + command.model_path + "' is a " + std::string(config.architecture->name) +
                   " model that generates text and names no pooling; --pooling cls, mean or last "
                   "makes a vector of its last layer all the same");
}

}  // namespace

Result<std::string> RunEmbed(const EmbedCommand& command) {
  const std::vector<TokenId> ids = TRY(internal::ParseTokens(command.tokens));
  const Checkpoint checkpoint = TRY(Checkpoint::Open(command.model_path));
  const ModelConfig& config = checkpoint.config();
  const Pooling pooling = TRY(ChoosePooling(command, config));
  const auto n_tokens = static_cast<int64_t>(ids.size());
  if (n_tokens > config.max_position) {
    return Error(ErrorCode::kInvalidArgument, std::to_string(n_tokens) +
                                                  " tokens do not fit the model's context of " +
                                                  std::to_string(config.max_position));
  }
  ModelOptions options;
  options.threads = command.threads;
  const std::unique_ptr<LanguageModel> model = TRY(LoadModel(checkpoint, options));
  const int32_t n_blocks = BlockPool::BlocksFor(n_tokens);
  TRY(model->AllocateCache(n_blocks));
  std::vector<BlockId> blocks(n_blocks);
  std::iota(blocks.begin(), blocks.end(), 0);
  const SequenceChunk chunk = {ids, 0, blocks, SequenceChunk::Logits::kAll};
  std::vector<float> rows;
  TRY(model->Encode(std::span(&chunk, 1), rows));
  std::vector<float> vector = Pool(rows, model->info().hidden_size, pooling);
  if (config.normalise_embedding) Normalise(vector);

  std::string out = "{\"tokens\":";
  internal::AppendIds(out, ids);
  out += ",\"embedding\":";
  for (size_t i = 0; i < vector.size(); ++i) {
    out += i == 0 ? '[' : ',';
    internal::AppendFloat(out, vector[i]);
  }
  out += "]}\n";
  return out;
}

}  // namespace skerry::engine
