// What of Asio the proxy uses, in one place. Coroutines here follow two rules because of GCC 12:
// co_await stands only as a whole statement or initialiser, and nothing throws (errors go to a
// variable, by Await).
#pragma once

// Asio 1.74 uses std::exchange without including its header.
#include <utility>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace skerry::proxy {

namespace asio = boost::asio;

template <typename T>
using Task = asio::awaitable<T>;
using StreamSocket = asio::generic::stream_protocol::socket;

using ErrorCondition = boost::system::error_code;

// Completion token of an operation whose error goes to `error` instead of being thrown.
inline auto Await(ErrorCondition& error) {
  return asio::redirect_error(asio::use_awaitable, error);
}

}  // namespace skerry::proxy
