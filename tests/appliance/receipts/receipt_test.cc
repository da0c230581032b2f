#include "appliance/receipts/receipt.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "appliance/base/json.h"
#include "appliance/base/testing/memory_files.h"
#include "tests/appliance/receipts/sample.h"

namespace skerry::receipts {
namespace {

using testing::MemoryFiles;

class ReceiptTest : public ::testing::Test {
 protected:
  MemoryFiles files_;
  const Identity identity_ = Identity::Open(files_).value();
  const trust::PublicKey key_ = identity_.public_key();
};

TEST_F(ReceiptTest, ComesBackAsItWasSigned) {
  const SignedReceipt made = SignReceipt(identity_, SampleReceipt());
  const Result<SignedReceipt> read = VerifyReceipt(made.text, key_);
  ASSERT_TRUE(read.has_value()) << read.error().message();
  EXPECT_EQ(read->digest, made.digest);
  EXPECT_EQ(SerializeReceipt(read->receipt), SerializeReceipt(made.receipt));
  EXPECT_EQ(read->receipt.files[1].size, 4'294'967'296u);
  EXPECT_EQ(read->receipt.floor_before->release_seq, 8u);
  EXPECT_EQ(read->receipt.appliance_key, key_.Id());
}

TEST_F(ReceiptTest, AbsentFactsAreNull) {
  Receipt receipt = SampleReceipt();
  receipt.floor_before.reset();
  receipt.floor_after.reset();
  receipt.permit.reset();
  receipt.root_fingerprint.reset();
  receipt.previous.reset();
  const Json json = ParseJson(SerializeReceipt(receipt)).value();
  for (const char* key : {"floor_before", "floor_after", "permit", "previous"}) {
    EXPECT_TRUE(json[key].is_null()) << key;
  }
  const Receipt read = ParseReceipt(SerializeReceipt(receipt)).value();
  EXPECT_FALSE(read.floor_before || read.permit || read.previous || read.root_fingerprint);
}

TEST_F(ReceiptTest, EveryChangedByteIsRefused) {
  const std::string text = SignReceipt(identity_, SampleReceipt()).text;
  for (size_t i = 0; i < text.size(); ++i) {
    std::string changed = text;
    changed[i] = static_cast<char>(changed[i] ^ 1);
    EXPECT_FALSE(VerifyReceipt(changed, key_).has_value()) << i;
  }
  EXPECT_FALSE(VerifyReceipt(text + "\n", key_).has_value());
  EXPECT_FALSE(VerifyReceipt(text.substr(0, text.size() - 1), key_).has_value());
}

TEST_F(ReceiptTest, AnotherKeyOrASecondSignatureIsRefused) {
  MemoryFiles other_files;
  const Identity other = Identity::Open(other_files).value();
  const SignedReceipt made = SignReceipt(identity_, SampleReceipt());
  EXPECT_EQ(VerifyReceipt(made.text, other.public_key()).error().code(), ErrorCode::kUntrusted);
  trust::Envelope both = trust::ParseEnvelope(made.text, kReceiptType, kMaxReceiptBytes).value();
  both.signatures.push_back(other.Sign(kReceiptType, both.payload));
  EXPECT_EQ(VerifyReceipt(trust::SerializeEnvelope(both), key_).error().code(),
            ErrorCode::kUntrusted);
}

TEST_F(ReceiptTest, MissingWrongAndUnknownFieldsAreRefused) {
  const Json good = ParseJson(SerializeReceipt(SampleReceipt())).value();
  for (const auto& [key, value] : good.items()) {
    Json without = good;
    without.erase(key);
    EXPECT_EQ(ParseReceipt(DumpJson(without)).error().code(), ErrorCode::kCorrupt) << key;
    Json wrong = good;
    wrong[key] = true;
    EXPECT_EQ(ParseReceipt(DumpJson(wrong)).error().code(), ErrorCode::kCorrupt) << key;
  }
  Json more = good;
  more["remark"] = "x";
  EXPECT_FALSE(ParseReceipt(DumpJson(more)).has_value());
  Json negative = good;
  negative["counter"] = -1;
  EXPECT_FALSE(ParseReceipt(DumpJson(negative)).has_value());
  EXPECT_FALSE(ParseReceipt("[]").has_value());
  EXPECT_FALSE(ParseReceipt(DumpJson(good) + " ").has_value());
}

TEST_F(ReceiptTest, TextsBecomePlain) {
  Receipt receipt = SampleReceipt();
  receipt.templates[0].name = "tool\"use\\\n\xc3\xa9";
  const Receipt read = ParseReceipt(SerializeReceipt(receipt)).value();
  EXPECT_EQ(read.templates[0].name, "tool?use????");
  EXPECT_EQ(PlainText(std::string(300, 'a')).size(), 255u);
}

}  // namespace
}  // namespace skerry::receipts
