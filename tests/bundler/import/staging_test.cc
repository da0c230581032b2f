#include "bundler/import/staging.h"

#include <gtest/gtest.h>

#include <optional>

#include "appliance/base/encode.h"
#include "appliance/base/files.h"
#include "appliance/base/testing/fixtures.h"

namespace skerry::import {
namespace {

TEST(StagingTest, LeftoversOfDeadImportsGoAndThoseOfLivingOnesStay) {
  const skerry::testing::TemporaryDirectory directory;
  const auto files = OpenFiles(directory.path()).value();
  std::optional<Result<StagingFolder>> first = StagingFolder::Make(directory.path());
  ASSERT_TRUE(*first) << first->error().message();
  const std::string first_path = (*first)->path();
  ASSERT_TRUE(files->Create(first_path + "/part").value()->Append(AsBytes("x")));

  const Result<StagingFolder> second = StagingFolder::Make(directory.path());
  ASSERT_TRUE(second);
  EXPECT_NE(second->path(), first_path);
  EXPECT_TRUE(files->Exists(first_path + "/part"));

  first.reset();  // as if its process had ended
  ASSERT_TRUE(files->Create("staging/stray"));
  const Result<StagingFolder> third = StagingFolder::Make(directory.path());
  ASSERT_TRUE(third);
  EXPECT_FALSE(files->Exists(first_path));
  EXPECT_FALSE(files->Exists("staging/stray"));
  EXPECT_TRUE(files->Exists(second->path()));
  EXPECT_TRUE(files->Exists("store"));
}

TEST(StagingTest, MissingDataDirectoryIsNotMade) {
  const skerry::testing::TemporaryDirectory directory;
  const Result<StagingFolder> folder = StagingFolder::Make(directory.path() + "/absent");
  ASSERT_FALSE(folder);
  EXPECT_EQ(folder.error().code(), ErrorCode::kNotFound);
}

}  // namespace
}  // namespace skerry::import
