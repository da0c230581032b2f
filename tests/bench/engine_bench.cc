// How fast a checkpoint runs: engine_bench PATH [THREADS] [PROMPT] [DECODE]. Decoding reads every
// weight once for each token, so its speed is stated as a share of what this machine's memory
// delivers, measured right before and after.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <thread>
#include <vector>

#include "engine/cache/block_pool.h"
#include "engine/device/cpu/kernels.h"
#include "engine/device/cpu/quantized.h"
#include "engine/device/cpu/thread_pool.h"
#include "engine/model/load.h"

namespace {

using skerry::engine::BlockId;
using skerry::engine::BlockPool;
using skerry::engine::LanguageModel;
using skerry::engine::SequenceChunk;
using skerry::engine::ThreadPool;
using skerry::engine::TokenId;

double Now() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration<double>(now).count();
}

// Best of several sums over a buffer larger than any cache; GB/s.
double ReadBandwidth(int threads) {
  typedef uint64_t Lanes __attribute__((vector_size(32)));
  constexpr size_t kBytes = size_t{1} << 30;
  constexpr int64_t kPieces = 256;
  const std::vector<Lanes> data(kBytes / sizeof(Lanes), Lanes{1, 2, 3, 4});
  auto pool = ThreadPool::Create(threads);
  if (!pool) return 0;
  const size_t piece = data.size() / kPieces;
  std::vector<uint64_t> sums(kPieces);
  double best = 1e9;
  for (int round = 0; round < 5; ++round) {
    const double start = Now();
    (*pool)->ParallelFor(kPieces, 1, [&](int64_t begin, int64_t end, int) {
      const Lanes* at = data.data() + static_cast<size_t>(begin) * piece;
      const Lanes* const stop = data.data() + static_cast<size_t>(end) * piece;
      Lanes a = {};
      Lanes b = {};
      Lanes c = {};
      Lanes d = {};
      for (; at + 4 <= stop; at += 4) {
        a += at[0];
        b += at[1];
        c += at[2];
        d += at[3];
      }
      a += b + c + d;
      sums[begin] = a[0] + a[1] + a[2] + a[3];
    });
    best = std::min(best, Now() - start);
  }
  if (std::count(sums.begin(), sums.end(), sums[0]) != kPieces) std::abort();
  return static_cast<double>(kBytes) / best * 1e-9;
}

bool Forward(LanguageModel& model, const SequenceChunk& chunk, std::vector<float>& logits) {
  const auto done = model.Forward(std::span(&chunk, 1), logits);
  if (!done) std::fprintf(stderr, "%s\n", done.error().message().c_str());
  return done.has_value();
}

// What one token costs.
struct TokenCost {
  double weight_bytes = 0;  // read: all but the table of embeddings, unless that is the output, too
  double multiplications = 0;
};

int Measure(LanguageModel& model, int threads, int n_prompt, int n_decode, const TokenCost& cost) {
  const int32_t n_blocks = BlockPool::BlocksFor(n_prompt + n_decode);
  if (!model.AllocateCache(n_blocks)) return 1;
  std::vector<BlockId> blocks(n_blocks);
  for (int32_t i = 0; i < n_blocks; ++i) blocks[i] = i;
  std::vector<TokenId> prompt(n_prompt);
  for (int i = 0; i < n_prompt; ++i) prompt[i] = (i * 7919 + 13) % model.info().vocab_size;
  std::vector<float> logits;
  const SequenceChunk whole = {prompt, 0, blocks, SequenceChunk::Logits::kLast};
  if (!Forward(model, whole, logits)) return 1;  // brings the weights into memory
  double start = Now();
  if (!Forward(model, whole, logits)) return 1;
  const double prefill = (Now() - start) / n_prompt;
  const double before = ReadBandwidth(threads);
  start = Now();
  for (int i = 0; i < n_decode; ++i) {
    const TokenId id = prompt[i % n_prompt];
    const SequenceChunk step = {std::span(&id, 1), n_prompt + i, blocks,
                                SequenceChunk::Logits::kLast};
    if (!Forward(model, step, logits)) return 1;
  }
  const double decode = (Now() - start) / n_decode;
  const double bandwidth = std::max(before, ReadBandwidth(threads));
  // And the keys and values seen on average.
  const auto& info = model.info();
  const double kv = static_cast<double>(info.kv_bytes_per_block) / info.block_tokens *
                    (n_prompt + n_decode / 2.0);
  const double bytes = cost.weight_bytes + kv;
  std::printf("read bandwidth   %.1f GB/s\n", bandwidth);
  std::printf("prefill %5d    %.1f tokens/s, %.0f GFLOP/s\n", n_prompt, 1 / prefill,
              2 * cost.multiplications / prefill * 1e-9);
  std::printf("decode  %5d    %.1f tokens/s, %.1f GB/s, %.0f %% of the bandwidth\n", n_decode,
              1 / decode, bytes / decode * 1e-9, bytes / decode * 1e-7 / bandwidth);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: engine_bench PATH [THREADS] [PROMPT] [DECODE]\n");
    return 2;
  }
  skerry::engine::ModelOptions options;
  options.threads = argc > 2 ? std::atoi(argv[2]) : 0;
  const int n_prompt = argc > 3 ? std::atoi(argv[3]) : 256;
  const int n_decode = argc > 4 ? std::atoi(argv[4]) : 32;
  const double start = Now();
  const auto checkpoint = skerry::engine::Checkpoint::Open(argv[1]);
  if (!checkpoint) {
    std::fprintf(stderr, "%s\n", checkpoint.error().message().c_str());
    return 1;
  }
  const auto model = skerry::engine::LoadModel(*checkpoint, options);
  if (!model) {
    std::fprintf(stderr, "%s\n", model.error().message().c_str());
    return 1;
  }
  const int threads = options.threads > 0 ? options.threads : skerry::engine::UsableProcessors();
  const auto& config = checkpoint->config();
  const int64_t embed_shape[] = {config.vocab_size, config.hidden_size};
  const auto embed = checkpoint->Load("embed", embed_shape);
  if (!embed) return 1;
  const double embed_bytes = static_cast<double>(embed->bytes.size());
  TokenCost cost;
  cost.weight_bytes = static_cast<double>((*model)->info().weight_bytes) -
                      (config.tie_word_embeddings ? 0 : embed_bytes);
  const int64_t attention = 2 * config.head_dim * (config.n_heads + config.n_kv_heads);
  cost.multiplications = static_cast<double>(
      config.hidden_size *
      (config.n_layers * (attention + 3 * config.intermediate_size) + config.vocab_size));
  const auto& quantised = skerry::engine::FindQuantKernels(skerry::engine::BestCpuIsa());
  std::printf("%s, %d threads, %s, quantised %s, %.0f MB, loaded in %.2f s\n", argv[1], threads,
              std::string(skerry::engine::CpuIsaName(skerry::engine::BestCpuIsa())).c_str(),
              std::string(quantised.name).c_str(),
              static_cast<double>((*model)->info().weight_bytes) * 1e-6, Now() - start);
  return Measure(**model, threads, n_prompt, n_decode, cost);
}
