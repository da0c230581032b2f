// One client connection: its requests one after the other, each judged, recorded, sent on and
// answered. Runs as one coroutine on the loop's thread; Interrupt and Sweep come from the server
// between its steps.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "appliance/http/head.h"
#include "proxy/auth/authenticate.h"
#include "proxy/http/body.h"
#include "proxy/http/internal/client_io.h"
#include "proxy/http/internal/hub.h"
#include "proxy/http/internal/upstream_io.h"
#include "proxy/http/route.h"

namespace skerry::proxy {

class Session : public std::enable_shared_from_this<Session> {
 public:
  struct Peer {
    std::string ip;
    uint16_t port = 0;
  };

  Session(Hub& hub, StreamSocket socket, TlsStream tls, Peer peer);
  ~Session();

  Task<void> Run();

  void Sweep(ClientIo::Time now);
  // Ends the request under way if `policy` does not allow it.
  void Judge(const policy::Policy& policy);
  // The server stops: ends now if no request runs, else after it.
  void Drain();
  // Ends now.
  void Cut();

 private:
  // Why a request ended before its reply did.
  enum class End { kNone, kClientGone, kRevoked, kShutdown };

  // Everything about one request; replaced for the next one.
  struct Work {
    std::string id;
    int64_t started_ns = 0;
    http::RequestHead head;
    bool has_head = false;
    PolicyPtr policy;  // it was judged by
    std::string token_id;
    policy::TokenHash token_hash{};
    std::string token_label;
    Route route = Route::kListModels;
    std::string body;
    std::string alias;  // the model's public name
    std::vector<std::string> instances;
    std::string instance;      // the one that is connected
    bool body_unread = false;  // its end is not in the input
    size_t body_in_input = 0;  // whole and not yet taken
    // The reply.
    int status = 0;  // 0: no head was sent
    uint64_t reply_bytes = 0;
    bool recorded = false;  // admitted
    bool event_stream = false;
    bool at_event_border = true;  // the last bytes sent end an event
    std::optional<Usage> usage;
    std::string failure;  // why the reply is not whole
  };

  Task<bool> ServeRequest();  // false: the connection ends
  Task<bool> ReadHead();
  Task<std::optional<Refusal>> ReadBody();
  Task<std::optional<Refusal>> ReadChunkedBody();
  Task<std::optional<Refusal>> ChooseModel();
  Task<std::optional<Refusal>> Forward();
  Task<std::optional<Refusal>> Connect();
  Task<std::optional<Refusal>> Admit();
  Task<std::optional<Refusal>> Relay();
  Task<bool> RelayBody(bool chunked, std::string out);
  Task<void> EndCutReply(bool chunked, bool sent);
  Task<bool> Refuse(Refusal refusal);
  Task<bool> Reply(int status, http::HeaderList headers, std::string body);

  std::optional<Refusal> JudgeHead();
  std::string Upstream() const;  // for the log
  http::ApiError CutError() const;
  std::optional<Refusal> EndRefusal() const;  // for a request that was ended from outside
  http::HeaderList ReplyHeaders() const;
  std::string UpstreamHead() const;
  std::string ClientHead(const http::ResponseHead& head, bool chunked);
  bool KeepAlive() const;
  void Interrupt(End end);
  void RecordCompleted();
  void RecordRefusal(const Refusal& refusal);
  void LogAccess();

  Hub& hub_;
  ClientIo client_;
  UpstreamIo upstream_;
  const Peer peer_;
  Work work_;
  std::optional<BudgetShare> body_share_;  // memory of work_.body
  bool busy_ = false;                      // a request is under way
  End end_ = End::kNone;
  bool close_after_ = false;
  bool linger_ = false;
};

}  // namespace skerry::proxy
