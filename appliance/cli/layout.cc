#include "appliance/cli/layout.h"

namespace skerry::cli {

Result<void> MakeLayout(FileSystem& files) {
  struct Row {
    const char* path;
    unsigned mode;
  };
  static constexpr Row kRows[] = {
      {"trust", 0755},  {"store", 0755},    {"staging", 0700},     {"admin", 0700},
      {"policy", 0700}, {"journal", 0750},  {"journal/api", 0750}, {"journal/admin", 0750},
      {"tls", 0755},    {"receipts", 0755}, {"run", 0700},         {"run/engine", 0700},
  };
  for (const Row& row : kRows) TRY(MakeDirectories(files, row.path, row.mode));
  return {};
}

}  // namespace skerry::cli
