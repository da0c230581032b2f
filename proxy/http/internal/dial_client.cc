#include "proxy/http/internal/dial_client.h"

#include <cerrno>
#include <memory>

namespace skerry::proxy {

namespace {

constexpr size_t kMaxWaiting = 4'096;

DialAnswer Failed(int error_number) {
  DialAnswer answer;
  answer.error_number = error_number;
  return answer;
}

}  // namespace

DialClient::DialClient(asio::io_context& context, UniqueFd dialer, std::function<void()> on_lost)
    : channel_(context, dialer.Release()), on_lost_(std::move(on_lost)) {}

Task<DialAnswer> DialClient::Dial(std::string target) {
  auto start = [this, &target](auto handler) {
    // std::function wants a copyable callable, a coroutine's handler is not one.
    auto shared = std::make_shared<decltype(handler)>(std::move(handler));
    Request(target, [this, shared](DialAnswer answer) {
      asio::post(channel_.get_executor(),
                 [shared, answer = std::move(answer)]() mutable { (*shared)(std::move(answer)); });
    });
  };
  DialAnswer answer =
      co_await asio::async_initiate<decltype(asio::use_awaitable), void(DialAnswer)>(
          std::move(start), asio::use_awaitable);
  co_return answer;
}

void DialClient::Request(const std::string& target, Waiter waiter) {
  if (!channel_.is_open() || waiters_.size() >= kMaxWaiting) return waiter(Failed(EAGAIN));
  if (!SendDial(channel_.native_handle(), target)) return waiter(Failed(EAGAIN));
  waiters_.push_back(std::move(waiter));
  WaitForAnswers();
}

void DialClient::WaitForAnswers() {
  if (waiting_) return;
  waiting_ = true;
  channel_.async_wait(asio::posix::stream_descriptor::wait_read,
                      [this](const boost::system::error_code& error) {
                        waiting_ = false;
                        if (!error) TakeAnswers();
                      });
}

void DialClient::TakeAnswers() {
  while (!waiters_.empty()) {
    Result<std::optional<DialAnswer>> answer = ReceiveDial(channel_.native_handle());
    if (!answer) return Lose();
    if (!answer->has_value()) break;
    const Waiter waiter = std::move(waiters_.front());
    waiters_.pop_front();
    waiter(std::move(**answer));
  }
  WaitForAnswers();  // also with nothing asked: the dialer's end must be seen
}

void DialClient::Lose() {
  Close();
  if (on_lost_) std::exchange(on_lost_, nullptr)();
}

void DialClient::Close() {
  boost::system::error_code ignored;
  channel_.close(ignored);
  for (Waiter& waiter : std::exchange(waiters_, {})) waiter(Failed(ECONNRESET));
}

}  // namespace skerry::proxy
