#include "bundler/reader/verify.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "bundler/format/layout.h"
#include "bundler/format/tar.h"
#include "tests/bundler/release_office.h"
#include "tests/bundler/string_file.h"

namespace skerry::reader {
namespace {

using skerry::testing::ReleaseOffice;
using skerry::testing::SmallModel;
using skerry::testing::StringFile;
using ::testing::HasSubstr;

Result<VolumeSet> Verify(const StringFile& file, const trust::TrustState& trust,
                         const VerifyOptions& options) {
  const NamedFile named{"x.skb", &file};
  return VerifyArchives({&named, 1}, trust, options);
}

TEST(VerifyTest, DocumentsAndEmptyFilesArePartOfABundle) {
  const ReleaseOffice office;
  build::CreateOptions options = office.Options();
  options.documents = {{"LICENSE", "LICENSE"}, {"sbom.json", "sbom.json"}};
  std::map<std::string, std::string> model = SmallModel();
  model["a-empty"] = "";
  model["sub/dir/empty"] = "";
  const std::string bundle = office.Pack(model, options).value();
  trust::TrustState trust;
  trust.roots = trust::ParseRootChain(office.root_text).value();
  VerifyOptions verify;
  verify.deep = true;
  const StringFile good(bundle);
  const Result<VolumeSet> verified = Verify(good, trust, verify);
  ASSERT_TRUE(verified) << verified.error().message();
  EXPECT_EQ(verified->parts().front().bundle.manifest().documents.size(), 2U);

  std::string bad = bundle;
  bad[bundle.find("text of sbom.json")] ^= 1;
  const StringFile damaged(bad);
  const Result<VolumeSet> refused = Verify(damaged, trust, verify);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message(), HasSubstr("'x.skb': document 'sbom.json' is damaged"));
}

// A release officer's program with a fault: tree right, whole-file hash wrong.
TEST(VerifyTest, DeepComparesTheRecordedFileHash) {
  const ReleaseOffice office;
  std::string bundle = office.Pack();
  const size_t at = bundle.find("\"sha256\":\"") + 10;
  bundle[at] = bundle[at] == '0' ? '1' : '0';
  const size_t manifest_at = bundle.find("{\"documents\"");
  const size_t manifest_size = std::stoul(bundle.substr(1024 + 124, 11), nullptr, 8);
  const std::string signatures = trust::SerializeSignatures(
      {office.keys[0].Sign(format::kManifestType, bundle.substr(manifest_at, manifest_size))});
  const size_t signatures_at = bundle.find("{\"signatures\"");
  bundle.replace(signatures_at, signatures.size(), signatures);

  trust::TrustState trust;
  trust.roots = trust::ParseRootChain(office.root_text).value();
  const StringFile file(bundle);
  VerifyOptions options;
  EXPECT_TRUE(Verify(file, trust, options));
  options.deep = true;
  const Result<VolumeSet> refused = Verify(file, trust, options);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message(), HasSubstr("the SHA-256 that the manifest records"));
}

TEST(VerifyTest, ProgressReachesTheTotal) {
  const ReleaseOffice office;
  const StringFile file(office.Pack());
  trust::TrustState trust;
  trust.roots = trust::ParseRootChain(office.root_text).value();
  VerifyOptions options;
  uint64_t last = 0, all = 0;
  options.read.progress = [&](uint64_t done, uint64_t total) {
    last = done;
    all = total;
  };
  ASSERT_TRUE(Verify(file, trust, options));
  EXPECT_EQ(last, all);
  EXPECT_GT(all, 0U);
}

}  // namespace
}  // namespace skerry::reader
