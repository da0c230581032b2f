// What must not travel in a bundle: code, and data formats that run code when they are read.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "appliance/base/result.h"

namespace skerry::inspect {

// How much of a file's beginning CheckContent wants to see.
inline constexpr size_t kHeadBytes = 64 << 10;

// kUntrusted, with the reason, for program code by `name` and for programs, archives and pickles by
// their first bytes (`head`; `whole` when the file is no longer than that).
Result<void> CheckContent(std::string_view name, std::span<const uint8_t> head, bool whole);

// Whether `bytes` are a pickle that can import a name (Python's pickletools, protocols 0 to 5):
// begins as one of protocol 2 and up, or is one of protocol 0 or 1 that imports.
bool IsPickle(std::span<const uint8_t> bytes, bool whole);

}  // namespace skerry::inspect
