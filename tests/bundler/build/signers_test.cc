#include "bundler/build/signers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/bundler/release_office.h"

namespace skerry::build {
namespace {

using skerry::testing::ReleaseOffice;
using ::testing::HasSubstr;

TEST(SignersTest, EachKeyCountsOnce) {
  const ReleaseOffice office(3, 2);
  EXPECT_EQ(
      CountSigners(office.root.release, {}, std::span(office.keys).first(1)).value().missing(), 1U);
  EXPECT_EQ(CountSigners(office.root.release, {}, office.keys).value().missing(), 0U);
  std::vector<SecretKey> twice;
  for (int i = 0; i < 2; ++i) {
    twice.push_back(SecretKey::Parse(office.keys[0].Serialize()).value());
  }
  EXPECT_EQ(CountSigners(office.root.release, {}, twice).value().missing(), 1U);
}

TEST(SignersTest, KeysThatWouldNotCountAreRefused) {
  const ReleaseOffice office(2, 2);
  const ReleaseOffice other;
  const Result<Signers> stranger = CountSigners(office.root.release, {}, other.keys);
  ASSERT_FALSE(stranger);
  EXPECT_EQ(stranger.error().code(), ErrorCode::kUntrusted);
  EXPECT_THAT(stranger.error().message(), HasSubstr("not in the release role"));
  const Result<Signers> root_key = CountSigners(office.root.release, {}, office.root_keys);
  EXPECT_FALSE(root_key);
  const Result<Signers> revoked =
      CountSigners(office.root.release, {office.keys[1].public_key().Id()}, office.keys);
  ASSERT_FALSE(revoked);
  EXPECT_THAT(revoked.error().message(), HasSubstr("is revoked"));
}

}  // namespace
}  // namespace skerry::build
