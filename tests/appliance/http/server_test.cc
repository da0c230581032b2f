#include "appliance/http/server.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>

#include <condition_variable>
#include <future>
#include <mutex>
#include <thread>

#include "appliance/base/testing/fixtures.h"
#include "appliance/base/unix_socket.h"
#include "tests/appliance/http/reply_reader.h"

namespace skerry::http {
namespace {

constexpr int kPatienceMs = 10'000;

// A client that sends any bytes and reads replies one by one.
class Client {
 public:
  explicit Client(const std::string& path)
      : fd_(ConnectUnix(path).value()),
        reader_([this](char* out, size_t size) { return Receive(out, size); }) {}

  void Send(std::string_view bytes) { ASSERT_TRUE(WriteFully(fd_.get(), bytes)); }
  void Close() { fd_.Reset(); }
  bool WaitFor(std::string_view text) { return reader_.WaitFor(text); }
  std::string ReadToEnd() { return reader_.ReadToEnd(); }
  testing::RawReply ReadReply() { return reader_.ReadReply(); }

 private:
  ssize_t Receive(char* out, size_t size) {
    pollfd wait{fd_.get(), POLLIN, 0};
    if (::poll(&wait, 1, kPatienceMs) != 1) {
      ADD_FAILURE() << "no answer in time";
      return -1;
    }
    return ::recv(fd_.get(), out, size, 0);
  }

  UniqueFd fd_;
  testing::ReplyReader reader_;
};

class ServerTest : public ::testing::Test {
 protected:
  std::unique_ptr<Client> Start(Handler handler, ServerOptions options = {}) {
    path_ = directory_.path() + "/s";
    server_ = Server::Start(ListenUnix(path_).value(), options, std::move(handler)).value();
    return Connect();
  }
  std::unique_ptr<Client> Connect() { return std::make_unique<Client>(path_); }

