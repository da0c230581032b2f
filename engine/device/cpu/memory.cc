#include "engine/device/cpu/memory.h"

#include <algorithm>
#include <fstream>
#include <optional>
#include <sstream>
#include <vector>

namespace skerry::engine {
namespace {

// The number behind `key` in a file of lines "KEY NUMBER ..."; nothing when there is none.
std::optional<uint64_t> NumberOf(const std::string& path, const std::string& key) {
  std::ifstream file(path);
  std::string line;
  while (std::getline(file, line)) {
    std::istringstream words(line);
    std::string name;
    uint64_t number = 0;
    if (words >> name >> number && name == key) return number;
  }
  return std::nullopt;
}

// A file that is one number; nothing for "max" or none.
std::optional<uint64_t> OnlyNumber(const std::string& path) {
  std::ifstream file(path);
  uint64_t number = 0;
  if (file >> number) return number;
  return std::nullopt;
}

struct Names {
  const char* limit;
  const char* usage;
  std::vector<const char*> file_keys;  // of memory.stat: clean pages can be had back
};

void Apply(const std::string& folder, const Names& names, DeviceMemory& memory) {
  const std::optional<uint64_t> limit = OnlyNumber(folder + "/" + names.limit);
  const std::optional<uint64_t> usage = OnlyNumber(folder + "/" + names.usage);
  if (!limit || !usage || *limit >= memory.total_bytes) return;
  uint64_t files = 0;
  for (const char* key : names.file_keys) {
    files += NumberOf(folder + "/memory.stat", key).value_or(0);
  }
  const uint64_t kept = *usage - std::min(files, *usage);
  memory.total_bytes = *limit;
  memory.available_bytes = std::min(memory.available_bytes, *limit - std::min(kept, *limit));
}

// The process's group and all above it. In a container the path may be the host's while only the
// part below the container's own group is there: missing folders are passed over.
void ApplyGroups(const std::string& base, std::string path, const Names& names,
                 DeviceMemory& memory) {
  while (true) {
    Apply(base + path, names, memory);
    if (path.empty()) return;
    path.resize(path.rfind('/') == std::string::npos ? 0 : path.rfind('/'));
  }
}

}  // namespace

DeviceMemory ReadCpuMemory(const std::string& root) {
  DeviceMemory memory;
  const std::string info = root + "/proc/meminfo";
  memory.total_bytes = NumberOf(info, "MemTotal:").value_or(0) << 10;
  memory.available_bytes = NumberOf(info, "MemAvailable:").value_or(0) << 10;
  const Names v2 = {"memory.max", "memory.current", {"inactive_file", "active_file"}};
  const Names v1 = {"memory.limit_in_bytes",
                    "memory.usage_in_bytes",
                    {"total_inactive_file", "total_active_file"}};
  std::ifstream groups(root + "/proc/self/cgroup");
  std::string line;
  while (std::getline(groups, line)) {
    // "0::/system.slice/x.service", or "5:cpu,memory:/x" of version 1.
    const size_t first = line.find(':');
    const size_t second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = "," + line.substr(first + 1, second - first - 1) + ",";
    std::string path = line.substr(second + 1);
    if (path == "/") path.clear();
    const std::string base = root + "/sys/fs/cgroup";
    if (controllers == ",,") ApplyGroups(base, path, v2, memory);
    if (controllers.find(",memory,") != std::string::npos) {
      ApplyGroups(base + "/memory", path, v1, memory);
    }
  }
  return memory;
}

}  // namespace skerry::engine
