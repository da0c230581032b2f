#include "appliance/cli/import_client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <nlohmann/json.hpp>
#include <thread>

#include "appliance/base/files.h"
#include "appliance/base/testing/fixtures.h"
#include "appliance/base/unix_socket.h"

namespace skerry::cli {
namespace {

using ::testing::HasSubstr;

constexpr char kResult[] = "{\"result\":{\"digest\":\"d\"}}\n";

class ImportClientTest : public ::testing::Test {
 protected:
  ImportClientTest() : files_(OpenFiles(directory_.path()).value()) {
    auto pair = StreamPair().value();
    client_ = std::move(pair.first);
    importer_ = std::move(pair.second);
  }
  std::string File(const std::string& name) {
    EXPECT_TRUE(WriteAtomically(*files_, name, name));
    return directory_.path() + "/" + name;
  }
  // An importer that answers the n-th message with the n-th of `answers` and then closes. What it
  // got: the messages and how many descriptors came with each.
  Result<Json> Run(const ImportRequest& request, const std::vector<std::string>& answers) {
    std::thread importer([&] {
      for (const std::string& answer : answers) {
        const Result<PassedMessage> message = ReceiveMessage(importer_.get(), 64 << 10);
        if (!message || message->bytes.empty()) break;
        messages_.push_back(ParseJson(message->bytes.substr(0, message->bytes.size() - 1)).value());
        descriptors_.push_back(message->fds.size());
        EXPECT_TRUE(WriteFully(importer_.get(), answer));
      }
      importer_.Reset();
    });
    Result<Json> result = RunImportClient(client_.get(), request);
    client_.Reset();
    importer.join();
    return result;
  }

  skerry::testing::TemporaryDirectory directory_;
  std::unique_ptr<FileSystem> files_;
  UniqueFd client_, importer_;
  std::vector<Json> messages_;
  std::vector<size_t> descriptors_;
};

TEST_F(ImportClientTest, SendsFilesAndPermitAndShowsProgress) {
  ImportRequest request;
  request.files = {File("a.skb"), File("b.skb")};
  request.permit = File("permit");
  std::vector<uint64_t> seen;
  request.progress = [&](uint64_t done, uint64_t total, uint64_t resumed) {
    seen = {done, total, resumed};
  };
  const Result<Json> result =
      Run(request, {"{\"progress\":{\"done_bytes\":7,\"resumed_bytes\":3,\"total_bytes\":9}}\n" +
                    std::string(kResult)});
  ASSERT_TRUE(result) << result.error().message();
  EXPECT_EQ((*result)["digest"], "d");
  EXPECT_EQ(seen, (std::vector<uint64_t>{7, 9, 3}));
  EXPECT_EQ(messages_[0],
            (Json{{"files", request.files}, {"op", "import"}, {"permit", request.permit}}));
  EXPECT_EQ(descriptors_, (std::vector<size_t>{3}));
}

TEST_F(ImportClientTest, ManyVolumesGoInSeveralMessages) {
  ImportRequest request;
  for (int i = 0; i < 100; ++i) request.files.push_back(File("v" + std::to_string(i)));
  const std::string need = "{\"need\":{\"of\":100,\"volumes\":[99,100]}}\n";
  ASSERT_TRUE(Run(request, {need, kResult}));
  EXPECT_EQ(descriptors_, (std::vector<size_t>{63, 37}));
  EXPECT_EQ(messages_[1]["op"], "add");
  EXPECT_EQ(messages_[1]["files"][0], request.files[63]);
}

TEST_F(ImportClientTest, MissingVolumesAreNamedWhenNobodyCanBeAsked) {
  ImportRequest request;
  request.files = {File("a.skb")};
  const Result<Json> result = Run(request, {"{\"need\":{\"of\":9,\"volumes\":[2,4,5,6,7]}}\n"});
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code(), ErrorCode::kNotFound);
  EXPECT_THAT(result.error().message(), HasSubstr("missing: volumes 2, 4-7 of 9"));
  EXPECT_THAT(result.error().message(), HasSubstr("kept"));
}

TEST_F(ImportClientTest, AsksUntilAFileCanBeOpened) {
  ImportRequest request;
  request.files = {File("a.skb")};
  const std::string other = File("b.skb");
  std::vector<std::string> refused;
  request.ask = [&](const MissingVolumes& missing) -> Result<std::optional<std::string>> {
    refused.push_back(missing.refused);
    return std::optional<std::string>(refused.size() == 1 ? "/absent" : other);
  };
  ASSERT_TRUE(Run(request, {"{\"need\":{\"of\":2,\"volumes\":[2]}}\n", kResult}));
  ASSERT_EQ(refused.size(), 2U);
  EXPECT_THAT(refused[1], HasSubstr("'/absent'"));
  EXPECT_EQ(messages_[1], (Json{{"files", {other}}, {"op", "add"}}));
}

TEST_F(ImportClientTest, AnEmptyAnswerStops) {
  ImportRequest request;
  request.files = {File("a.skb")};
  request.ask = [](const MissingVolumes&) -> Result<std::optional<std::string>> {
    return std::optional<std::string>();
  };
  const Result<Json> result = Run(
      request, {"{\"need\":{\"of\":2,\"refused\":\"not that one\",\"volumes\":[2]}}\n", kResult});
  ASSERT_FALSE(result);
  EXPECT_THAT(result.error().message(), HasSubstr("not that one; missing: volume 2 of 2"));
}

TEST_F(ImportClientTest, AWishToStopClosesThisSideAndWaitsForTheAnswer) {
  const UniqueFd stop(::eventfd(1, EFD_CLOEXEC));
  ImportRequest request;
  request.files = {File("a.skb")};
  request.stop = stop.get();
  std::thread importer([&] {
    // The request, then the end.
    EXPECT_FALSE(ReceiveMessage(importer_.get(), 64 << 10).value().bytes.empty());
    EXPECT_TRUE(ReceiveMessage(importer_.get(), 64 << 10).value().bytes.empty());
    EXPECT_TRUE(WriteFully(importer_.get(),
                           "{\"error\":{\"code\":\"cancelled\",\"message\":\"stopped\"}}\n"));
  });
  const Result<Json> result = RunImportClient(client_.get(), request);
  importer.join();
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code(), ErrorCode::kCancelled);
}

TEST_F(ImportClientTest, FilesThatCannotBeOpenedAreSaidBeforeAnythingIsSent) {
  ImportRequest request;
  request.files = {File("a.skb"), "/absent"};
  const Result<Json> result = Run(request, {kResult});
  ASSERT_FALSE(result);
  EXPECT_THAT(result.error().message(), HasSubstr("'/absent'"));
  EXPECT_TRUE(messages_.empty());
}

}  // namespace
}  // namespace skerry::cli
