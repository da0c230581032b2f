#include "proxy/sandbox/egress_probe.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <functional>
#include <utility>

#include "appliance/base/files.h"
#include "appliance/base/json.h"
#include "appliance/base/unique_fd.h"
#include "appliance/base/unix_socket.h"
#include "nlohmann/json.hpp"
#include "proxy/sandbox/internal/ways.h"
#include "proxy/sandbox/sandbox.h"

namespace skerry::proxy {
namespace {

using internal::FastOpenCall;
using internal::FastOpenSteps;
using internal::Target;
using internal::Verdict;

class Probe {
 public:
  explicit Probe(const EgressTargets& targets) : targets_(targets) {}

  void Try(std::string way, Verdict verdict) {
    findings_.push_back({std::move(way), verdict.outcome, std::move(verdict.detail)});
  }

  // Sockets of the process's own making; `suffix` is "4" or "6".
  void TryInternet(const std::string& suffix, int family, const std::string& address) {
    const std::pair<const char*, std::function<Verdict(const Target&)>> ways[] = {
        {"tcp", [&](const Target& to) { return internal::TryTcp(to, Timeout()); }},
        {"udp", [&](const Target& to) { return internal::TryUdp(to, Timeout()); }},
        {"icmp", [&](const Target& to) { return internal::TryEcho(to, SOCK_DGRAM, Timeout()); }},
        {"raw", [&](const Target& to) { return internal::TryEcho(to, SOCK_RAW, Timeout()); }},
    };
    Target target;
    const bool known = internal::ParseTarget(family, address, targets_.port, &target);
    for (const auto& [way, attempt] : ways) {
      Try(way + suffix, known ? attempt(target) : NoTarget());
    }
  }

  void TryLocal() {
    Try("dns", internal::TryResolve(targets_.host_name));
    Try("packet", internal::TryPacketSocket());
    Try("vsock", internal::TryVsock());
    Try("netlink", internal::TryNetlink(Timeout()));
    Try("io_uring", internal::TryIoUring());
    for (const std::string& path : targets_.unix_paths) {
      Try("unix:" + path, internal::TryUnix(path, /*abstract=*/false));
    }
    for (const std::string& name : targets_.abstract_names) {
      Try("abstract:" + name, internal::TryUnix(name, /*abstract=*/true));
    }
  }

  // The sockets that were handed in. Each attempt begins from what the one before left; all of them
  // start with what makes a socket blank again.
  void TryAtHand(const std::string& which, int socket, bool may_shut_down) {
    Target target;
    if (!internal::TargetFor(socket, targets_.ipv4, targets_.ipv6, targets_.port, &target)) {
      for (const char* way :
           {".fastopen", ".fastopen_sendmsg", ".reconnect", ".fastopen_connect"}) {
        Try(which + way, NoTarget());
      }
      return;
    }
    FastOpenSteps steps;
    steps.shut_down = may_shut_down;
    steps.disconnect = which == "accepted";  // shutdown() alone makes a listening socket blank
    Try(which + ".fastopen", internal::TryFastOpen(socket, target, steps, Timeout()));
    steps.disconnect = true;
    steps.call = FastOpenCall::kSendmsg;
    Try(which + ".fastopen_sendmsg", internal::TryFastOpen(socket, target, steps, Timeout()));
    Try(which + ".reconnect", internal::TryReconnect(socket, target, Timeout()));
    Try(which + ".fastopen_connect", internal::TryFastOpenConnect(socket, target, Timeout()));
  }

  std::vector<EgressFinding> Take() { return std::move(findings_); }

 private:
  int Timeout() const { return targets_.answer_timeout_ms; }
  static Verdict NoTarget() { return {EgressOutcome::kUntested, "no address was given"}; }

