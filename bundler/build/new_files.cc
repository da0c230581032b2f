#include "bundler/build/new_files.h"

namespace skerry::build {

Result<void> CheckOutput(FileSystem& files, const std::vector<std::string>& paths,
                         uint64_t needed_bytes, bool overwrite) {
  for (const std::string& path : paths) {
    if (!overwrite && files.Exists(path)) {
      return Error(ErrorCode::kAlreadyExists,
                   "'" + path + "' exists; choose another name, or overwrite it with --force");
    }
  }
  const uint64_t free = TRY(files.FreeBytes());
  if (free >= needed_bytes) return {};
  return Error(ErrorCode::kExhausted,
               "not enough space for '" + paths.front() + "': " + std::to_string(needed_bytes) +
                   " bytes are needed, " + std::to_string(free) + " are free; nothing was written");
}

}  // namespace skerry::build
