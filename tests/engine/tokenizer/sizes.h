// Sizes of long tests: a sanitizer makes them tens of times slower, so they are smaller with one.
#pragma once

#include <cstddef>

namespace skerry::engine::testing {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr int kReduction = 16;
#else
inline constexpr int kReduction = 1;
#endif

// A text that nothing quadratic gets through.
inline constexpr size_t kLongText = (size_t{1} << 20) / kReduction;

// Of `full` rounds of a random test, those to do.
constexpr int Rounds(int full) { return full / kReduction + 1; }

}  // namespace skerry::engine::testing
