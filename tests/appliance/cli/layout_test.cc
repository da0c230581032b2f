#include "appliance/cli/layout.h"

#include <gtest/gtest.h>

#include "appliance/base/testing/memory_files.h"

namespace skerry::cli {
namespace {

TEST(MakeLayout, IsIdempotent) {
  skerry::testing::MemoryFiles files;
  ASSERT_TRUE(MakeLayout(files).has_value());
  const auto once = files.Snapshot();
  ASSERT_TRUE(MakeLayout(files).has_value());
  EXPECT_EQ(files.Snapshot(), once);
  EXPECT_TRUE(files.Exists("run/engine"));
  EXPECT_TRUE(files.Exists("journal/api"));
}

}  // namespace
}  // namespace skerry::cli
