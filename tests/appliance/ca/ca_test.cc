#include "appliance/ca/ca.h"

#include <gtest/gtest.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "appliance/base/testing/fixtures.h"
#include "appliance/base/testing/memory_files.h"

namespace skerry::ca {
namespace {

using skerry::testing::MemoryFiles;
using skerry::testing::TemporaryDirectory;

const Hosts kHosts = {"localhost", "127.0.0.1", "::1", "box.example"};

TEST(Ca, MakesOnceAndKeeps) {
  MemoryFiles files;
  const FakeClock clock;
  const EnsureResult first = EnsureCertificates(files, "tls", kHosts, clock).value();
  EXPECT_TRUE(first.made_ca);
  EXPECT_TRUE(first.made_server);
  EXPECT_EQ(first.server.hosts, kHosts);
  EXPECT_EQ(first.ca.fingerprint.size(), 95u);
  const auto before = files.Snapshot();
  const EnsureResult second = EnsureCertificates(files, "tls", {"localhost"}, clock).value();
  EXPECT_FALSE(second.made_ca);
  EXPECT_FALSE(second.made_server);
  EXPECT_EQ(files.Snapshot(), before);
}

TEST(Ca, RenewsTheServerForNewHostsAndBeforeExpiry) {
  MemoryFiles files;
  FakeClock clock;
  const EnsureResult first = EnsureCertificates(files, "tls", {"localhost"}, clock).value();
  const EnsureResult more = EnsureCertificates(files, "tls", kHosts, clock).value();
  EXPECT_FALSE(more.made_ca);
  EXPECT_TRUE(more.made_server);
  clock.Advance(int64_t{796} * 86'400'000);
  const EnsureResult later = EnsureCertificates(files, "tls", kHosts, clock).value();
  EXPECT_FALSE(later.made_ca);
  EXPECT_TRUE(later.made_server);
  EXPECT_EQ(later.ca.fingerprint, first.ca.fingerprint);
  EXPECT_NE(later.server.fingerprint, more.server.fingerprint);
}

TEST(Ca, ALostCaKeyIsNamedAndNothingIsReplaced) {
  MemoryFiles files;
  const FakeClock clock;
  ASSERT_TRUE(EnsureCertificates(files, "tls", kHosts, clock).has_value());
  ASSERT_TRUE(files.Remove("tls/ca.key").has_value());
  const auto before = files.Snapshot();
  const auto result = EnsureCertificates(files, "tls", kHosts, clock);
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().code(), ErrorCode::kCorrupt);
  EXPECT_NE(result.error().message().find("tls/ca.key"), std::string::npos);
  EXPECT_EQ(files.Snapshot(), before);
}

TEST(Ca, APowerCutAtAnyCallLeavesSomethingThatWorksAgain) {
  for (int fail_at = 1;; ++fail_at) {
    MemoryFiles files;
    const FakeClock clock;
    files.FailAtCall(fail_at);
    const bool done = EnsureCertificates(files, "tls", kHosts, clock).has_value();
    const auto after = files.AfterPowerCut();
    ASSERT_TRUE(EnsureCertificates(*after, "tls", kHosts, clock).has_value()) << fail_at;
    if (done) break;
  }
}

TEST(Ca, BadHostsAreRefused) {
  MemoryFiles files;
  const FakeClock clock;
  for (const char* bad : {"", "a b", "x,DNS:evil", "a\nb"}) {
    EXPECT_FALSE(EnsureCertificates(files, "tls", {bad}, clock).has_value()) << bad;
  }
  EXPECT_FALSE(EnsureCertificates(files, "tls", {}, clock).has_value());
}

// OpenSSL's own verifier, with purpose and host checks, is the judge.
TEST(Ca, TheChainHoldsForAServerAndItsHosts) {
  MemoryFiles files;
  ASSERT_TRUE(EnsureCertificates(files, "tls", kHosts, RealClock()).has_value());
  const auto read = [&](const char* path) {
    const std::string pem = ReadAll(files, path).value();
    BIO* bio = BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size()));
    X509* certificate = PEM_read_bio_X509(bio, nullptr, nullptr, nullptr);
    BIO_free(bio);
    return certificate;
  };
  X509* ca = read("tls/ca.pem");
  X509* server = read("tls/server.pem");
  X509_STORE* store = X509_STORE_new();
  X509_STORE_add_cert(store, ca);
  X509_STORE_set_flags(store, X509_V_FLAG_X509_STRICT);
  X509_STORE_CTX* context = X509_STORE_CTX_new();
  X509_STORE_CTX_init(context, store, server, nullptr);
  X509_STORE_CTX_set_purpose(context, X509_PURPOSE_SSL_SERVER);
  EXPECT_EQ(X509_verify_cert(context), 1)
      << X509_verify_cert_error_string(X509_STORE_CTX_get_error(context));
  EXPECT_EQ(X509_check_host(server, "box.example", 0, 0, nullptr), 1);
  EXPECT_EQ(X509_check_host(server, "other.example", 0, 0, nullptr), 0);
  EXPECT_EQ(X509_check_ip_asc(server, "127.0.0.1", 0), 1);
  EXPECT_EQ(X509_check_ip_asc(server, "::1", 0), 1);
  EXPECT_EQ(X509_check_ip_asc(server, "10.0.0.1", 0), 0);
  X509_STORE_CTX_free(context);
  X509_STORE_free(store);
  X509_free(server);
  X509_free(ca);
}

}  // namespace
}  // namespace skerry::ca
