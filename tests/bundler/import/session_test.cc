#include "bundler/import/session.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <nlohmann/json.hpp>
#include <thread>

#include "appliance/base/json.h"
#include "appliance/base/testing/fixtures.h"
#include "appliance/base/unix_socket.h"
#include "tests/bundler/release_office.h"

namespace skerry::import {
namespace {

using skerry::testing::MemoryFiles;
using skerry::testing::ReleaseOffice;
using ::testing::HasSubstr;

constexpr char kStaging[] = "staging/1";
constexpr char kRequest[] = "{\"files\":[\"x.skb\"],\"op\":\"import\"}\n";

class SessionTest : public ::testing::Test {
 protected:
  SessionTest() {
    trust_.root = trust::ParseRoot(office_.root_text).value();
    EXPECT_TRUE(MakeDirectories(files_, kStaging));
    EXPECT_TRUE(MakeDirectories(files_, "store"));
    auto pair = StreamPair().value();
    client_ = std::move(pair.first);
    server_ = std::move(pair.second);
  }

  UniqueFd OpenBundle(const std::string& content) {
    const std::string path = directory_.path() + "/x.skb";
    const auto files = OpenFiles(directory_.path()).value();
    EXPECT_TRUE(WriteAtomically(*files, "x.skb", content));
    return UniqueFd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  }
  // Serves, and gives back all that the client gets.
  std::vector<std::string> Serve() {
    const Result<void> served = ServeImport(server_.get(), files_, kStaging, trust_);
    succeeded_ = served.has_value();
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
    EXPECT_FALSE(files_.Exists(kStaging));
    return lines.empty() ? "" : lines.back();
  }

  skerry::testing::TemporaryDirectory directory_;
  ReleaseOffice office_;
  trust::TrustState trust_;
  MemoryFiles files_;
  UniqueFd client_, server_;
  bool succeeded_ = false;
};

TEST_F(SessionTest, ProgressAndThenAResult) {
  const UniqueFd bundle = OpenBundle(office_.Pack());
  ASSERT_TRUE(SendMessage(client_.get(), kRequest, {bundle.get()}));
  const std::vector<std::string> lines = Serve();
  ASSERT_TRUE(succeeded_);
  ASSERT_GE(lines.size(), 2U);
  const Json progress = ParseJson(lines[lines.size() - 2]).value()["progress"];
  EXPECT_EQ(progress["done_bytes"], progress["total_bytes"]);
  const Json result = ParseJson(lines.back()).value()["result"];
  EXPECT_EQ(result["id"], "acme/tiny");
  EXPECT_EQ(result["version"], "1.0.0");
  EXPECT_EQ(result["release_seq"], 1);
  EXPECT_EQ(result["already_present"], false);
  EXPECT_TRUE(files_.Exists("store/" + result["digest"].get<std::string>() + "/import.json"));
}

TEST_F(SessionTest, RequestMayArriveInPieces) {
  const UniqueFd bundle = OpenBundle(office_.Pack());
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
  std::string bad = office_.Pack();
  bad[bad.size() / 2] ^= 1;
  const UniqueFd bundle = OpenBundle(bad);
  ASSERT_TRUE(SendMessage(client_.get(), kRequest, {bundle.get()}));
  const std::string refusal = Refusal();
  EXPECT_THAT(refusal, HasSubstr("{\"error\":{\"code\":\"corrupt\",\"message\":\"'x.skb': "));
}

TEST_F(SessionTest, BadRequestsAreRefused) {
  const UniqueFd bundle = OpenBundle(office_.Pack());
  const std::vector<std::string> requests = {"{}\n",
                                             "[]\n",
                                             "{\"files\":[],\"op\":\"import\"}\n",
                                             "{\"files\":[\"a\",\"b\"],\"op\":\"import\"}\n",
                                             "{\"files\":[\"a\"],\"op\":\"remove\"}\n",
                                             "{\"files\":[\"a\"],\"op\":\"import\",\"x\":1}\n",
                                             "not json\n"};
  for (const std::string& request : requests) {
    auto pair = StreamPair().value();
    client_ = std::move(pair.first);
    server_ = std::move(pair.second);
    ASSERT_TRUE(SendMessage(client_.get(), request, {bundle.get()}));
    EXPECT_THAT(Refusal(), HasSubstr("\"error\"")) << request;
  }
}

TEST_F(SessionTest, DescriptorIsRequiredAndMustBeAFile) {
  ASSERT_TRUE(SendMessage(client_.get(), kRequest));
  EXPECT_THAT(Refusal(), HasSubstr("one open descriptor"));
  auto pair = StreamPair().value();
  client_ = std::move(pair.first);
  server_ = std::move(pair.second);
  const UniqueFd folder(::open(directory_.path().c_str(), O_RDONLY | O_CLOEXEC));
  ASSERT_TRUE(SendMessage(client_.get(), kRequest, {folder.get()}));
  EXPECT_THAT(Refusal(), HasSubstr("not a regular file"));
}

TEST_F(SessionTest, ClientThatGoesAwayCancels) {
  // Large enough that the client's end is noticed before the last chunk.
  std::map<std::string, std::string> model = skerry::testing::SmallModel();
  model["blob.bin"] = std::string(24 << 20, 'b');
  const UniqueFd bundle = OpenBundle(office_.Pack(model, office_.Options()).value());
  ASSERT_TRUE(SendMessage(client_.get(), kRequest, {bundle.get()}));
  client_.Reset();
  const Result<void> served = ServeImport(server_.get(), files_, kStaging, trust_);
  ASSERT_FALSE(served);
  EXPECT_EQ(served.error().code(), ErrorCode::kCancelled);
  EXPECT_FALSE(files_.Exists(kStaging));
  EXPECT_TRUE(files_.List("store").value().empty());
}

TEST_F(SessionTest, ClosedWithoutARequest) {
  client_.Reset();
  const Result<void> served = ServeImport(server_.get(), files_, kStaging, trust_);
  ASSERT_FALSE(served);
  EXPECT_EQ(served.error().code(), ErrorCode::kUnavailable);
}

}  // namespace
}  // namespace skerry::import
