#include "engine/model/logits_command.h"

#include <algorithm>
#include <charconv>
#include <numeric>
#include <vector>

#include "engine/cache/block_pool.h"
#include "engine/model/load.h"

namespace skerry::engine {
namespace {

// Prompt tokens of one forward pass; longer prompts go in several.
constexpr size_t kChunkTokens = 512;

Result<std::vector<TokenId>> ParseTokens(std::string_view text) {
  std::vector<TokenId> ids;
  const char* at = text.data();
  const char* const end = at + text.size();
  for (;;) {
    while (at != end && (*at == ' ' || *at == '\t' || *at == '\n' || *at == '\r')) ++at;
    if (at == end) break;
    TokenId id = 0;
    const auto [next, error] = std::from_chars(at, end, id);
    const bool separated =
        next == end || *next == ' ' || *next == '\t' || *next == '\n' || *next == '\r';
    if (error != std::errc() || !separated) {
      return Error(ErrorCode::kInvalidArgument,
                   "token " + std::to_string(ids.size() + 1) + " of the list is not an id");
    }
    ids.push_back(id);
    at = next;
  }
  if (ids.empty()) return Error(ErrorCode::kInvalidArgument, "no token ids are given");
  return ids;
}

TokenId MostLikely(std::span<const float> logits) {
  return static_cast<TokenId>(std::max_element(logits.begin(), logits.end()) - logits.begin());
}

// Shortest text that reads back as the same F32; JSON has no NaN, so that is null.
void AppendFloat(std::string& out, float value) {
  char text[32];
  if (!(value - value == 0)) {
    out += "null";
    return;
  }
  const auto result = std::to_chars(text, text + sizeof(text), value);
  out.append(text, result.ptr);
}

void AppendIds(std::string& out, std::span<const TokenId> ids) {
  out += '[';
  for (size_t i = 0; i < ids.size(); ++i) {
    if (i > 0) out += ',';
    out += std::to_string(ids[i]);
  }
  out += ']';
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
  const std::vector<TokenId> ids = TRY(ParseTokens(command.tokens));
  const Checkpoint checkpoint = TRY(Checkpoint::Open(command.model_path));
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
