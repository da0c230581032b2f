#include "engine/model/logits_command.h"

#include <algorithm>
#include <numeric>
#include <vector>

#include "engine/cache/block_pool.h"
#include "engine/model/internal/number_text.h"
#include "engine/model/load.h"

namespace skerry::engine {

using internal::AppendFloat;
using internal::AppendIds;

namespace {

// Prompt tokens of one forward pass; longer prompts go in several.
constexpr size_t kChunkTokens = 512;

TokenId MostLikely(std::span<const float> logits) {
  return static_cast<TokenId>(std::max_element(logits.begin(), logits.end()) - logits.begin());
}

void AppendRows(std::string& out, std::span<const float> rows, size_t width) {
  for (size_t i = 0; i < rows.size(); ++i) {
    out += i % width == 0 ? '[' : ',';
    AppendFloat(out, rows[i]);
    if (i % width == width - 1) out += i + 1 == rows.size() ? "]" : "],";
  }
}

}  // namespace

Result<std::string> RunLogits(const LogitsCommand& command) {
  const std::vector<TokenId> ids = TRY(internal::ParseTokens(command.tokens));
  const Checkpoint checkpoint = TRY(Checkpoint::Open(command.model_path));
  if (!checkpoint.config().architecture->generates) {
    return Error(ErrorCode::kInvalidArgument,
                 "'" + command.model_path + "' is a " +
                     std::string(checkpoint.config().architecture->name) +
                     " model: it gives vectors, not logits; run `skerry-engine embed`");
  }
  const int64_t context = checkpoint.config().max_position;
  const auto n_prompt = static_cast<int64_t>(ids.size());
  if (command.greedy < 0 || command.greedy > context || n_prompt > context - command.greedy) {
    return Error(ErrorCode::kInvalidArgument,
                 std::to_string(ids.size()) + " tokens and " + std::to_string(command.greedy) +
                     " more do not fit the model's context of " + std::to_string(context));
  }
  ModelOptions options;
  options.threads = command.threads;
  const std::unique_ptr<LanguageModel> model = TRY(LoadModel(checkpoint, options));
  const int32_t n_blocks = BlockPool::BlocksFor(n_prompt + command.greedy);
  TRY(model->AllocateCache(n_blocks));
  std::vector<BlockId> blocks(n_blocks);
  std::iota(blocks.begin(), blocks.end(), 0);

  const size_t vocab = model->info().vocab_size;
  std::string out = "{\"tokens\":";
  AppendIds(out, ids);
  out += ",\"logits\":[";
  std::vector<float> logits;
  for (size_t begin = 0; begin < ids.size(); begin += kChunkTokens) {
    const size_t n = std::min(kChunkTokens, ids.size() - begin);
    const SequenceChunk chunk = {std::span(ids).subspan(begin, n), static_cast<int32_t>(begin),
                                 blocks, SequenceChunk::Logits::kAll};
    TRY(model->Forward(std::span(&chunk, 1), logits));
    if (begin > 0) out += ',';
    AppendRows(out, logits, vocab);
  }
  out += "],\"greedy\":";
  std::vector<TokenId> greedy;
  while (static_cast<int64_t>(greedy.size()) < command.greedy) {
    greedy.push_back(MostLikely(std::span(logits).last(vocab)));
    if (static_cast<int64_t>(greedy.size()) == command.greedy) break;
    const auto position = static_cast<int32_t>(ids.size() + greedy.size() - 1);
    const SequenceChunk chunk = {std::span(greedy).last(1), position, blocks,
                                 SequenceChunk::Logits::kLast};
    TRY(model->Forward(std::span(&chunk, 1), logits));
  }
  AppendIds(out, greedy);
  out += "}\n";
  return out;
}

}  // namespace skerry::engine
