#include "appliance/receipts/ledger.h"

#include <gtest/gtest.h>

#include "appliance/base/testing/memory_files.h"
#include "tests/appliance/receipts/sample.h"

namespace skerry::receipts {
namespace {

using testing::MemoryFiles;

Result<void> Add(FileSystem& files, const std::string& name) {
  const Identity identity = TRY(Identity::Open(files));
  Ledger ledger = TRY(Ledger::Open(files, identity));
  return ledger.Write(ledger.Prepare(SampleReceipt(name)));
}

std::string Path(uint64_t counter, const std::string& name) {
  return std::string(kReceiptsDirectory) + "/" +
         ReceiptFileName(counter, SampleReceipt(name).bundle);
}

class LedgerTest : public ::testing::Test {
 protected:
  LedgerTest() {
    for (const char* name : {"a", "b", "c"}) EXPECT_TRUE(Add(files_, name).has_value());
    key_ = Identity::Open(files_).value().public_key();
  }
  Result<ChainReport> Verify() { return VerifyChain(files_, kReceiptsDirectory, key_); }
  MemoryFiles files_;
  trust::PublicKey key_;
};

TEST_F(LedgerTest, ReceiptsFollowEachOther) {
  const ChainReport report = Verify().value();
  EXPECT_EQ(report.receipts, 3u);
  const std::vector<ReceiptFile> list = ListReceipts(files_, kReceiptsDirectory).value();
  ASSERT_EQ(list.size(), 3u);
  const SignedReceipt last = ReadReceipt(files_, kReceiptsDirectory, list[2], key_).value();
  EXPECT_EQ(report.head, last.digest);
  EXPECT_EQ(last.receipt.counter, 3u);
  EXPECT_TRUE(list[0].name.starts_with("000001-sha256-"));
  for (const ReceiptFile& file : list) {
    const std::string page = file.name.substr(0, file.name.size() - 5) + ".html";
    EXPECT_TRUE(files_.Exists(std::string(kReceiptsDirectory) + "/" + page)) << page;
  }
}

TEST_F(LedgerTest, AnImportIsFoundByBundleAndTime) {
  const Identity identity = Identity::Open(files_).value();
  Ledger ledger = Ledger::Open(files_, identity).value();
  const Receipt sample = SampleReceipt("b");
  EXPECT_EQ(ledger.Find(sample.bundle, sample.imported_at).value()->receipt.counter, 2u);
  EXPECT_FALSE(ledger.Find(sample.bundle, "2027-01-01T00:00:00.000Z").value().has_value());
  EXPECT_FALSE(ledger.Find(Digest("nothing"), sample.imported_at).value().has_value());
}

TEST_F(LedgerTest, AMissingPageIsMadeAgain) {
  const Receipt sample = SampleReceipt("b");
  std::string page = Path(2, "b");
  page.replace(page.size() - 5, 5, ".html");
  const std::string before = ReadAll(files_, page).value();
  ASSERT_TRUE(files_.Remove(page).has_value());
  const Identity identity = Identity::Open(files_).value();
  Ledger ledger = Ledger::Open(files_, identity).value();
  ASSERT_TRUE(ledger.Find(sample.bundle, sample.imported_at).has_value());
  EXPECT_EQ(ReadAll(files_, page).value(), before);
}

TEST_F(LedgerTest, WhatIsRemovedExchangedOrChangedIsNamed) {
  const std::string path = Path(2, "b");
  const std::string text = ReadAll(files_, path).value();
  ASSERT_TRUE(files_.Remove(path).has_value());
  EXPECT_NE(Verify().error().message().find("number 2 is missing"), std::string::npos);
  // Another receipt by the same key in its place.
  const Identity identity = Identity::Open(files_).value();
  Receipt other = SampleReceipt("b");
  other.counter = 2;
  other.software = "other";
  ASSERT_TRUE(WriteAtomically(files_, path, SignReceipt(identity, other).text).has_value());
  EXPECT_EQ(Verify().error().code(), ErrorCode::kCorrupt);
  // A copy under another number.
  ASSERT_TRUE(WriteAtomically(files_, path, text).has_value());
  ASSERT_TRUE(WriteAtomically(files_, Path(4, "b"), text).has_value());
  EXPECT_NE(Verify().error().message().find("its name"), std::string::npos);
  ASSERT_TRUE(files_.Remove(Path(4, "b")).has_value());
  EXPECT_TRUE(Verify().has_value());
  std::string changed = text;
  changed[20] = static_cast<char>(changed[20] ^ 1);
  ASSERT_TRUE(WriteAtomically(files_, path, changed).has_value());
  EXPECT_NE(Verify().error().message().find("000002-"), std::string::npos);
}

TEST_F(LedgerTest, ADamagedLastReceiptIsNotContinued) {
  ASSERT_TRUE(WriteAtomically(files_, Path(3, "c"), "{}").has_value());
  const Result<void> added = Add(files_, "d");
  ASSERT_FALSE(added.has_value());
  EXPECT_EQ(added.error().code(), ErrorCode::kCorrupt);
  EXPECT_NE(added.error().message().find("000003-"), std::string::npos);
}

TEST_F(LedgerTest, OtherNamesArePassedOver) {
  for (const std::string& name : {std::string("notes.txt"), std::string("1-sha256-00.json"),
                                  "0000001-sha256-" + std::string(64, 'a') + ".json",
                                  "abcdef-sha256-" + std::string(64, 'a') + ".json",
                                  "000001-sha256-" + std::string(64, 'A') + ".json"}) {
    ASSERT_TRUE(
        WriteAtomically(files_, std::string(kReceiptsDirectory) + "/" + name, "x").has_value());
  }
  EXPECT_EQ(Verify().value().receipts, 3u);
  MemoryFiles empty;
  EXPECT_EQ(VerifyChain(empty, kReceiptsDirectory, key_).value().receipts, 0u);
}

TEST(LedgerPowerCutTest, AChainIsWholeAfterEveryCall) {
  MemoryFiles counted;
  ASSERT_TRUE(Add(counted, "a").has_value());
  const int start = counted.calls();
  ASSERT_TRUE(Add(counted, "b").has_value());
  for (int call = 1; call <= counted.calls() - start; ++call) {
    MemoryFiles files;
    ASSERT_TRUE(Add(files, "a").has_value());
    files.FailAtCall(call);
    EXPECT_FALSE(Add(files, "b").has_value()) << call;
    const std::unique_ptr<MemoryFiles> later = files.AfterPowerCut();
    const trust::PublicKey key = Identity::Open(*later).value().public_key();
    const Result<ChainReport> report = VerifyChain(*later, kReceiptsDirectory, key);
    ASSERT_TRUE(report.has_value()) << call << ": " << report.error().message();
    EXPECT_GE(report->receipts, 1u);
    ASSERT_TRUE(Add(*later, "c").has_value()) << call;
    EXPECT_EQ(VerifyChain(*later, kReceiptsDirectory, key).value().receipts, report->receipts + 1);
  }
}

}  // namespace
}  // namespace skerry::receipts
