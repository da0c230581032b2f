// One connection of the server: reads and checks requests one at a time, queues the replies' bytes,
// and watches for the client's end while a reply runs. Everything here runs on the server's thread
// except what says otherwise.
#pragma once

#include <atomic>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <chrono>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_set>
#include <vector>

#include "appliance/http/chunked.h"
#include "appliance/http/server.h"

namespace skerry::http::internal {

namespace asio = boost::asio;
using SteadyTime = std::chrono::steady_clock::time_point;

// The event loop, which answers from other threads may outlive.
class Loop {
 public:
  asio::io_context& context() { return context_; }
  // Runs `work` on the loop's thread, in the order of the calls whatever threads they come from
  // (asio::post alone does not promise that); drops it when the loop has ended. Thread-safe.
  void Post(std::function<void()> work) {
    const std::scoped_lock lock(mu_);
    if (closed_) return;
    queue_.push_back(std::move(work));
    if (queue_.size() == 1) asio::post(context_, [this] { RunQueued(); });
  }
  // After the loop's thread has ended: runs what is left, so that nothing keeps itself alive.
  void CloseAndDrain() {
    {
      const std::scoped_lock lock(mu_);
      closed_ = true;
    }
    context_.restart();
    context_.poll();
  }

 private:
  void RunQueued() {
    std::vector<std::function<void()>> batch;
    {
      const std::scoped_lock lock(mu_);
      batch.swap(queue_);
    }
    for (const auto& work : batch) work();
  }

  asio::io_context context_{1};
  std::mutex mu_;
  bool closed_ = false;                       // guarded by mu_
  std::vector<std::function<void()>> queue_;  // guarded by mu_; not empty: RunQueued is posted
};

class Connection;

// What an answering thread and the connection share about one request.
struct Exchange {
  enum class Phase { kNew, kStreaming, kEnded };

  std::shared_ptr<Loop> loop;  // outlives the server when an answer comes late
  std::weak_ptr<Connection> connection;
  std::atomic<Phase> phase{Phase::kNew};
  std::atomic<size_t> pending_bytes{0};  // written by the producer, not yet taken by the socket
  std::atomic<bool> gone{false};
  // The server's thread only.
  std::function<void()> on_gone;
  bool head_only = false;  // the request was HEAD
};

// How the connections of a server see it.
struct Shared {
  std::shared_ptr<Loop> loop;
  ServerOptions options;
  Handler handler;
  std::unordered_set<std::shared_ptr<Connection>> connections;  // owns them
  bool stopping = false;
  std::function<void()> on_closed;  // after a connection left the set
};

class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(Shared& shared, asio::generic::stream_protocol::socket socket);

  void Begin();
  // Closes what is over its deadline.
  void Sweep(SteadyTime now);
  // The server stops: closes now if no reply is running, else after it.
  void Drain();
  // Closes now; a running reply's producer is told.
  void Close();

  // Bytes of the reply of `exchange`; ignored when it is not the current one any more.
  enum class Part { kMore, kEnd, kCut };
  void Deliver(const std::shared_ptr<Exchange>& exchange, std::string bytes, Part part);
  void StartHead(const std::shared_ptr<Exchange>& exchange, int status, const HeaderList& headers,
                 const std::string* whole_body);
  void WatchGone(const std::shared_ptr<Exchange>& exchange, std::function<void()> callback);

 private:
  enum class State { kHead, kBody, kReplying, kFlushing, kLingering, kClosed };

  void Read();
  void OnRead(size_t size);
  void Advance();
  bool TakeHead();  // false: more bytes are needed, or the request was refused
  bool TakeBody();
  void Dispatch();
  void Refuse(int status, std::string message, std::string code);
  void Queue(std::string bytes, std::shared_ptr<Exchange> owner);
  void WriteNext();
  void OnWritten(size_t size);
  void Flushed();
  void DropReply();
  void SetDeadline(int timeout_ms);

  Shared& shared_;
  asio::generic::stream_protocol::socket socket_;
  State state_ = State::kHead;
  SteadyTime deadline_;
  bool reading_ = false;
  std::string input_;        // received, not yet consumed
  size_t searched_ = 0;      // bytes of input_ already searched for the end of a head
  std::string read_buffer_;  // target of the read under way
  size_t lingered_bytes_ = 0;

  Request request_;
  ChunkedDecoder decoder_;
  std::shared_ptr<Exchange> exchange_;
  bool reply_ended_ = false;  // all of the reply is in output_
  bool close_after_ = false;
  bool unread_input_ = false;  // a refused request's body may still be coming

  struct Item {
    std::string bytes;
    std::shared_ptr<Exchange> owner;  // null: the server's own bytes
  };
  std::deque<Item> output_;
  size_t written_ = 0;  // of output_.front()
  bool writing_ = false;
  SteadyTime write_deadline_;
};

}  // namespace skerry::http::internal
