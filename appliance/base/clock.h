// Time as an injected interface: the wall clock (which an air-gapped machine may have wrong) and
// the monotonic clock (for time-outs).
#pragma once

#include <cstdint>
#include <string>

namespace skerry {

class Clock {
 public:
  virtual ~Clock() = default;
  virtual int64_t UnixMillis() const = 0;      // since 1970, UTC
  virtual int64_t MonotonicNanos() const = 0;  // since an arbitrary start, never backwards
};

// The operating system's clocks. Thread-safe.
const Clock& RealClock();

// A clock a test sets. One thread.
class FakeClock : public Clock {
 public:
  explicit FakeClock(int64_t unix_millis = 1'700'000'000'000) : unix_millis_(unix_millis) {}
  int64_t UnixMillis() const override { return unix_millis_; }
  int64_t MonotonicNanos() const override { return monotonic_nanos_; }
  void Advance(int64_t millis) {
    unix_millis_ += millis;
    monotonic_nanos_ += millis * 1'000'000;
  }

 private:
  int64_t unix_millis_;
  int64_t monotonic_nanos_ = 0;
};

// "2025-01-31T23:59:59.123Z" (RFC 3339, UTC, milliseconds).
std::string FormatUtc(int64_t unix_millis);

}  // namespace skerry
