// The proxy's audit records as documents (docs/formats/audit.md); the journal adds time, sequence
// and chain. Never a token, a prompt or an answer: none of these structures can hold one.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "appliance/base/json.h"

namespace skerry::proxy {

struct AdmittedRecord {
  std::string request_id;
  std::string token_id;
  std::string token_label;
  std::string source_ip;
  uint16_t source_port = 0;
  std::string method;
  std::string path;
  uint64_t body_bytes = 0;
  std::string model;
  std::string instance;
  uint64_t lease_tokens = 0;
};
Json ToJson(const AdmittedRecord& record);

// Tokens as the engine counted them, of "prompt=P completion=C finish=F".
struct Usage {
  uint64_t prompt = 0;
  uint64_t completion = 0;
  std::string finish;
};
// nullopt unless all three are there in that form.
std::optional<Usage> ParseUsage(std::string_view text);

struct CompletedRecord {
  std::string request_id;
  int status = 0;
  uint64_t body_bytes = 0;
  std::optional<Usage> usage;  // absent when the reply was cut
  int64_t duration_ns = 0;
  bool success = false;
  std::string reason;  // why not; empty on success
};
Json ToJson(const CompletedRecord& record);

struct RefusedRecord {
  std::string request_id;
  std::string source_ip;
  int status = 0;
  std::string reason;
  std::string token_id;  // empty: unknown
  uint64_t more_refusals =
      0;  // from the same address or /64 network within the minute, not recorded one by one
};
Json ToJson(const RefusedRecord& record);

// Keeps a flood of refusals out of the journal: the first ones of an address (of IPv6, whose hosts
// have whole /64 networks of them, of a network) are recorded one by one, the rest of its minute
// becomes one record with a count. One thread; memory is bounded.
class RefusalFloods {
 public:
  using Sink = std::function<void(const RefusedRecord& record)>;
  explicit RefusalFloods(Sink sink) : sink_(std::move(sink)) {}

  void Add(RefusedRecord record, int64_t now_ns);
  // Records what minutes that are over have held back; to be called every second or so.
  void Flush(int64_t now_ns);
  // Records everything held back: before the end.
  void FlushAll();

 private:
  struct Window {
    int64_t end_ns = 0;
    uint64_t seen = 0;
    uint64_t held_back = 0;
    RefusedRecord last;
  };
  void Report(Window& window);

  const Sink sink_;
  std::map<std::string, Window, std::less<>> windows_;
};

}  // namespace skerry::proxy
