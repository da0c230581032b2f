#include "appliance/base/capture.h"

#include <gtest/gtest.h>

namespace skerry {
namespace {

TEST(CaptureTest, OutputStatusAndTime) {
  EXPECT_EQ(CaptureOutput({"/bin/sh", "-c", "echo hello; echo no >&2"}).value(), "hello\n");
  EXPECT_EQ(CaptureOutput({"/bin/sh", "-c", "echo hello; exit 3"}).error().code(),
            ErrorCode::kUnavailable);
  EXPECT_EQ(CaptureOutput({"/bin/sh", "-c", "sleep 60"}, 50).error().code(),
            ErrorCode::kUnavailable);
  EXPECT_FALSE(CaptureOutput({"/nonexistent/program"}));
  EXPECT_EQ(CaptureOutput({"/bin/sh", "-c", "head -c 2000000 /dev/zero"}).error().code(),
            ErrorCode::kExhausted);
}

}  // namespace
}  // namespace skerry
