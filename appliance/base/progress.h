// Progress of long work for a person: one line that renews itself on a terminal, a plain line now
// and then elsewhere.
#pragma once

#include <cstdint>
#include <string>

#include "appliance/base/clock.h"

namespace skerry {

// One thread at a time.
class ProgressPrinter {
 public:
  // Writes to descriptor `fd` (stderr in programs), with `label` first: "importing". `terminal`:
  // isatty(fd).
  ProgressPrinter(const Clock& clock, int fd, bool terminal, std::string label);
  // Ends the line on a terminal.
  ~ProgressPrinter();
  ProgressPrinter(const ProgressPrinter&) = delete;
  ProgressPrinter& operator=(const ProgressPrinter&) = delete;

  // `skipped_bytes` of those done were there before and do not count for the rate.
  void Update(uint64_t done_bytes, uint64_t total_bytes, uint64_t skipped_bytes = 0);

 private:
  void Print(const std::string& text);

  const Clock& clock_;
  const int fd_;
  const bool terminal_;
  const std::string label_;
  const int64_t start_ns_;
  int64_t last_print_ns_;
  bool line_open_ = false;
};

// "12.3 GB", "512 B": powers of 1000.
std::string FormatBytes(uint64_t bytes);
// "1:02:03", "0:07".
std::string FormatDuration(int64_t seconds);

}  // namespace skerry
