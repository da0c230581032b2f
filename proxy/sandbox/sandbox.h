// The proxy's system call filter. A socket that the proxy inherited or accepted belongs to the
// network namespace it was made in, so the island alone does not keep it in: connect(AF_UNSPEC) and
// connect(), or shutdown() and sendto(MSG_FASTOPEN), would turn it into a connection outwards. The
// filter takes away every call that makes, binds or connects a socket, and every call that starts a
// program.
#pragma once

#include "appliance/base/result.h"

namespace skerry::proxy {

// Confines the whole process (all its threads) for good: an allow-list of system calls, no new
// privileges, no core dumps. To be called after the dialer was forked and all sockets except
// accepted ones exist, before the first byte of a client is read. On an error nothing may be
// served: kUnavailable when the kernel has no seccomp filters, kInternal when the filter does not
// bite.
//
// What remains possible: threads; accept, read, write and close of sockets at hand; descriptors
// received from the dialer; files (policy, journal, certificates) as the unit's mounts allow;
// clocks, timers, memory that is never writable and executable at once. What ends the process
// (SIGSYS): execve, ptrace, bpf, mount, unshare, setns, keyctl and their like, and any call in
// another architecture's numbering. Everything else answers EPERM: socket, socketpair, connect,
// bind, listen, sendmmsg, io_uring, any send with MSG_FASTOPEN, sendto with an address, socket
// options beyond the usual ones, fork, signals to others. Only clone3 and calls newer than
// libseccomp answer ENOSYS, so that the C library falls back.
//
// Consequences for callers: sd_notify, syslog, getaddrinfo and posix_spawn do not work any more.
Result<void> EnterSandbox();

// Confines the dialer for good: it opens stream sockets of `family` (AF_UNIX for engines, AF_INET
// for admin on loopback), connects them and passes them on. No files, no listening, no threads, no
// processes. To be called when everything else it needs is open. Errors as above.
Result<void> EnterDialerSandbox(int family);

// True when the calling thread can make no socket of any kind: the filter holds it.
bool InSandbox();

}  // namespace skerry::proxy
