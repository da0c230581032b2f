#include "engine/device/cpu/cpu_device.h"

#include <sys/mman.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <fstream>
#include <string>
#include <vector>

#include "engine/device/cpu/matmul.h"
#include "engine/device/cpu/thread_pool.h"

namespace skerry::engine {
namespace {

constexpr int kMaxThreads = 1024;
constexpr int64_t kElementwiseGrain = 16 << 10;
// Left to the rest of the machine when a large buffer is asked for.
constexpr uint64_t kMemoryReserveBytes = 64 << 20;
constexpr size_t kLargeBufferBytes = 16 << 20;

// The kernel's estimate of what can be had without swapping; nothing when it does not tell.
std::optional<uint64_t> AvailableMemoryBytes() {
  std::ifstream info("/proc/meminfo");
  std::string key;
  uint64_t kib = 0;
  std::string unit;
  while (info >> key >> kib >> unit) {
    if (key == "MemAvailable:") return kib << 10;
  }
  return std::nullopt;
}

class CpuDevice : public Device {
 public:
  CpuDevice(const CpuKernels& kernels, std::unique_ptr<ThreadPool> pool)
      : kernels_(kernels),
        pool_(std::move(pool)),
        matmuls_(kernels, *pool_),
        scratch_(pool_->n_threads()) {}

  std::string_view name() const override { return "cpu"; }

