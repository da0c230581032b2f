#include "bundler/build/passphrase.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "appliance/base/testing/memory_files.h"

namespace skerry::build {
namespace {

using ::testing::HasSubstr;

class FilePassphrasesTest : public ::testing::Test {
 protected:
  std::string Read(const std::string& content) {
    EXPECT_TRUE(WriteAtomically(files_, "p", content));
    const Result<SecretBytes> passphrase = FilePassphrases(files_, "p")->Ask("a.key");
    EXPECT_TRUE(passphrase) << passphrase.error().message();
    return passphrase ? std::string(passphrase->view()) : "";
  }
  skerry::testing::MemoryFiles files_;
};

TEST_F(FilePassphrasesTest, TheFirstLineWithoutItsEnd) {
  EXPECT_EQ(Read("correct horse"), "correct horse");
  EXPECT_EQ(Read("correct horse\n"), "correct horse");
  EXPECT_EQ(Read("correct horse\r\nsecond\n"), "correct horse");
  EXPECT_EQ(Read(" spaces count \n"), " spaces count ");
  EXPECT_EQ(Read(""), "");
  EXPECT_EQ(Read(std::string(kMaxPassphraseBytes, 'x') + "\n"),
            std::string(kMaxPassphraseBytes, 'x'));
}

TEST_F(FilePassphrasesTest, TooLongMissingAndEmpty) {
  ASSERT_TRUE(WriteAtomically(files_, "p", std::string(kMaxPassphraseBytes + 1, 'x')));
  EXPECT_FALSE(FilePassphrases(files_, "p")->Ask("a.key"));
  EXPECT_FALSE(FilePassphrases(files_, "none")->Ask("a.key"));
  ASSERT_TRUE(WriteAtomically(files_, "p", "\n"));
  const Result<SecretBytes> empty = FilePassphrases(files_, "p")->AskNew("a.key");
  ASSERT_FALSE(empty);
  EXPECT_THAT(empty.error().message(), HasSubstr("empty"));
}

TEST(SecretBytesTest, BeginsWithZerosAndShrinks) {
  SecretBytes bytes(4);
  EXPECT_EQ(bytes.view(), std::string_view("\0\0\0\0", 4));
  bytes.Shrink(1);
  EXPECT_EQ(bytes.size(), 1U);
  const SecretBytes moved = std::move(bytes);
  EXPECT_EQ(moved.view(), std::string_view("\0", 1));
}

}  // namespace
}  // namespace skerry::build
