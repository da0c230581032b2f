#include "appliance/base/unix_socket.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "appliance/base/testing/fixtures.h"

namespace skerry {
namespace {

TEST(UnixSocket, DescriptorsTravelWithTheirMessage) {
  auto [a, b] = SeqpacketPair().value();
  int pipe_ends[2];
  ASSERT_EQ(::pipe2(pipe_ends, O_CLOEXEC), 0);
  const UniqueFd read_end(pipe_ends[0]);
  const UniqueFd write_end(pipe_ends[1]);
  ASSERT_TRUE(SendMessage(a.get(), "take this", {write_end.get()}).has_value());
  const PassedMessage message = ReceiveMessage(b.get(), 100).value();
  EXPECT_EQ(message.bytes, "take this");
  ASSERT_EQ(message.fds.size(), 1u);
  ASSERT_EQ(::write(message.fds[0].get(), "x", 1), 1);
  char c = 0;
  EXPECT_EQ(::read(read_end.get(), &c, 1), 1);
  EXPECT_EQ(c, 'x');
  EXPECT_TRUE(::fcntl(message.fds[0].get(), F_GETFD) & FD_CLOEXEC);
}

TEST(UnixSocket, LongMessagesAreRefusedNotCut) {
  auto [a, b] = SeqpacketPair().value();
  ASSERT_TRUE(SendMessage(a.get(), std::string(101, 'x')).has_value());
  EXPECT_EQ(ReceiveMessage(b.get(), 100).error().code(), ErrorCode::kExhausted);
}

TEST(UnixSocket, AClosedPeerIsAnEmptyMessage) {
  auto [a, b] = SeqpacketPair().value();
  a.Reset();
  const PassedMessage message = ReceiveMessage(b.get(), 100).value();
  EXPECT_TRUE(message.bytes.empty());
  EXPECT_FALSE(SendMessage(b.get(), "x").has_value());  // no SIGPIPE either
}

TEST(UnixSocket, ListenReplacesStaleButNotLiveSockets) {
  testing::TemporaryDirectory directory;
  const std::string path = directory.path() + "/s";
  Result<UniqueFd> first = ListenUnix(path, 0600);
  ASSERT_TRUE(first.has_value());
  struct stat info {};
  ASSERT_EQ(::stat(path.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
  EXPECT_EQ(ListenUnix(path).error().code(), ErrorCode::kAlreadyExists);
  first->Reset();
  EXPECT_TRUE(ListenUnix(path).has_value());
}

TEST(UnixSocket, ConnectAcceptAndPeerUid) {
  testing::TemporaryDirectory directory;
  const std::string path = directory.path() + "/s";
  const UniqueFd listener = ListenUnix(path).value();
  const UniqueFd client = ConnectUnix(path).value();
  const UniqueFd server = AcceptUnix(listener.get()).value();
  EXPECT_EQ(PeerUid(server.get()).value(), ::getuid());
  ASSERT_TRUE(WriteFully(client.get(), "hello\nrest").has_value());
  EXPECT_EQ(ReadLine(server.get(), 100).value(), "hello");
}

TEST(UnixSocket, LinesAreBounded) {
  auto [a, b] = StreamPair().value();
  ASSERT_TRUE(WriteFully(a.get(), "1234\n56789").has_value());
  EXPECT_EQ(ReadLine(b.get(), 4).value(), "1234");
  EXPECT_EQ(ReadLine(b.get(), 4).error().code(), ErrorCode::kExhausted);
  a.Reset();
  EXPECT_EQ(ReadLine(b.get(), 4).error().code(), ErrorCode::kUnavailable);
}

TEST(UnixSocket, LongPathsAreNamed) {
  EXPECT_EQ(ListenUnix(std::string(200, 'x')).error().code(), ErrorCode::kInvalidArgument);
}

}  // namespace
}  // namespace skerry
