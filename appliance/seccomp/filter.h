// A system call filter under construction (libseccomp): what is not allowed fails with EPERM. The
// rules that every sandbox of ours shares are here; each program adds its own list of calls.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>

#include "appliance/base/result.h"

namespace skerry::seccomp {

// Of one argument of a call, from 0: `(argument & mask) == value`.
struct Condition {
  unsigned argument;
  uint64_t mask;
  uint64_t value;
};
inline Condition Masked(unsigned argument, uint64_t mask, uint64_t value) {
  return {argument, mask, value};
}
inline Condition Equal(unsigned argument, uint64_t value) {
  return {argument, ~uint64_t{0}, value};
}

// One thread. The first rule that cannot be made is kept and reported by Load().
class Filter {
 public:
  // Everything fails with EPERM; a call in another architecture's numbering ends the process.
  Filter();
  ~Filter();
  Filter(const Filter&) = delete;
  Filter& operator=(const Filter&) = delete;

  // Allows `call` when all conditions hold; several rules for one call: when any holds. Calls that
  // this architecture or libseccomp does not have are passed over: they are refused anyway.
  void Allow(const char* call, std::initializer_list<Condition> conditions = {});
  void Allow(std::span<const char* const> calls);
  // The call ends the process (SIGSYS).
  void Kill(const char* call);

  // Threads, never processes or namespaces; the thread's name; reading limits; AllowOwnSignals().
  void AllowThreads();
  // Signals to threads of this process (abort).
  void AllowOwnSignals();
  // Memory that becomes writable or executable, never both.
  void AllowMemory();
  // Death for what no program of ours ever tries: starting programs, tracing, other users' ids,
  // mounts, namespaces, modules, the clock. Calls that are newer than libseccomp answer ENOSYS, so
  // that a newer C library falls back to older ones.
  void RefuseTheRest();

  // Confines all threads of the process for good, with no new privileges. kUnavailable when the
  // kernel has no filters (or one above forbids the call), else kInternal; the message names the
  // step that failed.
  Result<void> Load();

 private:
  void Add(uint32_t action, const char* call, std::initializer_list<Condition> conditions);
  void AddNumber(uint32_t action, int number, const char* call,
                 std::initializer_list<Condition> conditions);
  void Check(const std::string& step, int status);

  void* context_;  // scmp_filter_ctx
  std::string step_;
  int error_ = 0;
};

// True when the calling thread can make no socket of any kind, which every filter of ours that
// allows no socket() refuses. Asking the kernel whether some filter is there would not do: systemd
// installs one of its own.
bool RefusesSockets();

}  // namespace skerry::seccomp
