// Asks the dialer for connections without blocking. Answers come in the order of the requests.
#pragma once

#include <boost/asio/posix/stream_descriptor.hpp>
#include <deque>
#include <functional>
#include <string>

#include "appliance/base/unique_fd.h"
#include "proxy/http/internal/asio.h"
#include "proxy/upstream/dialer.h"

namespace skerry::proxy {

// The loop's thread only.
class DialClient {
 public:
  // `on_lost` is called once when the dialer has ended.
  DialClient(asio::io_context& context, UniqueFd dialer, std::function<void()> on_lost);

  // A connected, non-blocking descriptor, or an empty one with the reason.
  Task<DialAnswer> Dial(std::string target);

  void Close();

 private:
  using Waiter = std::function<void(DialAnswer)>;
  void Request(const std::string& target, Waiter waiter);
  void WaitForAnswers();
  void TakeAnswers();
  void Lose();

  asio::posix::stream_descriptor channel_;
  std::function<void()> on_lost_;
  std::deque<Waiter> waiters_;
  bool waiting_ = false;
};

}  // namespace skerry::proxy
