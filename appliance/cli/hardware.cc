#include "appliance/cli/hardware.h"

#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <optional>

#include "appliance/base/capture.h"

namespace skerry::cli {

namespace {

constexpr size_t kMaxProcBytes = 16 << 20;
constexpr char kNvidiaSmi[] = "/usr/bin/nvidia-smi";
constexpr std::string_view kFlagsOfInterest[] = {
    "amx_bf16", "amx_int8",    "amx_tile",    "asimd",    "asimddp", "avx",
    "avx2",     "avx512_bf16", "avx512_vnni", "avx512bw", "avx512f", "avx_vnni",
    "bf16",     "f16c",        "fma",         "i8mm",     "sha_ni",  "sve"};

std::string_view Trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t' || text.back() == '\r'))
    text.remove_suffix(1);
  return text;
}

// Parts of `text` between `separator`s.
std::vector<std::string_view> Split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (!text.empty()) {
    const size_t end = std::min(text.size(), text.find(separator));
    parts.push_back(text.substr(0, end));
    text.remove_prefix(std::min(text.size(), end + 1));
  }
  return parts;
}

std::optional<uint64_t> Number(std::string_view text) {
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace

Cpu ParseCpuInfo(std::string_view text) {
  Cpu cpu;
  for (const std::string_view line : Split(text, '\n')) {
    const size_t colon = line.find(':');
    if (colon == std::string_view::npos) continue;
    const std::string_view key = Trimmed(line.substr(0, colon));
    const std::string_view value = Trimmed(line.substr(colon + 1));
    if (key == "processor") ++cpu.cores;
    if (key == "model name" && cpu.model.empty()) cpu.model = value;
    // x86 says "flags", ARM "Features"; all cores have the same.
    if ((key != "flags" && key != "Features") || !cpu.flags.empty()) continue;
    for (const std::string_view flag : Split(value, ' ')) {
      if (std::find(std::begin(kFlagsOfInterest), std::end(kFlagsOfInterest), flag) !=
          std::end(kFlagsOfInterest)) {
        cpu.flags.emplace_back(flag);
      }
    }
  }
  std::sort(cpu.flags.begin(), cpu.flags.end());
  return cpu;
}

Result<uint64_t> ParseMemTotal(std::string_view text) {
  constexpr std::string_view kKey = "MemTotal:";
  for (const std::string_view line : Split(text, '\n')) {
    if (!line.starts_with(kKey)) continue;
    const std::string_view value = Trimmed(line.substr(kKey.size()));
    const std::optional<uint64_t> kib = Number(value.substr(0, value.find(' ')));
    if (kib) return *kib * 1024;
  }
  return Error(ErrorCode::kCorrupt, "'/proc/meminfo' has no MemTotal");
}

std::vector<Gpu> ParseNvidiaSmi(std::string_view text) {
  std::vector<Gpu> gpus;
  for (const std::string_view line : Split(text, '\n')) {
    const size_t comma = line.rfind(',');
    if (comma == std::string_view::npos) continue;
    const std::optional<uint64_t> mib = Number(Trimmed(line.substr(comma + 1)));
    if (mib) gpus.push_back({std::string(Trimmed(line.substr(0, comma))), *mib << 20});
  }
  return gpus;
}

Result<Hardware> ReadHardware() {
  Hardware hardware;
  const std::unique_ptr<FileSystem> proc = TRY(OpenFiles("/proc"));
  const std::string cpu = TRY(ReadAll(*proc, "cpuinfo", kMaxProcBytes));
  const std::string memory = TRY(ReadAll(*proc, "meminfo", kMaxProcBytes));
  hardware.cpu = ParseCpuInfo(cpu);
  hardware.memory_bytes = TRY(ParseMemTotal(memory));
  if (::access(kNvidiaSmi, X_OK) == 0) {
    const Result<std::string> printed = CaptureOutput(
        {kNvidiaSmi, "--query-gpu=name,memory.total", "--format=csv,noheader,nounits"});
    if (printed) hardware.gpus = ParseNvidiaSmi(*printed);
  }
  utsname name{};
  if (::uname(&name) != 0) return ErrnoError("cannot tell the kernel's version", errno);
  hardware.kernel = std::string(name.sysname) + " " + name.release + " " + name.machine;
  return hardware;
}

}  // namespace skerry::cli
