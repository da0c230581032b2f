#include "bundler/import/session.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <nlohmann/json.hpp>
#include <thread>

#include "appliance/base/json.h"
#include "appliance/base/testing/fixtures.h"
#include "appliance/base/unix_socket.h"
#include "tests/bundler/import/import_world.h"

namespace skerry::import {
namespace {

using skerry::testing::MemoryFiles;
using skerry::testing::SplitByHand;
using ::testing::HasSubstr;

constexpr char kRequest[] = "{\"files\":[\"x.skb\"],\"op\":\"import\"}\n";

class SessionTest : public ImportWorld {
 protected:
  SessionTest() {
    Prepare(files_);
    Connect();
  }

  void Connect() {
    auto pair = StreamPair().value();
    client_ = std::move(pair.first);
    server_ = std::move(pair.second);
  }
  UniqueFd OpenBundle(const std::string& content, const std::string& name = "x.skb") {
    const auto files = OpenFiles(directory_.path()).value();
    EXPECT_TRUE(WriteAtomically(*files, name, content));
    return UniqueFd(::open((directory_.path() + "/" + name).c_str(), O_RDONLY | O_CLOEXEC));
  }
  Result<void> ServeOnce() { return ServeImport(server_.get(), files_, locks_, trust_, "/data"); }
  // Serves, and gives back all that the client gets.
  std::vector<std::string> Serve() {
    succeeded_ = ServeOnce().has_value();
    server_.Reset();
    std::vector<std::string> lines;
    for (;;) {
      Result<std::string> line = ReadLine(client_.get(), 64 << 10);
      if (!line) return lines;
      lines.push_back(std::move(*line));
    }
  }
  std::string Refusal() {
    const std::vector<std::string> lines = Serve();
    EXPECT_FALSE(succeeded_);
    return lines.empty() ? "" : lines.back();
  }

