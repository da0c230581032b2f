#include "appliance/base/capture.h"

#include <fcntl.h>
#include <sys/mman.h>

#include <cerrno>

#include "appliance/base/files.h"
#include "appliance/base/process.h"
#include "appliance/base/unique_fd.h"

namespace skerry {

Result<std::string> CaptureOutput(const std::vector<std::string>& argv, int timeout_ms) {
  constexpr size_t kMaxBytes = 1 << 20;
  constexpr int kGraceMs = 500;
  UniqueFd output(::memfd_create("output", MFD_CLOEXEC));
  if (!output) return ErrnoError("cannot make a file in memory", errno);
  const UniqueFd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
  if (!null) return ErrnoError("cannot open '/dev/null'", errno);
  SpawnOptions options;
  options.argv = argv;
  options.fds = {{null.get(), 0}, {output.get(), 1}, {null.get(), 2}};
  const pid_t pid = TRY(Spawn(options));
  const std::optional<ExitState> state = TRY(WaitForExit(pid, timeout_ms));
  if (!state) {
    TRY(StopProcess(pid, kGraceMs));
    return Error(ErrorCode::kUnavailable, "'" + argv[0] + "' did not answer in time");
  }
  if (state->signalled || state->code != 0) {
    return Error(ErrorCode::kUnavailable, "'" + argv[0] + "': " + state->Describe());
  }
  const std::unique_ptr<File> file = AdoptFile(std::move(output), "output of '" + argv[0] + "'");
  return ReadAll(*file, kMaxBytes);
}

}  // namespace skerry
