#include "engine/device/cpu/cpu_device.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>
#include <vector>

#include "engine/device/cpu/internal/attention.h"
#include "engine/device/cpu/internal/experts.h"
#include "engine/device/cpu/internal/rowwise.h"
#include "engine/device/cpu/matmul.h"
#include "engine/device/cpu/memory.h"
#include "engine/device/cpu/thread_pool.h"

namespace skerry::engine {
namespace {

constexpr int kMaxThreads = 1024;
// Left to the rest of the machine when a large buffer is asked for.
constexpr uint64_t kMemoryReserveBytes = 64 << 20;
constexpr size_t kLargeBufferBytes = 16 << 20;

// Makes the pages exist. The kernel says when it cannot (from version 5.14 on); before, they are
// touched one by one.
bool Populate(void* data, size_t size_bytes) {
#ifdef MADV_POPULATE_WRITE
  if (::madvise(data, size_bytes, MADV_POPULATE_WRITE) == 0) return true;
  if (errno != EINVAL) return false;
#endif
  const auto page = static_cast<size_t>(::sysconf(_SC_PAGESIZE));
  auto* bytes = static_cast<volatile uint8_t*>(data);
  for (size_t at = 0; at < size_bytes; at += page) bytes[at] = 0;
  return true;
}

class CpuDevice : public Device {
 public:
  CpuDevice(const CpuKernels& kernels, std::unique_ptr<ThreadPool> pool)
      : kernels_(kernels),
        pool_(std::move(pool)),
        matmuls_(kernels, *pool_),
        attention_(kernels, *pool_),
        experts_(matmuls_, *pool_) {}

  std::string_view name() const override { return "cpu"; }

  DeviceMemory Memory() const override { return ReadCpuMemory(); }

  Result<Buffer> Allocate(size_t size_bytes) override {
    const size_t rounded = std::max<size_t>(size_bytes, 1);
    // Pages come when they are first touched, and the kernel ends a process that touches too many:
    // a lack of memory must be found out before.
    const bool large = rounded >= kLargeBufferBytes;
    const DeviceMemory memory = large ? Memory() : DeviceMemory();
    if (memory.total_bytes > 0 && rounded + kMemoryReserveBytes > memory.available_bytes) {
      return NoMemory(rounded);
    }
    void* data =
        ::mmap(nullptr, rounded, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (data == MAP_FAILED) return NoMemory(rounded);
    if (!large) return Buffer(this, data, rounded);
    ::madvise(data, rounded, MADV_HUGEPAGE);  // a hint only
    if (!Populate(data, rounded)) {
      ::munmap(data, rounded);
      return NoMemory(rounded);
    }
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

  Result<void> SetBatch(const Batch& batch) override {
    attention_.SetBatch(batch);
    return {};
  }
  Result<void> Embed(const Weight& table, std::span<const TokenId> ids, float* out) override {
    for (size_t i = 0; i < ids.size(); ++i) matmuls_.Widen(table, ids[i], 1, out + i * table.cols);
    return {};
  }
  Result<void> RmsNorm(const float* x, int64_t n_rows, const Weight& weight, float eps,
                       float* out) override {
    internal::RmsNorm(kernels_, *pool_, x, n_rows, weight, eps, out);
    return {};
  }
  Result<void> LayerNorm(const float* x, int64_t n_rows, const Weight& weight, const Weight& bias,
                         float eps, float* out) override {
    internal::LayerNorm(*pool_, x, n_rows, weight, bias, eps, out);
    return {};
  }
  Result<void> MatMul(const Weight& weight, const float* x, int64_t n_rows, float* y) override {
    matmuls_.Multiply(weight, x, n_rows, y);
    return {};
  }
  Result<void> AddRow(float* x, int64_t n_rows, const Weight& row) override {
    internal::AddRow(*pool_, x, n_rows, row);
    return {};
  }
  Result<void> Rope(float* x, int64_t n_heads, int64_t head_dim, int64_t table) override {
    attention_.Rope(x, n_heads, head_dim, table);
    return {};
  }
  Result<void> ScaleByPosition(float* x, int64_t width, const PositionScale& scale) override {
    attention_.ScaleByPosition(x, width, scale);
    return {};
  }
  Result<void> StoreKv(const float* k, const float* v, const AttentionShape& shape,
                       const KvCache& cache) override {
    attention_.StoreKv(k, v, shape, cache);
    return {};
  }
  Result<void> Attention(const float* q, const AttentionShape& shape, const float* sinks,
                         const KvCache& cache, float* out) override {
    attention_.Attention(q, shape, sinks, cache, out);
    return {};
  }
  uint64_t AttentionScratchBytes(const AttentionShape& shape, int64_t n_keys) const override {
    return internal::BatchAttention::ScratchBytes(shape, n_keys) * pool_->n_threads();
  }
  Result<void> GateMul(Gate gate, float limit, const float* g, const float* up, int64_t n,
                       float* out) override {
    internal::GateMul(kernels_, *pool_, gate, limit, g, up, n, out);
    return {};
  }
  Result<void> Gelu(float* x, int64_t n) override {
    internal::Gelu(*pool_, x, n);
    return {};
  }
  Result<void> Scale(float* x, int64_t n, float factor) override {
    internal::Scale(*pool_, x, n, factor);
    return {};
  }
  Result<void> SoftCap(float* x, int64_t n, float cap) override {
    internal::SoftCap(*pool_, x, n, cap);
    return {};
  }
  Result<void> Add(float* x, const float* y, int64_t n) override {
    internal::Add(*pool_, x, y, n);
    return {};
  }
  Result<void> GatherRows(const float* x, int64_t width, std::span<const int32_t> rows,
                          float* out) override {
    for (size_t i = 0; i < rows.size(); ++i) {
      std::memcpy(out + i * width, x + rows[i] * width, width * sizeof(float));
    }
    return {};
  }
  Result<void> Route(const float* scores, int64_t n_rows, int64_t n_experts, bool normalise,
                     const ExpertChoice& out) override {
    experts_.Route(scores, n_rows, n_experts, normalise, out);
    return {};
  }
  Result<void> ExpertMatMul(std::span<const Weight> experts, const ExpertChoice& choice,
                            const float* x, bool x_per_expert, int64_t n_rows, float* y) override {
    experts_.MatMul(experts, choice, x, x_per_expert, n_rows, y);
    return {};
  }
  Result<void> ExpertBias(const Weight& biases, const ExpertChoice& choice, int64_t n_rows,
                          float* y) override {
    experts_.Bias(biases, choice, n_rows, y);
    return {};
  }
  Result<void> ExpertSum(const float* y, const ExpertChoice& choice, int64_t n_rows, int64_t width,
                         float* out) override {
    experts_.Sum(y, choice, n_rows, width, out);
    return {};
  }

 private:
  static Error NoMemory(size_t size_bytes) {
    return Error(ErrorCode::kExhausted,
                 "not enough memory for another " + std::to_string(size_bytes >> 20) + " MiB");
  }

  void Release(void* data, size_t size_bytes) override { ::munmap(data, size_bytes); }

  const CpuKernels& kernels_;
  std::unique_ptr<ThreadPool> pool_;
  MatMuls matmuls_;
  internal::BatchAttention attention_;
  internal::Experts experts_;
};

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