  const EgressTargets& targets_;
  std::vector<EgressFinding> findings_;
};

// Names of the network interfaces this process sees.
Json Interfaces() {
  Json names = Json::array();
  auto proc = OpenFiles("/proc/self");
  if (!proc) return names;
  const auto text = ReadAll(**proc, "net/dev", 64 << 10);
  if (!text) return names;
  for (size_t at = 0; at < text->size();) {
    const size_t end = std::min(text->find('\n', at), text->size());
    const std::string_view line(text->data() + at, end - at);
    const size_t colon = line.find(':');
    const size_t begin = line.find_first_not_of(' ');
    if (colon != std::string_view::npos) names.push_back(line.substr(begin, colon - begin));
    at = end + 1;
  }
  return names;
}

}  // namespace

Result<EgressTargets> ParseEgressTargets(std::string_view text) {
  EgressTargets targets;
  Target unused;
  for (size_t at = 0; at <= text.size();) {
    const size_t end = std::min(text.find(',', at), text.size());
    const std::string word(text.substr(at, end - at));
    if (word == "shutdown") {
      targets.shut_listener_down = true;
    } else if (targets.ipv4.empty() && internal::ParseTarget(AF_INET, word, 1, &unused)) {
      targets.ipv4 = word;
    } else if (targets.ipv6.empty() && internal::ParseTarget(AF_INET6, word, 1, &unused)) {
      targets.ipv6 = word;
    } else {
      return Error(ErrorCode::kInvalidArgument,
                   "egress target '" + word +
                       "': want an IPv4 address, an IPv6 address (one of each) or 'shutdown'");
    }
    at = end + 1;
  }
  if (targets.ipv4.empty() && targets.ipv6.empty()) {
    return Error(ErrorCode::kInvalidArgument, "egress target: give at least one address");
  }
  return targets;
}

std::vector<EgressFinding> RunEgressProbe(const EgressTargets& targets, int listener,
                                          int accepted) {
  Probe probe(targets);
  probe.TryInternet("4", AF_INET, targets.ipv4);
  probe.TryInternet("6", AF_INET6, targets.ipv6);
  probe.TryLocal();
  probe.TryAtHand("accepted", accepted, /*may_shut_down=*/true);
  probe.TryAtHand("listener", listener, targets.shut_listener_down);
  return probe.Take();
}

std::string EgressFindingLine(const EgressFinding& finding) {
  Json line = {{"way", finding.way}, {"detail", finding.detail}, {"blocked", nullptr}};
  if (finding.outcome != EgressOutcome::kUntested) {
    line["blocked"] = finding.outcome == EgressOutcome::kBlocked;
  }
  return DumpJson(line) + "\n";
}

Result<int> ServeEgressProbe(const EgressTargets& targets, int listener, int output) {
  pollfd item{listener, POLLIN, 0};
  while (::poll(&item, 1, -1) < 0) {
    if (errno != EINTR) return ErrnoError("cannot wait for the probe's connection", errno);
  }
  const UniqueFd accepted(::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC));
  if (!accepted) return ErrnoError("cannot accept the probe's connection", errno);
  const Json head = {{"sandbox", InSandbox()}, {"interfaces", Interfaces()}};
  TRY(WriteFully(output, DumpJson(head) + "\n"));
  int counts[3] = {};
  const std::vector<EgressFinding> findings = RunEgressProbe(targets, listener, accepted.get());
  for (const EgressFinding& finding : findings) {
    ++counts[static_cast<int>(finding.outcome)];
    TRY(WriteFully(output, EgressFindingLine(finding)));
  }
  const Json tail = {{"ways", findings.size()},
                     {"blocked", counts[static_cast<int>(EgressOutcome::kBlocked)]},
                     {"reached", counts[static_cast<int>(EgressOutcome::kReached)]},
                     {"untested", counts[static_cast<int>(EgressOutcome::kUntested)]}};
  TRY(WriteFully(output, DumpJson(tail) + "\n"));
  return counts[static_cast<int>(EgressOutcome::kReached)];
}

}  // namespace skerry::proxy