  skerry::testing::TemporaryDirectory directory_;
  std::string path_;
  std::unique_ptr<Server> server_;
};

// Answers with what it saw.
void Echo(Request request, std::shared_ptr<Responder> responder) {
  responder->Send({200,
                   {{"content-type", "text/plain"}},
                   request.head.method + " " + request.head.target + " [" + request.body + "]"});
}

TEST_F(ServerTest, WholeRepliesKeepAliveAndPipelining) {
  const auto client = Start(Echo);
  client->Send(
      "GET /a HTTP/1.1\r\nHost: x\r\n\r\n"
      "POST /b HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc"
      "POST /c HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: "
      "chunked\r\n\r\n3\r\nabc\r\n1\r\nd\r\n0\r\n\r\n"
      "HEAD /d HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_EQ(client->ReadReply().body, "GET /a []");
  EXPECT_EQ(client->ReadReply().body, "POST /b [abc]");
  EXPECT_EQ(client->ReadReply().body, "POST /c [abcd]");
  ASSERT_TRUE(client->WaitFor("content-length: 10\r\n\r\n"));
  client->Send("GET /e HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  EXPECT_NE(client->ReadToEnd().find("GET /e []"), std::string::npos);  // and it was closed
}

TEST_F(ServerTest, ByteByByte) {
  const auto client = Start(Echo);
  for (char c : std::string("POST /b HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
                            "3\r\nabc\r\n0\r\n\r\n")) {
    client->Send({&c, 1});
  }
  EXPECT_EQ(client->ReadReply().body, "POST /b [abc]");
}

TEST_F(ServerTest, ExpectContinue) {
  const auto client = Start(Echo);
  client->Send("POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
  EXPECT_EQ(client->ReadReply().head.status, 100);
  client->Send("hi");
  EXPECT_EQ(client->ReadReply().body, "POST / [hi]");
}

TEST_F(ServerTest, StreamsFromAnotherThreadAndKeepsTheConnection) {
  std::thread producer;
  const auto client = Start([&](Request, std::shared_ptr<Responder> responder) {
    if (producer.joinable()) producer.join();
    producer = std::thread([responder] {
      responder->Start(200, {{"content-type", "text/event-stream"}});
      responder->Write("data: 1\n\n");
      responder->Write("data: 2\n\n");
      responder->Finish({{"skerry-usage", "prompt=1 completion=2 finish=stop"}});
      responder->Write("too late");
    });
  });
  for (int i = 0; i < 3; ++i) {
    client->Send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n");
    const auto reply = client->ReadReply();
    EXPECT_TRUE(reply.whole);
    EXPECT_EQ(reply.body, "data: 1\n\ndata: 2\n\n");
    EXPECT_EQ(*FindHeader(reply.trailers, "skerry-usage"), "prompt=1 completion=2 finish=stop");
  }
  producer.join();
}

TEST_F(ServerTest, FirstPieceArrivesBeforeTheReplyEnds) {
  std::promise<std::shared_ptr<Responder>> handed;
  const auto client = Start([&](Request, std::shared_ptr<Responder> responder) {
    handed.set_value(std::move(responder));
  });
  client->Send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  const auto responder = handed.get_future().get();
  responder->Start(200, {});
  responder->Write("first");
  ASSERT_TRUE(client->WaitFor("5\r\nfirst\r\n"));
  responder->Finish();
  EXPECT_TRUE(client->ReadReply().whole);
}

// The handler starts on the server's thread, another thread goes on at once: the head must stay
// first.
TEST_F(ServerTest, OrderHoldsAcrossThreads) {
  std::promise<std::shared_ptr<Responder>>* handed = nullptr;
  const auto client = Start([&](Request, std::shared_ptr<Responder> responder) {
    responder->Start(200, {});
    responder->Write("1");
    handed->set_value(std::move(responder));
  });
  for (int round = 0; round < 200; ++round) {
    std::promise<std::shared_ptr<Responder>> next;
    handed = &next;
    client->Send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    const auto responder = next.get_future().get();
    for (char piece = '2'; piece <= '9'; ++piece) responder->Write(std::string(1, piece));
    responder->Finish();
    ASSERT_EQ(client->ReadReply().body, "123456789") << round;
  }
}

TEST_F(ServerTest, AbortIsSeenAsACut) {
  const auto client = Start([&](Request, std::shared_ptr<Responder> responder) {
    responder->Start(200, {});
    responder->Write("part");
    responder->Abort();
  });
  client->Send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  const std::string all = client->ReadToEnd();
  EXPECT_TRUE(all.ends_with("4\r\npart\r\n")) << all;
}

TEST_F(ServerTest, ForgottenRequestIs500) {
  const auto client = Start([](Request, std::shared_ptr<Responder>) {});
  client->Send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_EQ(client->ReadReply().head.status, 500);
}

TEST_F(ServerTest, ClientThatLeavesIsNoticed) {
  std::promise<void> gone;
  std::promise<std::shared_ptr<Responder>> handed;
  const auto client = Start([&](Request, std::shared_ptr<Responder> responder) {
    // Holding the responder in its own callback must not leak it.
    responder->OnClientGone([&gone, responder] { gone.set_value(); });
    responder->Start(200, {});
    responder->Write("x");
    handed.set_value(responder);
  });
  client->Send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  const auto responder = handed.get_future().get();
  ASSERT_TRUE(client->WaitFor("1\r\nx\r\n"));
  EXPECT_FALSE(responder->ClientGone());
  client->Close();
  ASSERT_EQ(gone.get_future().wait_for(std::chrono::milliseconds(kPatienceMs)),
            std::future_status::ready);
  EXPECT_TRUE(responder->ClientGone());
  std::promise<void> again;
  responder->OnClientGone([&again] { again.set_value(); });
  again.get_future().get();
  EXPECT_EQ(responder->Write("y"), 0u);
}

TEST_F(ServerTest, WriteTellsWhatWaits) {
  std::promise<std::shared_ptr<Responder>> handed;
  const auto client = Start([&](Request, std::shared_ptr<Responder> responder) {
    handed.set_value(std::move(responder));
  });
  client->Send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  const auto responder = handed.get_future().get();
  responder->Start(200, {});
  size_t pending = 0;
  const std::string piece(64 << 10, 'x');
  for (int i = 0; i < 64; ++i) pending = responder->Write(piece);
  EXPECT_GT(pending, size_t{1} << 20);  // nobody reads: the socket took a little only
  responder->Finish();
  EXPECT_EQ(client->ReadReply().body.size(), 64u * (64 << 10));
}

// Behind bytes that are not read a hang-up would go unnoticed.
TEST_F(ServerTest, PipeliningTooMuchEndsTheConnection) {
  std::promise<void> gone;
  std::promise<std::shared_ptr<Responder>> handed;
  const auto client = Start([&](Request, std::shared_ptr<Responder> responder) {
    responder->OnClientGone([&gone] { gone.set_value(); });
    handed.set_value(std::move(responder));
  });
  client->Send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  const auto responder = handed.get_future().get();
  client->Send(std::string(64 << 10, 'x'));
  EXPECT_EQ(gone.get_future().wait_for(std::chrono::milliseconds(kPatienceMs)),
            std::future_status::ready);
  EXPECT_TRUE(responder->ClientGone());
}

TEST_F(ServerTest, Refusals) {
  ServerOptions options;
  options.max_body_bytes = 10;
  Start(Echo, options);
  const std::vector<std::pair<std::string, int>> rows = {
      {"GET / HTTP/1.0\r\nHost: x\r\n\r\n", 400},
      {"GET /\r\n", 400},
      {"GET / HTTP/1.1\nHost: x\n\n", 400},
      {"GET / HTTP/1.1\r\n\r\n", 400},
      {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 11\r\n\r\n", 413},
      {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 11\r\n\r\nhello wonderful world", 413},
      {"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nb\r\nhello "
       "world\r\n0\r\n\r\n",
       413},
      {"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: "
       "chunked\r\n\r\n5;x=y\r\nhello\r\n0\r\n\r\n",
       400},
      {"GET /" + std::string(5000, 'a') + " HTTP/1.1\r\nHost: x\r\n\r\n", 414},
      {"GET / HTTP/1.1\r\nHost: x\r\nA: " + std::string(20000, 'a') + "\r\n\r\n", 431},
  };
  for (const auto& [bytes, status] : rows) {
    const auto client = Connect();
    client->Send(bytes);
    const auto reply = client->ReadReply();
    EXPECT_EQ(reply.head.status, status) << bytes.substr(0, 60);
    EXPECT_FALSE(reply.head.keep_alive);
    EXPECT_NE(reply.body.find("\"code\":"), std::string::npos);
    EXPECT_EQ(client->ReadToEnd(), "");
  }
}

TEST_F(ServerTest, SlowAndIdleClientsAreClosed) {
  ServerOptions options;
  options.head_timeout_ms = 40;
  options.body_timeout_ms = 40;
  options.idle_timeout_ms = 40;
  const auto silent = Start(Echo, options);
  EXPECT_EQ(silent->ReadToEnd(), "");
  const auto slow_head = Connect();
  slow_head->Send("GET / HTTP/1.1\r\n");
  EXPECT_EQ(slow_head->ReadReply().head.status, 408);
  const auto slow_body = Connect();
  slow_body->Send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nab");
  EXPECT_EQ(slow_body->ReadReply().head.status, 408);
  const auto idle = Connect();
  idle->Send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_EQ(idle->ReadReply().head.status, 200);
  EXPECT_EQ(idle->ReadToEnd(), "");
}

TEST_F(ServerTest, ReaderThatStopsIsClosed) {
  ServerOptions options;
  options.write_timeout_ms = 40;
  std::promise<void> gone;
  const auto client = Start(
      [&](Request, std::shared_ptr<Responder> responder) {
        responder->OnClientGone([&gone] { gone.set_value(); });
        responder->Start(200, {});
        for (int i = 0; i < 64; ++i) responder->Write(std::string(64 << 10, 'x'));
        // Kept until the client is given up.
        responder->OnClientGone([&gone, responder] { gone.set_value(); });
      },
      options);
  client->Send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  gone.get_future().get();
}

TEST_F(ServerTest, ConnectionLimitDelaysAndLosesNobody) {
  ServerOptions options;
  options.max_connections = 1;
  auto first = Start(Echo, options);
  first->Send("GET /1 HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_EQ(first->ReadReply().body, "GET /1 []");
  const auto second = Connect();
  second->Send("GET /2 HTTP/1.1\r\nHost: x\r\n\r\n");
  first->Close();
  EXPECT_EQ(second->ReadReply().body, "GET /2 []");
}

TEST_F(ServerTest, StopDrainsThenCloses) {
  std::promise<std::shared_ptr<Responder>> handed;
  const auto client = Start([&](Request, std::shared_ptr<Responder> responder) {
    handed.set_value(std::move(responder));
  });
  const auto idle = Connect();
  client->Send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  const auto responder = handed.get_future().get();
  responder->Start(200, {});
  std::thread stopper([&] { server_->Stop(kPatienceMs); });
  EXPECT_EQ(idle->ReadToEnd(), "");  // at once
  responder->Write("last words");
  responder->Finish();
  EXPECT_EQ(client->ReadReply().body, "last words");
  stopper.join();
  EXPECT_FALSE(ConnectUnix(path_).has_value());
  responder->Write("x");  // after the server: nothing happens
}

TEST_F(ServerTest, StopCutsWhatDoesNotEnd) {
  std::promise<std::shared_ptr<Responder>> handed;
  const auto client = Start([&](Request, std::shared_ptr<Responder> responder) {
    handed.set_value(std::move(responder));
  });
  client->Send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  const auto responder = handed.get_future().get();
  server_->Stop(10);
  EXPECT_TRUE(responder->ClientGone());
  EXPECT_EQ(client->ReadToEnd(), "");
  server_.reset();
  responder->Send({200, {}, "late"});
}

}  // namespace
}  // namespace skerry::http
