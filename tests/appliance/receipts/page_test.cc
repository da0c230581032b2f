#include "appliance/receipts/page.h"

#include <gtest/gtest.h>

#include "appliance/base/testing/memory_files.h"
#include "tests/appliance/receipts/sample.h"

namespace skerry::receipts {
namespace {

std::string PageOf(Receipt receipt) {
  testing::MemoryFiles files;
  const Identity identity = Identity::Open(files).value();
  return ReceiptPage(SignReceipt(identity, std::move(receipt)));
}

TEST(PageTest, SaysWhatTheReceiptSays) {
  const Receipt receipt = SampleReceipt();
  const std::string page = PageOf(receipt);
  for (const std::string& wanted :
       {receipt.id, receipt.version, std::string("release 7"), receipt.imported_at,
        trust::Grouped(receipt.bundle), trust::Grouped(receipt.model),
        trust::Grouped(receipt.signers[1]), trust::Grouped(*receipt.root_fingerprint),
        trust::Grouped(*receipt.permit), trust::Grouped(receipt.files[1].sha256),
        trust::Grouped(receipt.documents[0].sha256), trust::Grouped(receipt.templates[0].sha256),
        std::string("4294967296"), std::string("sequence 5"), std::string("2 needed"),
        std::string("compared with no other")}) {
    EXPECT_NE(page.find(wanted), std::string::npos) << wanted;
  }
}

TEST(PageTest, TextNeverBecomesMarkup) {
  Receipt receipt = SampleReceipt();
  const std::string evil = "</title><script>alert('1')</script><img src=\"//x\">&amp;";
  receipt.id = evil;
  receipt.version = evil;
  receipt.model_format = evil;
  receipt.imported_at = evil;
  receipt.software = evil;
  receipt.files[0].name = evil;
  receipt.documents[0].name = evil;
  receipt.templates[0].name = evil;
  const std::string page = PageOf(receipt);
  EXPECT_EQ(page.find("<script"), std::string::npos);
  EXPECT_EQ(page.find("<img"), std::string::npos);
  EXPECT_EQ(page.find("</title>"), page.rfind("</title>"));
  EXPECT_EQ(EscapeHtml("<a href='x' b=\"&\">"), "&lt;a href=&#39;x&#39; b=&quot;&amp;&quot;&gt;");
}

TEST(PageTest, NeedsNothingFromOutside) {
  const std::string page = PageOf(SampleReceipt());
  for (const char* forbidden :
       {"http://", "https://", "src=", "href=", "url(", "@import", "<link"}) {
    EXPECT_EQ(page.find(forbidden), std::string::npos) << forbidden;
  }
  EXPECT_NE(page.find("default-src 'none'"), std::string::npos);
}

}  // namespace
}  // namespace skerry::receipts
