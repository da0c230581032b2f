#include "engine/device/cpu/quantized.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace skerry::engine {
namespace {

#if defined(__x86_64__)
bool HasAvx512Vnni() { return __builtin_cpu_supports("avx512vnni"); }

bool HasAvxVnni() {
  // Not a name of __builtin_cpu_supports in every compiler.
  constexpr unsigned kAvxVnniBit = 1U << 4;
  unsigned eax = 0;
  unsigned ebx = 0;
  unsigned ecx = 0;
  unsigned edx = 0;
  return __get_cpuid_count(7, 1, &eax, &ebx, &ecx, &edx) != 0 && (eax & kAvxVnniBit) != 0;
}
#else
bool HasAvx512Vnni() { return false; }
bool HasAvxVnni() { return false; }
#endif

}  // namespace

std::vector<const QuantKernels*> UsableQuantKernels() {
  std::vector<const QuantKernels*> usable;
  const bool avx2 = FindCpuKernels(CpuIsa::kAvx2) != nullptr;
  if (FindCpuKernels(CpuIsa::kAvx512) != nullptr && HasAvx512Vnni()) {
    usable.push_back(internal::Avx512VnniQuantKernels());
  }
  if (avx2 && HasAvxVnni()) usable.push_back(internal::AvxVnniQuantKernels());
  if (avx2) usable.push_back(internal::Avx2QuantKernels());
  usable.push_back(internal::PortableQuantKernels());
  return usable;
}

const QuantKernels& FindQuantKernels(CpuIsa isa) {
  for (const QuantKernels* kernels : UsableQuantKernels()) {
    if (kernels->isa <= isa) return *kernels;
  }
  return *internal::PortableQuantKernels();
}

}  // namespace skerry::engine
