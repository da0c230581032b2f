// What stands in a request's head or is the same for every body: who asks, the lease, the model's
// name, and how a length is refused.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "appliance/http/error.h"
#include "appliance/http/head.h"

namespace skerry::engine::internal {

// 400 for `what` ("your prompt has 9 tokens") beyond a context of `limit` tokens. Both sentences
// are needed: different clients recognise a request that is too long by one or the other.
http::ApiError TooLong(int64_t limit, const std::string& what);

// 429 for `what` ("the prompt has 9 tokens") beyond a lease.
http::ApiError BeyondLease(const std::string& what, int64_t lease);

// N of "tokens=N"; nullopt without the header, or with one that is wrong: then `error` is set.
std::optional<int64_t> LeaseTokens(const http::RequestHead& head,
                                   std::optional<http::ApiError>& error);

// 404 unless the body's `wanted` is what this engine serves its model as, or the proxy has chosen.
// `name`: to answer with.
std::optional<http::ApiError> CheckName(const std::string& wanted, const std::string& served,
                                        const http::RequestHead& head, std::string& name);

// A header of the proxy that is a number; `fallback` without it or when it is none.
double NumberHeader(const http::RequestHead& head, std::string_view name, double fallback);

// Empty without it.
std::string TextHeader(const http::RequestHead& head, std::string_view name);

}  // namespace skerry::engine::internal
