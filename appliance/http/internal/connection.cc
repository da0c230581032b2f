#include "appliance/http/internal/connection.h"

#include <sys/socket.h>

#include <algorithm>
#include <boost/asio/buffer.hpp>

#include "appliance/http/error.h"
#include "appliance/http/reply.h"

namespace skerry::http::internal {

namespace {

constexpr size_t kReadBytes = 16 << 10;
constexpr size_t kMaxPipelinedBytes = 64 << 10;  // read ahead while a reply runs
constexpr int kLingerMs = 2'000;
constexpr size_t kMaxLingerBytes = 1 << 20;
constexpr size_t kBodyReserveBytes = 1 << 20;

SteadyTime In(int milliseconds) {
  return std::chrono::steady_clock::now() + std::chrono::milliseconds(milliseconds);
}

}  // namespace

Connection::Connection(Shared& shared, asio::generic::stream_protocol::socket socket)
    : shared_(shared), socket_(std::move(socket)) {}

void Connection::Begin() {
  SetDeadline(shared_.options.head_timeout_ms);
  Read();
}

void Connection::SetDeadline(int timeout_ms) { deadline_ = In(timeout_ms); }

void Connection::Sweep(SteadyTime now) {
  if (writing_ && now > write_deadline_) return Close();
  if (now <= deadline_) return;
  switch (state_) {
    case State::kHead:
      if (input_.empty()) return Close();
      return Refuse(408, "the request head did not arrive in time", "request_timeout");
    case State::kBody:
      return Refuse(408, "the request body did not arrive in time", "request_timeout");
    case State::kLingering:
      return Close();
    default:
      return;
  }
}

void Connection::Drain() {
  close_after_ = true;
  if (state_ == State::kHead || state_ == State::kBody || state_ == State::kLingering) Close();
}

void Connection::Close() {
  if (state_ == State::kClosed) return;
  state_ = State::kClosed;
  boost::system::error_code ignored;
  socket_.close(ignored);
  DropReply();
  output_.clear();
  const auto self = shared_from_this();
  shared_.connections.erase(self);
  shared_.on_closed();
}

// The client went before the end of its reply: tell the producer.
void Connection::DropReply() {
  if (!exchange_) return;
  const auto exchange = std::move(exchange_);
  exchange_ = nullptr;
  if (reply_ended_ && output_.empty()) return;
  exchange->gone = true;
  exchange->pending_bytes = 0;
  const auto callback = std::move(exchange->on_gone);
  exchange->on_gone = nullptr;
  if (callback && !reply_ended_) callback();
}

void Connection::Read() {
  if (reading_ || state_ == State::kClosed || state_ == State::kFlushing) return;
  // Without reading on the client's end would go unnoticed: no client needs to send that much
  // ahead.
  if (state_ == State::kReplying && input_.size() >= kMaxPipelinedBytes) return Close();
  reading_ = true;
  read_buffer_.resize(kReadBytes);
  socket_.async_read_some(
      asio::buffer(read_buffer_),
      [self = shared_from_this()](const boost::system::error_code& error, size_t size) {
        self->reading_ = false;
        if (self->state_ == State::kClosed) return;
        if (error) return self->Close();
        self->OnRead(size);
      });
}

void Connection::OnRead(size_t size) {
  if (state_ == State::kLingering) {
    lingered_bytes_ += size;
    if (lingered_bytes_ > kMaxLingerBytes) return Close();
    return Read();
  }
  if (state_ == State::kFlushing) {  // the next request, or the rest of a refused one
    if (!unread_input_) input_.append(read_buffer_, 0, size);
    return;
  }
  if (state_ == State::kHead && input_.empty()) SetDeadline(shared_.options.head_timeout_ms);
  input_.append(read_buffer_, 0, size);
  Advance();
  Read();
}

void Connection::Advance() {
  if (state_ == State::kHead && !TakeHead()) return;
  if (state_ == State::kBody && TakeBody()) Dispatch();
}

bool Connection::TakeHead() {
  const HeadLimits& limits = shared_.options.head_limits;
  const size_t end = FindHeadEnd(input_, searched_);
  if (end == std::string::npos) {
    if (input_.empty()) return false;
    const Result<void> possible = CheckPartialRequestHead(input_, limits);
    if (!possible) {
      Refuse(HeadErrorStatus(possible.error()), possible.error().message(), "bad_request");
      return false;
    }
    searched_ = input_.size();
    return false;
  }
  searched_ = 0;
  Result<RequestHead> head = CheckRequestHead(std::string_view(input_).substr(0, end), limits);
  if (!head) {
    Refuse(HeadErrorStatus(head.error()), head.error().message(), "bad_request");
    return false;
  }
  input_.erase(0, end);
  request_ = Request{std::move(*head), ""};
  decoder_ = ChunkedDecoder();
  if (request_.head.content_length.value_or(0) > shared_.options.max_body_bytes) {
    Refuse(413, "the request body is larger than this server takes", "request_too_large");
    return false;
  }
  const bool has_body = request_.head.chunked || request_.head.content_length.value_or(0) > 0;
  if (request_.head.expect_continue && has_body && input_.empty()) {
    Queue(SerializeHead(100, {}), nullptr);
  }
  request_.body.reserve(
      std::min<size_t>(request_.head.content_length.value_or(0), kBodyReserveBytes));
  state_ = State::kBody;
  SetDeadline(shared_.options.body_timeout_ms);
  return true;
}

bool Connection::TakeBody() {
  if (!request_.head.chunked) {
    const uint64_t missing = request_.head.content_length.value_or(0) - request_.body.size();
    const size_t take = static_cast<size_t>(std::min<uint64_t>(missing, input_.size()));
    request_.body.append(input_, 0, take);
    input_.erase(0, take);
    return take == missing;
  }
  // One byte over the limit is enough to know that it is exceeded.
  const size_t room = shared_.options.max_body_bytes - request_.body.size() + 1;
  const Result<size_t> taken = decoder_.Feed(input_, request_.body, room);
  if (!taken) {
    Refuse(400, "the chunked body has " + taken.error().message(), "bad_request");
    return false;
  }
  input_.erase(0, *taken);
  if (request_.body.size() > shared_.options.max_body_bytes) {
    Refuse(413, "the request body is larger than this server takes", "request_too_large");
    return false;
  }
  return decoder_.done();
}

void Connection::Refuse(int status, std::string message, std::string code) {
  const std::string body = ErrorBody({status, std::move(message), std::move(code), ""});
  HeaderList headers = {{"content-type", "application/json"},
                        {"content-length", std::to_string(body.size())},
                        {"connection", "close"}};
  close_after_ = true;
  unread_input_ = true;
  reply_ended_ = true;
  state_ = State::kFlushing;
  Queue(SerializeHead(status, headers) + body, nullptr);
}

void Connection::StartHead(const std::shared_ptr<Exchange>& exchange, int status,
                           const HeaderList& headers, const std::string* whole_body) {
  if (exchange != exchange_) return;
  HeaderList all = headers;
  const bool no_body = HasNoBody(status);
  if (whole_body == nullptr) {
    all.emplace_back("transfer-encoding", "chunked");
  } else if (!no_body) {
    all.emplace_back("content-length", std::to_string(whole_body->size()));
  }
  if (!request_.head.keep_alive || shared_.stopping) close_after_ = true;
  if (close_after_) all.emplace_back("connection", "close");
  std::string bytes = SerializeHead(status, all);
  if (whole_body != nullptr && !no_body && !exchange->head_only) bytes += *whole_body;
  exchange->pending_bytes += bytes.size();
  Deliver(exchange, std::move(bytes), whole_body == nullptr ? Part::kMore : Part::kEnd);
}

void Connection::Deliver(const std::shared_ptr<Exchange>& exchange, std::string bytes, Part part) {
  if (exchange != exchange_) return;
  if (part != Part::kMore) {
    reply_ended_ = true;
    exchange->on_gone = nullptr;
    state_ = State::kFlushing;
  }
  if (part == Part::kCut) {
    close_after_ = true;
    unread_input_ = false;
  }
  if (!bytes.empty()) return Queue(std::move(bytes), exchange);
  if (reply_ended_ && !writing_) Flushed();
}

void Connection::WatchGone(const std::shared_ptr<Exchange>& exchange,
                           std::function<void()> callback) {
  if (exchange == exchange_ && !reply_ended_) exchange->on_gone = std::move(callback);
}

void Connection::Queue(std::string bytes, std::shared_ptr<Exchange> owner) {
  output_.push_back({std::move(bytes), std::move(owner)});
  if (!writing_) WriteNext();
}

void Connection::WriteNext() {
  writing_ = true;
  write_deadline_ = In(shared_.options.write_timeout_ms);
  const std::string& bytes = output_.front().bytes;
  socket_.async_write_some(
      asio::buffer(bytes.data() + written_, bytes.size() - written_),
      [self = shared_from_this()](const boost::system::error_code& error, size_t size) {
        self->writing_ = false;
        if (self->state_ == State::kClosed) return;
        if (error) return self->Close();
        self->OnWritten(size);
      });
}

void Connection::OnWritten(size_t size) {
  written_ += size;
  Item& front = output_.front();
  if (front.owner) front.owner->pending_bytes -= size;
  if (written_ == front.bytes.size()) {
    written_ = 0;
    output_.pop_front();
  }
  if (!output_.empty()) return WriteNext();
  if (reply_ended_ && state_ == State::kFlushing) Flushed();
}

// The whole reply has left: the next request, or the end.
void Connection::Flushed() {
  exchange_ = nullptr;
  reply_ended_ = false;
  if (!close_after_) {
    state_ = State::kHead;
    SetDeadline(input_.empty() ? shared_.options.idle_timeout_ms : shared_.options.head_timeout_ms);
    Advance();
    return Read();
  }
  if (!unread_input_) return Close();
  // Closing with unread input would reset the connection and could destroy the reply on its way.
  boost::system::error_code ignored;
  socket_.shutdown(asio::socket_base::shutdown_send, ignored);
  state_ = State::kLingering;
  SetDeadline(kLingerMs);
  Read();
}

}  // namespace skerry::http::internal
