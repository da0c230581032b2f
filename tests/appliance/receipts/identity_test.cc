#include "appliance/receipts/identity.h"

#include <gtest/gtest.h>

#include "appliance/base/testing/memory_files.h"

namespace skerry::receipts {
namespace {

using testing::MemoryFiles;

TEST(IdentityTest, IsMadeOnceAndStaysTheSame) {
  MemoryFiles files;
  const Identity first = Identity::Open(files).value();
  const Identity second = Identity::Open(files).value();
  EXPECT_EQ(first.public_key().bytes, second.public_key().bytes);
  MemoryFiles others;
  EXPECT_NE(Identity::Open(others).value().public_key().bytes, first.public_key().bytes);
  const trust::PublicKey published =
      ParseAppliancePublicKey(ReadAll(files, kPublicKeyPath).value()).value();
  EXPECT_EQ(published.bytes, first.public_key().bytes);
  EXPECT_TRUE(trust::Verify(published, second.Sign("type", "text"), "type", "text"));
  EXPECT_FALSE(trust::Verify(published, second.Sign("type", "text"), "other", "text"));
}

TEST(IdentityTest, ItsPublicKeyIsNoneOfATrustRoot) {
  MemoryFiles files;
  const Identity identity = Identity::Open(files).value();
  const std::string text = SerializeAppliancePublicKey(identity.public_key());
  EXPECT_FALSE(trust::ParsePublicKeyFile(text).has_value());
}

TEST(IdentityTest, APowerCutLeavesAKeyOrNone) {
  MemoryFiles counted;
  ASSERT_TRUE(Identity::Open(counted).has_value());
  for (int call = 1; call <= counted.calls(); ++call) {
    MemoryFiles files;
    files.FailAtCall(call);
    const Result<Identity> before = Identity::Open(files);
    EXPECT_FALSE(before.has_value()) << call;
    const std::unique_ptr<MemoryFiles> later = files.AfterPowerCut();
    const Result<Identity> after = Identity::Open(*later);
    ASSERT_TRUE(after.has_value()) << call << ": " << after.error().message();
    EXPECT_EQ(Identity::Open(*later).value().public_key().bytes, after->public_key().bytes);
  }
}

TEST(IdentityTest, DamageAndLossAreNamed) {
  MemoryFiles files;
  ASSERT_TRUE(Identity::Open(files).has_value());
  const std::string key = ReadAll(files, kSecretKeyPath).value();
  const std::string pub = ReadAll(files, kPublicKeyPath).value();
  const auto message = [&] {
    const Result<Identity> opened = Identity::Open(files);
    return opened ? std::string() : opened.error().message();
  };
  std::string changed = key;
  changed[changed.find("\"secret\":\"") + 10] ^= 1;
  ASSERT_TRUE(WriteAtomically(files, kSecretKeyPath, changed).has_value());
  EXPECT_NE(message().find(kSecretKeyPath), std::string::npos) << message();
  ASSERT_TRUE(files.Remove(kSecretKeyPath).has_value());
  EXPECT_NE(message().find("restore it from a backup"), std::string::npos) << message();
  ASSERT_TRUE(WriteAtomically(files, kSecretKeyPath, key).has_value());
  EXPECT_EQ(message(), "");
  MemoryFiles others;
  ASSERT_TRUE(Identity::Open(others).has_value());
  ASSERT_TRUE(
      WriteAtomically(files, kPublicKeyPath, ReadAll(others, kPublicKeyPath).value()).has_value());
  EXPECT_NE(message().find("does not belong"), std::string::npos) << message();
  // Without the public file it is written again.
  ASSERT_TRUE(files.Remove(kPublicKeyPath).has_value());
  EXPECT_EQ(message(), "");
  EXPECT_EQ(ReadAll(files, kPublicKeyPath).value(), pub);
}

}  // namespace
}  // namespace skerry::receipts