  skerry::testing::TemporaryDirectory directory_;
  MemoryFiles files_;
  UniqueFd client_, server_;
  bool succeeded_ = false;
};

TEST_F(SessionTest, ProgressAndThenAResult) {
  const UniqueFd bundle = OpenBundle(bundle_);
  ASSERT_TRUE(SendMessage(client_.get(), kRequest, {bundle.get()}));
  const std::vector<std::string> lines = Serve();
  ASSERT_TRUE(succeeded_) << lines.back();
  ASSERT_GE(lines.size(), 2U);
  const Json progress = ParseJson(lines[lines.size() - 2]).value()["progress"];
  EXPECT_EQ(progress["done_bytes"], progress["total_bytes"]);
  EXPECT_EQ(progress["resumed_bytes"], 0);
  const Json result = ParseJson(lines.back()).value()["result"];
  EXPECT_EQ(result["id"], "acme/tiny");
  EXPECT_EQ(result["version"], "1.0.0");
  EXPECT_EQ(result["release_seq"], 1);
  EXPECT_EQ(result["already_present"], false);
  EXPECT_EQ(result["warnings"], Json::array());
  EXPECT_TRUE(files_.Exists("store/" + result["digest"].get<std::string>() + "/import.json"));
}

TEST_F(SessionTest, RequestMayArriveInPieces) {
  const UniqueFd bundle = OpenBundle(bundle_);
  const std::string request = kRequest;
  std::thread client([&] {
    EXPECT_TRUE(SendMessage(client_.get(), request.substr(0, 9), {bundle.get()}));
    EXPECT_TRUE(WriteFully(client_.get(), request.substr(9, 1)));
    EXPECT_TRUE(WriteFully(client_.get(), request.substr(10)));
  });
  Serve();
  client.join();
  EXPECT_TRUE(succeeded_);
}

TEST_F(SessionTest, ErrorsCarryTheirCode) {
  std::string bad = bundle_;
  bad[bundle_.find("more text")] ^= 1;
  const UniqueFd bundle = OpenBundle(bad);
  ASSERT_TRUE(SendMessage(client_.get(), kRequest, {bundle.get()}));
  EXPECT_THAT(Refusal(), HasSubstr("{\"error\":{\"code\":\"corrupt\",\"message\":\"'x.skb': "));
}

TEST_F(SessionTest, BadRequestsAreRefused) {
  const UniqueFd bundle = OpenBundle(bundle_);
  const std::vector<std::string> requests = {
      "{}\n",
      "[]\n",
      "{\"files\":[],\"op\":\"import\"}\n",
      "{\"files\":[\"a\",\"b\"],\"op\":\"import\"}\n",
      "{\"files\":[7],\"op\":\"import\"}\n",
      "{\"files\":[\"a\"],\"op\":\"remove\"}\n",
      "{\"files\":[\"a\"],\"op\":\"add\"}\n",
      "{\"files\":[\"a\"],\"op\":\"import\",\"permit\":\"p\"}\n",
      "{\"files\":[\"a\"],\"op\":\"import\",\"x\":1}\n",
      "not json\n"};
  for (const std::string& request : requests) {
    Connect();
    ASSERT_TRUE(SendMessage(client_.get(), request, {bundle.get()}));
    EXPECT_THAT(Refusal(), HasSubstr("\"error\"")) << request;
  }
  EXPECT_TRUE(Below(files_, "store/").empty());
  EXPECT_TRUE(Below(files_, "staging/").empty());
}

TEST_F(SessionTest, DescriptorIsRequiredAndMustBeAFile) {
  ASSERT_TRUE(SendMessage(client_.get(), kRequest));
  EXPECT_THAT(Refusal(), HasSubstr("one open descriptor"));
  for (const char* path : {"/dev/null", "/"}) {
    Connect();
    const UniqueFd other(::open(path, O_RDONLY | O_CLOEXEC));
    ASSERT_TRUE(SendMessage(client_.get(), kRequest, {other.get()}));
    EXPECT_THAT(Refusal(), HasSubstr("not a regular file")) << path;
  }
}

TEST_F(SessionTest, MissingVolumesAreAskedForAndAdded) {
  const std::vector<std::string> volumes = SplitByHand(bundle_, 2);
  const UniqueFd second = OpenBundle(volumes[1], "2.skb");
  ASSERT_TRUE(SendMessage(client_.get(), kRequest, {second.get()}));
  std::vector<Json> needs;
  Json result;
  std::thread client([&] {
    for (;;) {
      const Result<std::string> line = ReadLine(client_.get(), 64 << 10);
      if (!line) return;
      const Json json = ParseJson(*line).value();
      if (json.contains("result")) result = json["result"];
      if (!json.contains("need")) continue;
      needs.push_back(json["need"]);
      // First something else, then the right ones in one message.
      const UniqueFd other = OpenBundle(Release(2), "other.skb");
      const UniqueFd first = OpenBundle(volumes[0], "1.skb");
      const UniqueFd third = OpenBundle(volumes[2], "3.skb");
      const Result<void> sent =
          needs.size() == 1
              ? SendMessage(client_.get(), "{\"files\":[\"o\"],\"op\":\"add\"}\n", {other.get()})
              : SendMessage(client_.get(), "{\"files\":[\"1\",\"3\"],\"op\":\"add\"}\n",
                            {first.get(), third.get()});
      EXPECT_TRUE(sent);
    }
  });
  const Result<void> served = ServeOnce();
  server_.Reset();
  client.join();
  ASSERT_TRUE(served) << served.error().message();
  EXPECT_EQ(result["id"], "acme/tiny");
  ASSERT_EQ(needs.size(), 2U);
  EXPECT_EQ(needs[0], (Json{{"of", 3}, {"volumes", {1, 3}}}));
  EXPECT_THAT(needs[1]["refused"].get<std::string>(), HasSubstr("'o'"));
}

TEST_F(SessionTest, ClosingInsteadOfAddingKeepsWhatWasCopied) {
  const UniqueFd second = OpenBundle(SplitByHand(bundle_, 2)[1]);
  ASSERT_TRUE(SendMessage(client_.get(), kRequest, {second.get()}));
  ASSERT_EQ(::shutdown(client_.get(), SHUT_WR), 0);
  const std::string refusal = Refusal();
  EXPECT_THAT(refusal, HasSubstr("kept"));
  EXPECT_FALSE(Below(files_, "staging/").empty());
}

TEST_F(SessionTest, ClientThatGoesAwayCancels) {
  // Large enough that the client's end is noticed before the last chunk.
  std::map<std::string, std::string> model = skerry::testing::SmallModel();
  model["blob.txt"] = std::string(24 << 20, 'b');
  const UniqueFd bundle = OpenBundle(office_.Pack(model, office_.Options()).value());
  ASSERT_TRUE(SendMessage(client_.get(), kRequest, {bundle.get()}));
  client_.Reset();
  const Result<void> served = ServeOnce();
  ASSERT_FALSE(served);
  EXPECT_EQ(served.error().code(), ErrorCode::kCancelled);
  EXPECT_TRUE(files_.List("store").value().empty());
}

TEST_F(SessionTest, ClosedWithoutARequest) {
  client_.Reset();
  const Result<void> served = ServeOnce();
  ASSERT_FALSE(served);
  EXPECT_EQ(served.error().code(), ErrorCode::kUnavailable);
}

}  // namespace
}  // namespace skerry::import
