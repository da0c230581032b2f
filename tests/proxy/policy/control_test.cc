#include "proxy/policy/control.h"

#include <gtest/gtest.h>
#include <poll.h>

#include "appliance/base/testing/fixtures.h"
#include "appliance/base/unix_socket.h"
#include "appliance/policy/writer.h"

namespace skerry::proxy {
namespace {

TEST(ControlServer, AnswersOnlyAfterThePolicyWasApplied) {
  testing::TemporaryDirectory directory;
  const auto files = OpenFiles(directory.path()).value();
  auto writer = policy::Writer::Open(*files).value();
  const auto store = PolicyStore::Open(OpenFiles(directory.path()).value()).value();
  const std::string path = directory.path() + "/control";
  std::atomic<uint64_t> applied = 0;
  auto server = ControlServer::Start(ListenUnix(path).value(), *store, [&](PolicyPtr policy) {
                  applied = policy->policy.generation;
                }).value();
  const UniqueFd client = ConnectUnix(path).value();
  const auto ask = [&](const std::string& line) {
    EXPECT_TRUE(WriteFully(client.get(), line + "\n").has_value());
    return ReadLine(client.get(), 4096).value();
  };
  const uint64_t generation =
      writer->Publish({policy::PutAlias{{"demo", {"0a1b2c3d"}, true}}}).value();
  const std::string number = std::to_string(generation);
  EXPECT_EQ(ask(R"({"op":"load","generation":)" + number + "}"), "{\"generation\":" + number + "}");
  EXPECT_EQ(applied, generation);
  for (const char* line : {"", "{}", "[]", R"({"op":"load"})", R"({"op":"load","generation":-1})",
                           R"({"op":"load","generation":1,"x":1})", R"({"op":"x","generation":1})",
                           R"({"op":"load","op":"load","generation":1})"}) {
    EXPECT_NE(ask(line).find("\"error\":{\"code\":"), std::string::npos) << line;
  }
  // Ending does not wait for a client that says nothing.
  EXPECT_EQ(applied, generation);
}

// One byte now and then must not hold the only place for commands.
TEST(ControlServer, LineThatTricklesInIsCutAtItsDeadline) {
  constexpr int kLineTimeoutMs = 100;
  constexpr int kPaceMs = 20;
  testing::TemporaryDirectory directory;
  const auto files = OpenFiles(directory.path()).value();
  auto writer = policy::Writer::Open(*files).value();
  const auto store = PolicyStore::Open(OpenFiles(directory.path()).value()).value();
  const std::string path = directory.path() + "/control";
  const auto server = ControlServer::Start(
                          ListenUnix(path).value(), *store, [](PolicyPtr) {}, kLineTimeoutMs)
                          .value();
  const UniqueFd client = ConnectUnix(path).value();
  bool ended = false;
  for (int i = 0; i < 500 && !ended; ++i) {
    ended = !WriteFully(client.get(), "x").has_value();
    pollfd wait{client.get(), POLLIN, 0};
    ended = ended || ::poll(&wait, 1, kPaceMs) == 1;
  }
  EXPECT_TRUE(ended);
  const UniqueFd next = ConnectUnix(path).value();
  ASSERT_TRUE(WriteFully(next.get(), "{}\n").has_value());
  EXPECT_NE(ReadLine(next.get(), 4096).value().find("\"error\""), std::string::npos);
}

}  // namespace
}  // namespace skerry::proxy
