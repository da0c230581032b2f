#include "appliance/base/progress.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>

namespace skerry {

namespace {

constexpr int64_t kSecond = 1'000'000'000;
constexpr int64_t kTerminalInterval = kSecond / 5;
constexpr int64_t kPlainInterval = 10 * kSecond;

}  // namespace

ProgressPrinter::ProgressPrinter(const Clock& clock, int fd, bool terminal, std::string label)
    : clock_(clock),
      fd_(fd),
      terminal_(terminal),
      label_(std::move(label)),
      start_ns_(clock.MonotonicNanos()),
      last_print_ns_(start_ns_) {}

ProgressPrinter::~ProgressPrinter() {
  if (line_open_) Print("\n");
}

void ProgressPrinter::Update(uint64_t done_bytes, uint64_t total_bytes, uint64_t skipped_bytes) {
  const int64_t now = clock_.MonotonicNanos();
  // Short work says nothing; the end of a line that began is always shown.
  const bool due = now - last_print_ns_ >= (terminal_ ? kTerminalInterval : kPlainInterval);
  if (!due && !(line_open_ && done_bytes >= total_bytes)) return;
  last_print_ns_ = now;
  const double seconds = std::max(1e-3, static_cast<double>(now - start_ns_) / kSecond);
  const double rate =
      static_cast<double>(done_bytes - std::min(skipped_bytes, done_bytes)) / seconds;
  const double percent =
      total_bytes == 0 ? 100 : 100.0 * static_cast<double>(done_bytes) / total_bytes;
  char number[16];
  std::snprintf(number, sizeof number, "%3.0f %%", percent);
  std::string text = label_ + " " + number + "  " + FormatBytes(done_bytes) + " of " +
                     FormatBytes(total_bytes) + "  " + FormatBytes(static_cast<uint64_t>(rate)) +
                     "/s";
  if (rate > 0 && done_bytes < total_bytes) {
    const double left = static_cast<double>(total_bytes - done_bytes) / rate;
    text += "  " + FormatDuration(static_cast<int64_t>(left)) + " left";
  }
  if (terminal_) {
    Print("\r\x1b[K" + text);  // to the line's start, erase it
    line_open_ = true;
  } else {
    Print(text + "\n");
  }
}

void ProgressPrinter::Print(const std::string& text) {
  // A terminal that went away is no reason to stop the work.
  [[maybe_unused]] const ssize_t put = ::write(fd_, text.data(), text.size());
}

std::string FormatBytes(uint64_t bytes) {
  constexpr const char* kUnits[] = {"B", "kB", "MB", "GB", "TB", "PB", "EB"};
  double value = static_cast<double>(bytes);
  size_t unit = 0;
  while (value >= 999.95 && unit + 1 < std::size(kUnits)) {
    value /= 1000;
    ++unit;
  }
  char text[32];
  std::snprintf(text, sizeof text, unit == 0 ? "%.0f %s" : "%.1f %s", value, kUnits[unit]);
  return text;
}

std::string FormatDuration(int64_t seconds) {
  char text[48];
  const long long hours = seconds / 3600, minutes = seconds / 60 % 60, rest = seconds % 60;
  if (hours > 0) {
    std::snprintf(text, sizeof text, "%lld:%02lld:%02lld", hours, minutes, rest);
  } else {
    std::snprintf(text, sizeof text, "%lld:%02lld", minutes, rest);
  }
  return text;
}

}  // namespace skerry
