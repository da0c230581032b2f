#include "bundler/build/secret_key.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "appliance/base/encode.h"
#include "appliance/base/testing/fixtures.h"
#include "appliance/base/testing/memory_files.h"

namespace skerry::build {
namespace {

using ::testing::HasSubstr;

TEST(SecretKeyTest, MatchesTheVectorsOfRfc8032) {
  // RFC 8032 section 7.1, test 1: the seed and its public key.
  const std::string seed = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60";
  const std::string expected = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";
  const trust::KeyId id = Sha256::Of("ed25519:" + expected);
  const Result<SecretKey> key =
      SecretKey::Parse("{\"algorithm\":\"ed25519\",\"keyid\":\"" + id.Hex() +
                       "\",\"role\":\"release\",\"secret\":\"" + seed + "\"}\n");
  ASSERT_TRUE(key) << key.error().message();
  EXPECT_EQ(HexEncode(key->public_key().bytes), expected);
  EXPECT_EQ(key->public_key().Id(), id);
}

TEST(SecretKeyTest, SignaturesHoldForTheirTypeAndPayloadOnly) {
  const SecretKey key = SecretKey::Generate(trust::RoleName::kRelease);
  const trust::Signature signature = key.Sign("type", "payload");
  EXPECT_TRUE(trust::Verify(key.public_key(), signature, "type", "payload"));
  EXPECT_FALSE(trust::Verify(key.public_key(), signature, "type2", "payload"));
  EXPECT_FALSE(trust::Verify(key.public_key(), signature, "type", "payloae"));
  const SecretKey other = SecretKey::Generate(trust::RoleName::kRelease);
  EXPECT_FALSE(trust::Verify(other.public_key(), signature, "type", "payload"));
}

TEST(SecretKeyTest, FilesRoundTripAndAreNeverOverwritten) {
  skerry::testing::MemoryFiles files;
  const Result<SecretKey> key = GenerateKeyFiles(files, "release.key", trust::RoleName::kRelease);
  ASSERT_TRUE(key) << key.error().message();
  const auto before = files.Snapshot();
  const Result<SecretKey> again = GenerateKeyFiles(files, "release.key", trust::RoleName::kRelease);
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code(), ErrorCode::kAlreadyExists);
  EXPECT_EQ(files.Snapshot(), before);

  const Result<SecretKey> secret = ReadSecretKey(files, "release.key");
  ASSERT_TRUE(secret) << secret.error().message();
  const Result<trust::PublicKeyFile> pub = ReadPublicKey(files, "release.pub");
  ASSERT_TRUE(pub) << pub.error().message();
  EXPECT_EQ(pub->role, trust::RoleName::kRelease);
  EXPECT_EQ(pub->key.Id(), secret->public_key().Id());
}

TEST(SecretKeyTest, SwappedFilesAreTold) {
  skerry::testing::MemoryFiles files;
  ASSERT_TRUE(GenerateKeyFiles(files, "a.key", trust::RoleName::kRoot));
  const Result<SecretKey> secret = ReadSecretKey(files, "a.pub");
  ASSERT_FALSE(secret);
  EXPECT_THAT(secret.error().message(), HasSubstr("not a secret key"));
  const Result<trust::PublicKeyFile> pub = ReadPublicKey(files, "a.key");
  ASSERT_FALSE(pub);
  EXPECT_THAT(pub.error().message(), HasSubstr("secret key file"));
}

TEST(SecretKeyTest, SecretFileIsForItsOwnerOnly) {
  const skerry::testing::TemporaryDirectory directory;
  const Result<std::unique_ptr<FileSystem>> files = OpenFiles(directory.path());
  ASSERT_TRUE(files);
  ASSERT_TRUE(GenerateKeyFiles(**files, "r.key", trust::RoleName::kRelease));
  struct stat info {};
  ASSERT_EQ(::stat((directory.path() + "/r.key").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600U);
}

TEST(SecretKeyTest, DamagedFilesAreRefused) {
  skerry::testing::MemoryFiles files;
  const Result<SecretKey> key = GenerateKeyFiles(files, "a.key", trust::RoleName::kRoot);
  ASSERT_TRUE(key);
  const std::string good = key->Serialize();
  std::string bad = good;
  bad[bad.find("keyid") + 8] ^= 1;
  EXPECT_FALSE(SecretKey::Parse(bad));
  EXPECT_FALSE(SecretKey::Parse(good.substr(0, 40)));
  EXPECT_FALSE(SecretKey::Parse(""));
}

TEST(SecretKeyTest, EncryptedFilesOpenWithTheirPassphraseOnly) {
  skerry::testing::MemoryFiles files;
  ASSERT_TRUE(WriteAtomically(files, "pass", "correct horse\n"));
  ASSERT_TRUE(WriteAtomically(files, "other", "wrong horse\n"));
  const std::unique_ptr<PassphraseSource> right = FilePassphrases(files, "pass");
  const std::unique_ptr<PassphraseSource> wrong = FilePassphrases(files, "other");
  const SecretBytes passphrase = right->AskNew("a.key").value();
  const Result<SecretKey> made =
      GenerateKeyFiles(files, "a.key", trust::RoleName::kRelease, &passphrase);
  ASSERT_TRUE(made) << made.error().message();
  const std::string text = ReadAll(files, "a.key").value();
  EXPECT_THAT(text, HasSubstr("\"encrypted\":{\"kdf\":\"argon2id13\""));
  EXPECT_THAT(text, ::testing::Not(HasSubstr("\"secret\"")));

  const Result<SecretKey> back = ReadSecretKey(files, "a.key", right.get());
  ASSERT_TRUE(back) << back.error().message();
  EXPECT_EQ(back->Serialize(), made->Serialize());
  const Result<SecretKey> refused = ReadSecretKey(files, "a.key", wrong.get());
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::kDenied);
  EXPECT_THAT(refused.error().message(), HasSubstr("'a.key': wrong passphrase"));
  EXPECT_FALSE(ReadSecretKey(files, "a.key"));
  const KeyFacts facts = ReadKeyFacts(files, "a.key").value();
  EXPECT_TRUE(facts.secret && facts.encrypted);
  EXPECT_EQ(facts.id, made->public_key().Id());

  ASSERT_TRUE(RewriteKeyFile(files, "a.key", *back, nullptr));
  EXPECT_EQ(ReadSecretKey(files, "a.key").value().Serialize(), made->Serialize());
}

TEST(SecretKeyTest, FactsOfPlainAndPublicFiles) {
  skerry::testing::MemoryFiles files;
  const SecretKey key = GenerateKeyFiles(files, "a.key", trust::RoleName::kRevoke).value();
  const KeyFacts secret = ReadKeyFacts(files, "a.key").value();
  EXPECT_TRUE(secret.secret && !secret.encrypted);
  const KeyFacts pub = ReadKeyFacts(files, "a.pub").value();
  EXPECT_FALSE(pub.secret);
  EXPECT_EQ(pub.role, trust::RoleName::kRevoke);
  EXPECT_EQ(pub.id, key.public_key().Id());
  ASSERT_TRUE(WriteAtomically(files, "x", "{}"));
  EXPECT_FALSE(ReadKeyFacts(files, "x"));
}

}  // namespace
}  // namespace skerry::build
