#include "appliance/cli/directory_lock.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <optional>

#include "appliance/base/testing/fixtures.h"

namespace skerry::cli {
namespace {

using ::testing::HasSubstr;

TEST(DirectoryLockTest, SecondTakerLearnsWhoHoldsIt) {
  const skerry::testing::TemporaryDirectory directory;
  std::optional<Result<DirectoryLock>> first =
      DirectoryLock::Take(directory.path(), "skerry serve");
  ASSERT_TRUE(*first) << first->error().message();
  const Result<DirectoryLock> second = DirectoryLock::Take(directory.path(), "skerry import");
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code(), ErrorCode::kUnavailable);
  EXPECT_THAT(second.error().message(), HasSubstr("skerry serve"));
  EXPECT_THAT(second.error().message(), HasSubstr("PID " + std::to_string(::getpid())));
  first.reset();
  EXPECT_TRUE(DirectoryLock::Take(directory.path(), "skerry import"));
}

TEST(DirectoryLockTest, MissingDirectoryIsNotFound) {
  const Result<DirectoryLock> lock = DirectoryLock::Take("/nonexistent/skerry", "test");
  ASSERT_FALSE(lock);
  EXPECT_EQ(lock.error().code(), ErrorCode::kNotFound);
  EXPECT_THAT(lock.error().message(), HasSubstr("/nonexistent/skerry/lock"));
}

}  // namespace
}  // namespace skerry::cli