  Result<Buffer> Allocate(size_t size_bytes) override {
    const size_t rounded = std::max<size_t>(size_bytes, 1);
    // Pages come when they are first touched, so a lack of memory must be found out before.
    if (rounded >= kLargeBufferBytes) {
      const std::optional<uint64_t> available = AvailableMemoryBytes();
      if (available && rounded + kMemoryReserveBytes > *available) return NoMemory(rounded);
    }
    void* data =
        ::mmap(nullptr, rounded, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (data == MAP_FAILED) return NoMemory(rounded);
    if (rounded >= kLargeBufferBytes) ::madvise(data, rounded, MADV_HUGEPAGE);  // a hint only
    return Buffer(this, data, rounded);
  }

  Result<Weight> Place(const Tensor& tensor) override {
    Weight weight;
    weight.dtype = tensor.dtype;
    weight.cols = tensor.shape.back();
    weight.rows = tensor.shape.size() == 2 ? tensor.shape[0] : 1;
    weight.data = tensor.bytes.data();
    weight.owner = tensor.owner;
    weight.scales = tensor.scales;
    if (tensor.shape.size() == 1 && tensor.dtype != DType::kF32) {
      auto widened = std::make_shared<std::vector<float>>(ToFloats(tensor));
      weight.dtype = DType::kF32;
      weight.data = widened->data();
      weight.owner = std::move(widened);
      weight.scales = {};
    }
    return weight;
  }

  Result<void> Download(const float* source, std::span<float> out) override {
    std::memcpy(out.data(), source, out.size_bytes());
    return {};
  }

  Result<void> SetBatch(const Batch& batch) override;
  Result<void> Embed(const Weight& table, std::span<const TokenId> ids, float* out) override;
  Result<void> RmsNorm(const float* x, int64_t n_rows, const Weight& weight, float eps,
                       float* out) override;
  Result<void> MatMul(const Weight& weight, const float* x, int64_t n_rows, float* y) override;
  Result<void> Rope(float* x, int64_t n_heads, int64_t head_dim) override;
  Result<void> StoreKv(const float* k, const float* v, const AttentionShape& shape,
                       float* cache) override;
  Result<void> Attention(const float* q, const AttentionShape& shape, const float* cache,
                         float* out) override;
  Result<void> SiluMul(const float* gate, const float* up, int64_t n, float* out) override;
  Result<void> Add(float* x, const float* y, int64_t n) override;
  Result<void> GatherRows(const float* x, int64_t width, std::span<const int32_t> rows,
                          float* out) override;

 private:
  struct Row {
    const BatchSequence* sequence = nullptr;
    int64_t position = 0;
  };

  static Error NoMemory(size_t size_bytes) {
    return Error(ErrorCode::kExhausted,
                 "not enough memory for another " + std::to_string(size_bytes >> 20) + " MiB");
  }

  void Release(void* data, size_t size_bytes) override { ::munmap(data, size_bytes); }

  // Scratch memory of one thread, at least `n` floats.
  float* Scratch(int thread, size_t n) {
    std::vector<float>& scratch = scratch_[thread];
    if (scratch.size() < n) scratch.resize(n);
    return scratch.data();
  }

  void AttendRow(const float* q, const AttentionShape& shape, const float* cache, int64_t row,
                 int64_t kv_head, int thread, float* out);

  const CpuKernels& kernels_;
  std::unique_ptr<ThreadPool> pool_;
  MatMuls matmuls_;
  std::vector<std::vector<float>> scratch_;  // by thread
  std::vector<Row> rows_;                    // of the batch
  std::vector<float> cosines_;               // [n_rows, head_dim / 2]
  std::vector<float> sines_;
};

// A block of the cache: where the vectors of one key-value head begin.
struct HeadBlock {
  const float* keys;
  const float* values;
};

int64_t BlockFloats(const AttentionShape& shape) {
  return 2 * shape.n_kv_heads * kBlockTokens * shape.head_dim;
}

HeadBlock FindBlock(const AttentionShape& shape, const float* cache, BlockId block,
                    int64_t kv_head) {
  const int64_t head_floats = kBlockTokens * shape.head_dim;
  const float* keys = cache + block * BlockFloats(shape) + kv_head * head_floats;
  return {keys, keys + shape.n_kv_heads * head_floats};
}

Result<void> CpuDevice::SetBatch(const Batch& batch) {
  rows_.clear();
  for (const BatchSequence& sequence : batch.sequences) {
    for (int32_t i = 0; i < sequence.n_rows; ++i)
      rows_.push_back({&sequence, sequence.position + i});
  }
  const std::span<const double> frequencies = batch.inverse_frequencies;
  const auto n_pairs = static_cast<int64_t>(frequencies.size());
  cosines_.resize(rows_.size() * n_pairs);
  sines_.resize(rows_.size() * n_pairs);
  // In double: a float angle at position 100,000 is off by hundredths of a radian.
  pool_->ParallelFor(static_cast<int64_t>(rows_.size()), 16, [&](int64_t begin, int64_t end, int) {
    for (int64_t row = begin; row < end; ++row) {
      for (int64_t i = 0; i < n_pairs; ++i) {
        const double angle = static_cast<double>(rows_[row].position) * frequencies[i];
        cosines_[row * n_pairs + i] = static_cast<float>(std::cos(angle));
        sines_[row * n_pairs + i] = static_cast<float>(std::sin(angle));
      }
    }
  });
  return {};
}

Result<void> CpuDevice::Embed(const Weight& table, std::span<const TokenId> ids, float* out) {
  for (size_t i = 0; i < ids.size(); ++i) matmuls_.Widen(table, ids[i], 1, out + i * table.cols);
  return {};
}

Result<void> CpuDevice::RmsNorm(const float* x, int64_t n_rows, const Weight& weight, float eps,
                                float* out) {
  const int64_t width = weight.cols;
  const auto* scale = static_cast<const float*>(weight.data);
  const int64_t grain = std::max<int64_t>(1, kElementwiseGrain / width);
  pool_->ParallelFor(n_rows, grain, [&](int64_t begin, int64_t end, int) {
    for (int64_t row = begin; row < end; ++row) {
      const float* in = x + row * width;
      float* to = out + row * width;
      const float mean = kernels_.dot(in, in, width) / static_cast<float>(width);
      const float factor = 1.0F / std::sqrt(mean + eps);
      for (int64_t i = 0; i < width; ++i) to[i] = in[i] * factor * scale[i];
    }
  });
  return {};
}

Result<void> CpuDevice::MatMul(const Weight& weight, const float* x, int64_t n_rows, float* y) {
  matmuls_.Multiply(weight, x, n_rows, y);
  return {};
}

Result<void> CpuDevice::Rope(float* x, int64_t n_heads, int64_t head_dim) {
  const int64_t n_pairs = head_dim / 2;
  const int64_t width = n_heads * head_dim;
  const int64_t grain = std::max<int64_t>(1, kElementwiseGrain / width);
  const auto n_rows = static_cast<int64_t>(rows_.size());
  pool_->ParallelFor(n_rows, grain, [&](int64_t begin, int64_t end, int) {
    for (int64_t row = begin; row < end; ++row) {
      const float* cosines = cosines_.data() + row * n_pairs;
      const float* sines = sines_.data() + row * n_pairs;
      for (int64_t head = 0; head < n_heads; ++head) {
        float* low = x + row * width + head * head_dim;
        float* high = low + n_pairs;
        for (int64_t i = 0; i < n_pairs; ++i) {
          const float a = low[i];
          const float b = high[i];
          low[i] = a * cosines[i] - b * sines[i];
          high[i] = b * cosines[i] + a * sines[i];
        }
      }
    }
  });
  return {};
}

Result<void> CpuDevice::StoreKv(const float* k, const float* v, const AttentionShape& shape,
                                float* cache) {
  const int64_t width = shape.n_kv_heads * shape.head_dim;
  const size_t head_bytes = shape.head_dim * sizeof(float);
  for (size_t row = 0; row < rows_.size(); ++row) {
    const int64_t position = rows_[row].position;
    const BlockId block = rows_[row].sequence->blocks[position / kBlockTokens];
    const int64_t in_block = position % kBlockTokens * shape.head_dim;
    for (int64_t head = 0; head < shape.n_kv_heads; ++head) {
      const int64_t head_floats = kBlockTokens * shape.head_dim;
      float* keys = cache + block * BlockFloats(shape) + head * head_floats + in_block;
      float* values = keys + shape.n_kv_heads * head_floats;
      std::memcpy(keys, k + row * width + head * shape.head_dim, head_bytes);
      std::memcpy(values, v + row * width + head * shape.head_dim, head_bytes);
    }
  }
  return {};
}

Result<void> CpuDevice::Attention(const float* q, const AttentionShape& shape, const float* cache,
                                  float* out) {
  const auto n_tasks = static_cast<int64_t>(rows_.size()) * shape.n_kv_heads;
  pool_->ParallelFor(n_tasks, 1, [&](int64_t begin, int64_t end, int thread) {
    for (int64_t task = begin; task < end; ++task) {
      AttendRow(q, shape, cache, task / shape.n_kv_heads, task % shape.n_kv_heads, thread, out);
    }
  });
  return {};
}

// One token, one key-value head, all query heads that share it: keys and values are read once.
void CpuDevice::AttendRow(const float* q, const AttentionShape& shape, const float* cache,
                          int64_t row, int64_t kv_head, int thread, float* out) {
  const int64_t dim = shape.head_dim;
  const int64_t group = shape.n_heads / shape.n_kv_heads;
  const int64_t end = rows_[row].position + 1;
  const int64_t begin = shape.window > 0 ? std::max<int64_t>(0, end - shape.window) : 0;
  const std::span<const BlockId> blocks = rows_[row].sequence->blocks;
  const float scale = 1.0F / std::sqrt(static_cast<float>(dim));
  const int64_t first_head = row * shape.n_heads + kv_head * group;
  const int64_t n_keys = end - begin;
  float* scores = Scratch(thread, group * n_keys);
  for (int64_t key = begin; key < end; ++key) {
    const HeadBlock block = FindBlock(shape, cache, blocks[key / kBlockTokens], kv_head);
    const float* vector = block.keys + key % kBlockTokens * dim;
    for (int64_t g = 0; g < group; ++g) {
      scores[g * n_keys + key - begin] =
          kernels_.dot(q + (first_head + g) * dim, vector, dim) * scale;
    }
  }
  for (int64_t g = 0; g < group; ++g) {
    float* mine = scores + g * n_keys;
    const float sum = kernels_.exp_sum(mine, n_keys, *std::max_element(mine, mine + n_keys));
    for (int64_t i = 0; i < n_keys; ++i) mine[i] /= sum;
    std::fill_n(out + (first_head + g) * dim, dim, 0.0F);
  }
  for (int64_t key = begin; key < end; ++key) {
    const HeadBlock block = FindBlock(shape, cache, blocks[key / kBlockTokens], kv_head);
    const float* vector = block.values + key % kBlockTokens * dim;
    for (int64_t g = 0; g < group; ++g) {
      kernels_.multiply_add(scores[g * n_keys + key - begin], vector, out + (first_head + g) * dim,
                            dim);
    }
  }
}

Result<void> CpuDevice::SiluMul(const float* gate, const float* up, int64_t n, float* out) {
  pool_->ParallelFor(n, kElementwiseGrain, [&](int64_t begin, int64_t end, int) {
    kernels_.silu_mul(gate + begin, up + begin, end - begin, out + begin);
  });
  return {};
}

Result<void> CpuDevice::Add(float* x, const float* y, int64_t n) {
  pool_->ParallelFor(n, kElementwiseGrain, [&](int64_t begin, int64_t end, int) {
    for (int64_t i = begin; i < end; ++i) x[i] += y[i];
  });
  return {};
}

Result<void> CpuDevice::GatherRows(const float* x, int64_t width, std::span<const int32_t> rows,
                                   float* out) {
  for (size_t i = 0; i < rows.size(); ++i) {
    std::memcpy(out + i * width, x + rows[i] * width, width * sizeof(float));
  }
  return {};
}

}  // namespace

Result<std::unique_ptr<Device>> CreateCpuDevice(const CpuOptions& options) {
  const CpuIsa isa = options.isa.value_or(BestCpuIsa());
  const CpuKernels* kernels = FindCpuKernels(isa);
  if (kernels == nullptr) {
    return Error(ErrorCode::kInvalidArgument,
                 "this processor has no " + std::string(CpuIsaName(isa)) + " instructions");
  }
  if (options.threads < 0 || options.threads > kMaxThreads) {
    return Error(ErrorCode::kInvalidArgument,
                 std::to_string(options.threads) + " threads are not 0 to " +
                     std::to_string(kMaxThreads) + "; 0 means one for each processor");
  }
  const int n_threads = options.threads > 0 ? options.threads : UsableProcessors();
  std::unique_ptr<ThreadPool> pool = TRY(ThreadPool::Create(n_threads));
  return std::unique_ptr<Device>(new CpuDevice(*kernels, std::move(pool)));
}

}  // namespace skerry::engine
