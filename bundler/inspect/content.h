// What must not travel in a bundle: code, and data formats that run code when they are read.
#pragma once

#include <string_view>

#include "appliance/base/files.h"
#include "appliance/base/result.h"

namespace skerry::inspect {

// Whether a file of this name is program code (by its suffix).
bool IsCodeName(std::string_view name);

// kUntrusted, with the reason, for program code by `name` and for programs, archives, compressed
// files, HDF5 and pickles by their content. `name` is quoted in errors.
Result<void> CheckContent(std::string_view name, const File& file);

}  // namespace skerry::inspect
