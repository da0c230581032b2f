#include "proxy/http/internal/hub.h"

#include <sys/random.h>

#include <ctime>
#include <nlohmann/json.hpp>

#include "appliance/base/encode.h"
#include "appliance/base/log.h"

namespace skerry::proxy {

namespace {

constexpr size_t kIdBytes = 16;
constexpr size_t kRandomBytes = 4096;
constexpr size_t kMaxInlineBodyBytes = 256 << 10;  // inspected in a few milliseconds

}  // namespace

Hub::Hub(ProxyParts& parts, asio::io_context& loop, std::function<void()> on_dialer_lost)
    : instance(parts.instance),
      limits(parts.limits),
      clock(*parts.clock),
      access_log(parts.access_log),
      journal(parts.journal),
      policy(std::move(parts.policy)),
      start_seconds(parts.clock->UnixMillis() / 1000),
      context(loop),
      dialer(loop, std::move(parts.dialer), std::move(on_dialer_lost)),
      bodies(parts.limits.max_bodies_bytes),
      refusals([this](const RefusedRecord& record) { RecordLater(ToJson(record)); }) {}

Task<Result<BodyFacts>> Hub::Inspect(const std::string& body) {
  if (body.size() <= kMaxInlineBodyBytes) co_return InspectBody(body);
  using Box = std::shared_ptr<Result<BodyFacts>>;  // default-constructible, see Record
  auto start = [this, &body](auto handler) {
    auto shared = std::make_shared<decltype(handler)>(std::move(handler));
    asio::post(worker_, [this, &body, shared = std::move(shared)]() mutable {
      Box box = std::make_shared<Result<BodyFacts>>(InspectBody(body));
      // Moved: the coroutine must not be let go of on this thread.
      asio::post(context, [shared = std::move(shared), box = std::move(box)] { (*shared)(box); });
    });
  };
  Box box = co_await asio::async_initiate<decltype(asio::use_awaitable), void(Box)>(
      std::move(start), asio::use_awaitable);
  co_return std::move(*box);
}

Task<Result<uint64_t>> Hub::Record(Json fields) {
  using Outcome = Result<uint64_t>;
  // use_awaitable wants a default-constructible argument, which a Result is not.
  using Box = std::shared_ptr<Outcome>;
  auto start = [this, &fields](auto handler) {
    auto shared = std::make_shared<decltype(handler)>(std::move(handler));
    auto resume = [this, shared](Outcome outcome) {
      asio::post(context,
                 [shared, box = std::make_shared<Outcome>(std::move(outcome))] { (*shared)(box); });
    };
    const Result<void> queued = journal->Append(std::move(fields), resume);
    if (!queued) resume(queued.error());
  };
  Box box = co_await asio::async_initiate<decltype(asio::use_awaitable), void(Box)>(
      std::move(start), asio::use_awaitable);
  co_return std::move(*box);
}

void Hub::RecordLater(Json fields) {
  const auto report = [](Result<uint64_t> outcome) {
    if (!outcome) LogError("an audit record was lost: " + outcome.error().message());
  };
  const Result<void> queued = journal->Append(std::move(fields), report);
  if (!queued) report(queued.error());
}

std::string Hub::NewRequestId() {
  if (random_.size() < kIdBytes) {
    random_.resize(kRandomBytes);
    size_t filled = 0;
    while (filled < random_.size()) {
      const ssize_t got = ::getrandom(random_.data() + filled, random_.size() - filled, 0);
      if (got > 0) filled += static_cast<size_t>(got);
    }
  }
  const std::string bytes = random_.substr(random_.size() - kIdBytes);
  random_.resize(random_.size() - kIdBytes);
  return "req-" + HexEncode(AsBytes(bytes));
}

const std::string& Hub::HttpDate() {
  const int64_t second = clock.UnixMillis() / 1000;
  if (second == date_second_) return date_;
  date_second_ = second;
  const time_t time = second;
  tm utc{};
  ::gmtime_r(&time, &utc);
  char text[64];
  date_.assign(text, std::strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &utc));
  return date_;
}

}  // namespace skerry::proxy
