#include "proxy/tls/stream.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <openssl/ssl.h>
#include <signal.h>

#include "appliance/base/clock.h"
#include "appliance/base/files.h"
#include "appliance/base/testing/fixtures.h"
#include "appliance/base/unix_socket.h"
#include "appliance/ca/ca.h"

namespace skerry::proxy {
namespace {

std::pair<UniqueFd, UniqueFd> NonBlockingPair() {
  auto pair = StreamPair().value();
  for (int fd : {pair.first.get(), pair.second.get()}) {
    ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK);
  }
  return pair;
}

class TlsTest : public ::testing::Test {
 protected:
  TlsTest() {
    ::signal(SIGPIPE, SIG_IGN);
    files_ = OpenFiles(directory_.path()).value();
    EXPECT_TRUE(files_->MakeDirectory("a").has_value());
    EXPECT_TRUE(files_->MakeDirectory("b").has_value());
    for (const char* name : {"a", "b"}) {
      EXPECT_TRUE(ca::EnsureCertificates(*files_, name, {"127.0.0.1"}, RealClock()).has_value());
    }
  }
  std::string Path(const std::string& name) const { return directory_.path() + "/" + name; }

  testing::TemporaryDirectory directory_;
  std::unique_ptr<FileSystem> files_;
};

TEST_F(TlsTest, BadFilesAreNamed) {
  const auto absent = TlsContext::Load(Path("none.pem"), Path("a/server.key"));
  ASSERT_FALSE(absent.has_value());
  EXPECT_NE(absent.error().message().find("none.pem"), std::string::npos);
  const auto other = TlsContext::Load(Path("a/server.pem"), Path("b/server.key"));
  ASSERT_FALSE(other.has_value());
  EXPECT_NE(other.error().message().find("b/server.key"), std::string::npos);
  EXPECT_FALSE(TlsContext::Load(Path("a/server.pem"), Path("a/server.pem")).has_value());
}

// Both ends in one thread: each step says what it waits for, and the other end provides it.
TEST_F(TlsTest, StepsWithoutBlocking) {
  const auto context = TlsContext::Load(Path("a/server.pem"), Path("a/server.key"));
  ASSERT_TRUE(context.has_value()) << context.error().message();
  auto pair = NonBlockingPair();
  TlsStream server = TlsStream::Create(*context, pair.first.get()).value();
  SSL_CTX* client_context = SSL_CTX_new(TLS_client_method());
  SSL* client = SSL_new(client_context);
  SSL_set_fd(client, pair.second.get());
  EXPECT_EQ(server.Handshake().status, TlsStatus::kWantRead);
  bool done = false;
  for (int step = 0; step < 10 && !done; ++step) {
    const bool client_done = SSL_connect(client) == 1;
    done = server.Handshake().status == TlsStatus::kOk && client_done;
  }
  ASSERT_TRUE(done);
  EXPECT_EQ(server.Version(), "TLSv1.3");

  char buffer[64];
  EXPECT_EQ(server.Read(buffer).status, TlsStatus::kWantRead);
  EXPECT_EQ(SSL_write(client, "hello", 5), 5);
  const TlsProgress read = server.Read(buffer);
  EXPECT_EQ(read.status, TlsStatus::kOk);
  EXPECT_EQ(std::string_view(buffer, read.bytes), "hello");

  // Until the socket is full; then the rest goes when it is read.
  const std::string block(64 << 10, 'x');
  TlsProgress written;
  size_t total = 0;
  while ((written = server.Write(block)).status == TlsStatus::kOk) total += written.bytes;
  EXPECT_EQ(written.status, TlsStatus::kWantWrite);
  EXPECT_GT(total, 0u);
  std::string drained(1 << 20, '\0');
  EXPECT_GT(SSL_read(client, drained.data(), static_cast<int>(drained.size())), 0);

  SSL_shutdown(client);
  EXPECT_EQ(server.Read(buffer).status, TlsStatus::kClosed);
  server.Shutdown();
  SSL_free(client);
  SSL_CTX_free(client_context);
}

TEST_F(TlsTest, GarbageAndSilenceEndTheStream) {
  const auto context = TlsContext::Load(Path("a/server.pem"), Path("a/server.key"));
  auto garbage = NonBlockingPair();
  TlsStream stream = TlsStream::Create(*context, garbage.first.get()).value();
  ASSERT_TRUE(WriteFully(garbage.second.get(), "GET / HTTP/1.1\r\nHost: a\r\n\r\n").has_value());
  EXPECT_EQ(stream.Handshake().status, TlsStatus::kFailed);
  char buffer[8];
  EXPECT_EQ(stream.Read(buffer).status, TlsStatus::kFailed);
  EXPECT_EQ(stream.Write("x").status, TlsStatus::kFailed);
  stream.Shutdown();

  auto silent = NonBlockingPair();
  TlsStream cut = TlsStream::Create(*context, silent.first.get()).value();
  silent.second.Reset();
  EXPECT_EQ(cut.Handshake().status, TlsStatus::kFailed);
}

}  // namespace
}  // namespace skerry::proxy
