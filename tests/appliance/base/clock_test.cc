#include "appliance/base/clock.h"

#include <gtest/gtest.h>

namespace skerry {
namespace {

TEST(Clock, FormatsUtcWithMilliseconds) {
  EXPECT_EQ(FormatUtc(0), "1970-01-01T00:00:00.000Z");
  EXPECT_EQ(FormatUtc(1'700'000'000'123), "2023-11-14T22:13:20.123Z");
  EXPECT_EQ(FormatUtc(-1), "1969-12-31T23:59:59.999Z");
}

TEST(Clock, FakeMovesBothClocks) {
  FakeClock clock(1000);
  clock.Advance(5);
  EXPECT_EQ(clock.UnixMillis(), 1005);
  EXPECT_EQ(clock.MonotonicNanos(), 5'000'000);
}

TEST(Clock, RealMonotonicNeverGoesBack) {
  const int64_t first = RealClock().MonotonicNanos();
  EXPECT_GE(RealClock().MonotonicNanos(), first);
}

}  // namespace
}  // namespace skerry
