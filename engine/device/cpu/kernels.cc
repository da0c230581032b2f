#include "engine/device/cpu/kernels.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace skerry::engine {
namespace {

bool Supports(CpuIsa isa) {
  if (isa == CpuIsa::kPortable) return true;
#if defined(__x86_64__)
  // F16C has no name in __builtin_cpu_supports of every compiler.
  constexpr unsigned kF16cBit = 1U << 29;
  unsigned eax = 0;
  unsigned ebx = 0;
  unsigned ecx = 0;
  unsigned edx = 0;
  const bool f16c = __get_cpuid(1, &eax, &ebx, &ecx, &edx) != 0 && (ecx & kF16cBit) != 0;
  const bool avx2 = f16c && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  if (isa == CpuIsa::kAvx2) return avx2;
  return avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512vl");
#else
  return false;
#endif
}

}  // namespace

std::string_view CpuIsaName(CpuIsa isa) {
  switch (isa) {
    case CpuIsa::kPortable:
      return "portable";
    case CpuIsa::kAvx2:
      return "avx2";
    case CpuIsa::kAvx512:
      return "avx512";
  }
  return "?";
}

const CpuKernels* FindCpuKernels(CpuIsa isa) {
  if (!Supports(isa)) return nullptr;
  switch (isa) {
    case CpuIsa::kPortable:
      return internal::PortableKernels();
    case CpuIsa::kAvx2:
      return internal::Avx2Kernels();
    case CpuIsa::kAvx512:
      return internal::Avx512Kernels();
  }
  return nullptr;
}

CpuIsa BestCpuIsa() {
  for (const CpuIsa isa : {CpuIsa::kAvx512, CpuIsa::kAvx2}) {
    if (FindCpuKernels(isa) != nullptr) return isa;
  }
  return CpuIsa::kPortable;
}

}  // namespace skerry::engine
