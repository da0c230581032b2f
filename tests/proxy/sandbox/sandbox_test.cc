// Each case runs in a child process, because a filter cannot be taken off again.
#include "proxy/sandbox/sandbox.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/io_uring.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <sched.h>
#include <spawn.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "appliance/base/files.h"
#include "appliance/base/process.h"
#include "appliance/base/testing/fixtures.h"
#include "appliance/base/unique_fd.h"
#include "appliance/base/unix_socket.h"

namespace skerry::proxy {
namespace {

constexpr int kNotEntered = 250;
constexpr int kWrongState = 251;

// The exit state of a child that enters the sandbox and then ends with `body`'s value.
ExitState InChild(const std::function<int()>& body) {
  const pid_t pid = ::fork();
  if (pid == 0) {
    if (InSandbox()) ::_exit(kWrongState);
    const Result<void> entered = EnterSandbox();
    if (!entered) {
      ::dprintf(2, "%s\n", entered.error().message().c_str());
      ::_exit(kNotEntered);
    }
    if (!InSandbox()) ::_exit(kWrongState);
    ::_exit(body());
  }
  return WaitForExit(pid, 30'000).value().value();
}

// The errno that `call` leaves in the sandbox; 0 when it succeeds.
int ErrnoOf(const std::function<long()>& call) {
  const ExitState state = InChild([&] { return call() < 0 ? errno : 0; });
  EXPECT_FALSE(state.signalled) << state.Describe();
  return state.code;
}

bool Dies(const std::function<long()>& call) {
  const ExitState state = InChild([&] { return call() < 0 ? errno : 0; });
  return state.signalled && state.code == SIGSYS;
}

struct Listener {
  UniqueFd fd;
  sockaddr_in address{};
};

Listener ListenOnLoopback() {
  Listener listener{UniqueFd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)), {}};
  listener.address.sin_family = AF_INET;
  listener.address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof listener.address;
  auto* address = reinterpret_cast<sockaddr*>(&listener.address);
  EXPECT_EQ(::bind(listener.fd.get(), address, length), 0);
  EXPECT_EQ(::listen(listener.fd.get(), 8), 0);
  EXPECT_EQ(::getsockname(listener.fd.get(), address, &length), 0);
  return listener;
}

UniqueFd ConnectTo(const sockaddr_in& address) {
  UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  EXPECT_EQ(::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  return fd;
}

TEST(Sandbox, NoSocketIsMade) {
  for (const int family : {AF_UNIX, AF_INET, AF_INET6, AF_NETLINK, AF_PACKET, AF_VSOCK, AF_ALG}) {
    EXPECT_EQ(ErrnoOf([&] { return ::socket(family, SOCK_STREAM, 0); }), EPERM) << family;
    EXPECT_EQ(ErrnoOf([&] { return ::socket(family, SOCK_DGRAM, 0); }), EPERM) << family;
    EXPECT_EQ(ErrnoOf([&] { return ::socket(family, SOCK_RAW, 0); }), EPERM) << family;
  }
  int pair[2];
  EXPECT_EQ(ErrnoOf([&] { return ::socketpair(AF_UNIX, SOCK_DGRAM, 0, pair); }), EPERM);
}

TEST(Sandbox, NoSocketAtHandIsTurnedRound) {
  const Listener listener = ListenOnLoopback();
  const Listener elsewhere = ListenOnLoopback();
  const UniqueFd client = ConnectTo(listener.address);
  const UniqueFd accepted(::accept4(listener.fd.get(), nullptr, nullptr, SOCK_CLOEXEC));
  ASSERT_TRUE(accepted);
  const auto* target = reinterpret_cast<const sockaddr*>(&elsewhere.address);
  constexpr socklen_t kLength = sizeof elsewhere.address;
  sockaddr nowhere{};
  nowhere.sa_family = AF_UNSPEC;
  for (const int fd : {accepted.get(), listener.fd.get()}) {
    EXPECT_EQ(ErrnoOf([&] { return ::connect(fd, &nowhere, sizeof nowhere); }), EPERM);
    EXPECT_EQ(ErrnoOf([&] { return ::connect(fd, target, kLength); }), EPERM);
    EXPECT_EQ(ErrnoOf([&] { return ::bind(fd, target, kLength); }), EPERM);
    EXPECT_EQ(ErrnoOf([&] { return ::listen(fd, 1); }), EPERM);
    EXPECT_EQ(ErrnoOf([&] { return ::sendto(fd, "x", 1, MSG_FASTOPEN, target, kLength); }), EPERM);
    EXPECT_EQ(ErrnoOf([&] { return ::sendto(fd, "x", 1, MSG_FASTOPEN, nullptr, 0); }), EPERM);
    EXPECT_EQ(ErrnoOf([&] { return ::sendto(fd, "x", 1, MSG_NOSIGNAL, target, kLength); }), EPERM);
    iovec part{const_cast<char*>("x"), 1};
    msghdr message{};
    message.msg_name = const_cast<sockaddr*>(target);
    message.msg_namelen = kLength;
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    EXPECT_EQ(ErrnoOf([&] { return ::sendmsg(fd, &message, MSG_FASTOPEN | MSG_NOSIGNAL); }), EPERM);
    mmsghdr messages{message, 0};
    EXPECT_EQ(ErrnoOf([&] { return ::sendmmsg(fd, &messages, 1, MSG_FASTOPEN); }), EPERM);
    EXPECT_EQ(ErrnoOf([&] { return ::sendmmsg(fd, &messages, 1, 0); }), EPERM);
  }
}

TEST(Sandbox, SocketOptionsAreTheUsualOnes) {
  const Listener listener = ListenOnLoopback();
  const auto set = [&](int level, int option) {
    return ErrnoOf([&, level, option] {
      const int on = 1;
      return ::setsockopt(listener.fd.get(), level, option, &on, sizeof on);
    });
  };
  EXPECT_EQ(set(IPPROTO_TCP, TCP_NODELAY), 0);
  EXPECT_EQ(set(IPPROTO_TCP, TCP_KEEPIDLE), 0);
  EXPECT_EQ(set(SOL_SOCKET, SO_KEEPALIVE), 0);
  EXPECT_EQ(set(SOL_SOCKET, SO_SNDBUF), 0);
  for (const int option :
       {TCP_FASTOPEN, TCP_FASTOPEN_CONNECT, TCP_FASTOPEN_KEY, TCP_REPAIR, TCP_ULP}) {
    EXPECT_EQ(set(IPPROTO_TCP, option), EPERM) << option;
  }
  for (const int option : {SO_BINDTODEVICE, SO_MARK, SO_ATTACH_FILTER, SO_REUSEPORT}) {
    EXPECT_EQ(set(SOL_SOCKET, option), EPERM) << option;
  }
  EXPECT_EQ(set(IPPROTO_IP, IP_TRANSPARENT), EPERM);
  EXPECT_EQ(set(IPPROTO_IPV6, IPV6_V6ONLY), EPERM);
}

TEST(Sandbox, IoUringIsRefused) {
  EXPECT_EQ(ErrnoOf([] {
              io_uring_params params{};
              return ::syscall(SYS_io_uring_setup, 4, &params);
            }),
            EPERM);
  EXPECT_EQ(ErrnoOf([] { return ::syscall(SYS_io_uring_enter, 0, 0, 0, 0, nullptr, 0); }), EPERM);
  EXPECT_EQ(ErrnoOf([] { return ::syscall(SYS_io_uring_register, 0, 0, nullptr, 0); }), EPERM);
}

TEST(Sandbox, NoProcessIsMadeOrSignalled) {
  EXPECT_EQ(ErrnoOf([] { return ::fork(); }), EPERM);
  EXPECT_EQ(ErrnoOf([] { return ::syscall(SYS_vfork); }), EPERM);
  EXPECT_EQ(ErrnoOf([] { return ::syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0); }), EPERM);
  EXPECT_EQ(ErrnoOf([] {
              return ::syscall(SYS_clone, CLONE_THREAD | CLONE_VM | CLONE_SIGHAND | CLONE_NEWNET, 0,
                               0, 0, 0);
            }),
            EPERM);
  EXPECT_EQ(ErrnoOf([] { return ::syscall(SYS_clone3, nullptr, 0); }), ENOSYS);
  EXPECT_EQ(ErrnoOf([] {
              char program[] = "/bin/true";
              char* argv[] = {program, nullptr};
              pid_t pid;
              errno = ::posix_spawn(&pid, program, nullptr, nullptr, argv, environ);
              return errno == 0 ? 0 : -1;
            }),
            EPERM);
  EXPECT_EQ(ErrnoOf([] { return ::kill(::getppid(), 0); }), EPERM);
  EXPECT_EQ(ErrnoOf([] { return ::syscall(SYS_tgkill, ::getppid(), ::getppid(), 0); }), EPERM);
}

TEST(Sandbox, HostileCallsEndTheProcess) {
  char program[] = "/bin/true";
  char* argv[] = {program, nullptr};
  EXPECT_TRUE(Dies([&] { return ::execve(program, argv, environ); }));
  EXPECT_TRUE(Dies([&] { return ::syscall(SYS_execveat, AT_FDCWD, program, argv, environ, 0); }));
  EXPECT_TRUE(Dies([] { return ::syscall(SYS_ptrace, 0, 0, 0, 0); }));
  EXPECT_TRUE(Dies([] { return ::syscall(SYS_bpf, 0, nullptr, 0); }));
  EXPECT_TRUE(Dies([] { return ::syscall(SYS_userfaultfd, 0); }));
  EXPECT_TRUE(Dies([] { return ::syscall(SYS_mount, "a", "/mnt", "tmpfs", 0, nullptr); }));
  EXPECT_TRUE(Dies([] { return ::unshare(CLONE_NEWUSER); }));
  EXPECT_TRUE(Dies([] { return ::syscall(SYS_setns, 0, 0); }));
  EXPECT_TRUE(Dies([] { return ::syscall(SYS_keyctl, 0, 0); }));
  EXPECT_TRUE(Dies([] { return ::syscall(SYS_kexec_load, 0, 0, nullptr, 0); }));
  EXPECT_TRUE(Dies([] { return ::syscall(SYS_process_vm_writev, 1, nullptr, 0, nullptr, 0, 0); }));
  EXPECT_TRUE(Dies([] { return ::syscall(SYS_setuid, 0); }));
}

#ifdef __x86_64__
TEST(Sandbox, OtherNumberingsEndTheProcess) {
  constexpr long kX32Bit = 0x40000000;
  EXPECT_TRUE(Dies([] { return ::syscall(kX32Bit | SYS_socket, AF_INET, SOCK_STREAM, 0); }));
  // 32-bit entry: socketcall(SYS_SOCKET) would be number 102. A kernel without that entry ends the
  // process by SIGSEGV, sandbox or not.
  const ExitState state = InChild([] {
    std::signal(SIGSEGV, SIG_DFL);  // sanitizers catch it
    long result;
    asm volatile("int $0x80" : "=a"(result) : "a"(102L), "b"(1L), "c"(0L) : "memory");
    return result < 0 ? 1 : 0;
  });
  EXPECT_TRUE(state.signalled && (state.code == SIGSYS || state.code == SIGSEGV))
      << state.Describe();
}
#endif

TEST(Sandbox, UnknownCallsLookLikeAnOlderKernel) {
  EXPECT_EQ(ErrnoOf([] { return ::syscall(600, 0, 0, 0, 0, 0, 0); }), ENOSYS);
}

TEST(Sandbox, MemoryIsNeverWritableAndExecutable) {
  const auto map = [](int protection) {
    return ErrnoOf([protection] {
      void* at = ::mmap(nullptr, 4096, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
      return at == MAP_FAILED ? -1 : 0;
    });
  };
  EXPECT_EQ(map(PROT_READ | PROT_WRITE), 0);
  EXPECT_EQ(map(PROT_READ | PROT_EXEC), 0);
  EXPECT_EQ(map(PROT_READ | PROT_WRITE | PROT_EXEC), EPERM);
  EXPECT_EQ(ErrnoOf([] {
              void* at = ::mmap(nullptr, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
              return ::mprotect(at, 4096, PROT_READ | PROT_EXEC);
            }),
            EPERM);
}

TEST(Sandbox, ThreadsAreHeldToo) {
  const ExitState state = InChild([] {
    std::atomic<int> seen{0};
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([&seen] {
        if (::socket(AF_INET, SOCK_STREAM, 0) < 0 && errno == EPERM) ++seen;
      });
    }
    for (std::thread& thread : threads) thread.join();
    return seen.load();
  });
  EXPECT_EQ(state.code, 4) << state.Describe();
}

TEST(Sandbox, ThreadsStartedBeforeAreHeld) {
  const pid_t pid = ::fork();
  if (pid == 0) {
    std::atomic<bool> entered{false};
    std::atomic<int> error{0};
    std::thread early([&] {
      entered.wait(false);
      error = ::socket(AF_INET, SOCK_STREAM, 0) < 0 ? errno : 0;
    });
    if (!EnterSandbox()) ::_exit(kNotEntered);
    entered = true;
    entered.notify_all();
    early.join();
    ::_exit(error.load());
  }
  EXPECT_EQ(WaitForExit(pid, 30'000).value()->code, EPERM);
}

TEST(Sandbox, AbortStillWorks) {
  const ExitState state = InChild([]() -> int { std::abort(); });
  EXPECT_TRUE(state.signalled);
  EXPECT_EQ(state.code, SIGABRT);
}

TEST(Sandbox, KeepsNoCoreDumps) {
  EXPECT_EQ(InChild([] { return ::prctl(PR_GET_DUMPABLE); }).code, 0);
  EXPECT_EQ(InChild([] { return ::prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0); }).code, 1);
}

TEST(Sandbox, FilesAreWrittenAndMadeDurable) {
  const testing::TemporaryDirectory directory;
  const ExitState state = InChild([&] {
    auto files = OpenFiles(directory.path());
    if (!files) return 1;
    if (!MakeDirectories(**files, "journal/api")) return 2;
    auto file = (*files)->OpenAppend("journal/api/1");
    if (!file) return 3;
    const std::string line = "admitted\n";
    const auto bytes = std::span(reinterpret_cast<const uint8_t*>(line.data()), line.size());
    if (!(*file)->Append(bytes) || !(*file)->Sync()) return 4;
    if (!WriteAtomically(**files, "state", "7")) return 5;
    if (!(*files)->SyncDirectory("journal/api")) return 6;
    const auto entries = (*files)->List("journal/api");
    if (!entries || entries->size() != 1) return 7;
    if (ReadAll(**files, "journal/api/1").value() != line) return 8;
    if (!RemoveTree(**files, "journal")) return 9;
    const UniqueFd fd(::open((directory.path() + "/space").c_str(), O_RDWR | O_CREAT, 0600));
    return ::posix_fallocate(fd.get(), 0, 65536) == 0 ? 0 : 10;
  });
  EXPECT_EQ(state.code, 0) << state.Describe();
}

TEST(Sandbox, EventLoopsWork) {
  const ExitState state = InChild([] {
    const UniqueFd poll(::epoll_create1(EPOLL_CLOEXEC));
    const UniqueFd event(::eventfd(0, EFD_NONBLOCK));
    const UniqueFd timer(::timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK));
    itimerspec when{{0, 0}, {0, 1'000'000}};
    if (::timerfd_settime(timer.get(), 0, &when, nullptr) != 0) return 1;
    for (const int fd : {event.get(), timer.get()}) {
      epoll_event interest{EPOLLIN, {.fd = fd}};
      if (::epoll_ctl(poll.get(), EPOLL_CTL_ADD, fd, &interest) != 0) return 2;
    }
    epoll_event ready{};
    if (::epoll_wait(poll.get(), &ready, 1, 5000) != 1 || ready.data.fd != timer.get()) return 3;
    return 0;
  });
  EXPECT_EQ(state.code, 0) << state.Describe();
}

TEST(Sandbox, DescriptorsStillArriveFromTheDialer) {
  auto [here, there] = SeqpacketPair().value();
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  const UniqueFd read_end(ends[0]);
  UniqueFd write_end(ends[1]);
  const pid_t pid = ::fork();
  if (pid == 0) {
    write_end.Reset();
    if (!EnterSandbox()) ::_exit(kNotEntered);
    if (!SendMessage(there.get(), "dial 0a1b2c3d")) ::_exit(1);
    const auto answer = ReceiveMessage(there.get(), 16);
    if (!answer || answer->fds.size() != 1) ::_exit(2);
    ::_exit(WriteFully(answer->fds[0].get(), "hello") ? 0 : 3);
  }
  EXPECT_EQ(ReceiveMessage(here.get(), 64).value().bytes, "dial 0a1b2c3d");
  ASSERT_TRUE(SendMessage(here.get(), std::string(1, '\0'), {write_end.get()}));
  write_end.Reset();
  EXPECT_EQ(WaitForExit(pid, 30'000).value()->code, 0);
  char text[8] = {};
  EXPECT_EQ(::read(read_end.get(), text, sizeof text), 5);
}

// The errno that `call` leaves in the dialer's sandbox; 0 when it succeeds, 255 when it is deadly.
int DialerErrnoOf(int family, const std::function<long()>& call) {
  const pid_t pid = ::fork();
  if (pid == 0) {
    if (!EnterDialerSandbox(family)) ::_exit(kNotEntered);
    ::_exit(call() < 0 ? errno : 0);
  }
  const ExitState state = WaitForExit(pid, 30'000).value().value();
  return state.signalled ? 255 : state.code;
}

TEST(DialerSandbox, ConnectsSocketsOfOneFamily) {
  const Listener listener = ListenOnLoopback();
  const auto dial = [&](int family, int type) {
    const int fd = ::socket(family, type | SOCK_CLOEXEC, 0);
    if (fd < 0) return -1;
    return ::connect(fd, reinterpret_cast<const sockaddr*>(&listener.address),
                     sizeof listener.address);
  };
  EXPECT_EQ(DialerErrnoOf(AF_INET, [&] { return dial(AF_INET, SOCK_STREAM); }), 0);
  EXPECT_EQ(DialerErrnoOf(AF_INET, [&] { return dial(AF_INET, SOCK_DGRAM); }), EPERM);
  EXPECT_EQ(DialerErrnoOf(AF_INET, [&] { return dial(AF_INET6, SOCK_STREAM); }), EPERM);
  EXPECT_EQ(DialerErrnoOf(AF_UNIX, [&] { return dial(AF_INET, SOCK_STREAM); }), EPERM);

  const testing::TemporaryDirectory directory;
  const std::string path = directory.path() + "/sock";
  const UniqueFd engine = ListenUnix(path).value();
  EXPECT_EQ(DialerErrnoOf(AF_UNIX, [&] { return ConnectUnix(path) ? 0 : -1; }), 0);
}

TEST(DialerSandbox, DoesNothingElse) {
  const Listener listener = ListenOnLoopback();
  EXPECT_EQ(DialerErrnoOf(AF_UNIX, [] { return ::open("/etc/passwd", O_RDONLY); }), EPERM);
  EXPECT_EQ(DialerErrnoOf(AF_UNIX, [&] { return ::listen(listener.fd.get(), 1); }), EPERM);
  EXPECT_EQ(DialerErrnoOf(AF_UNIX, [&] { return ::accept(listener.fd.get(), nullptr, nullptr); }),
            EPERM);
  EXPECT_EQ(DialerErrnoOf(AF_UNIX, [] { return ::fork(); }), EPERM);
  EXPECT_EQ(DialerErrnoOf(AF_UNIX, [] { return ::syscall(SYS_ptrace, 0, 0, 0, 0); }), 255);
}

TEST(DialerSandbox, PassesConnectedDescriptorsOn) {
  const testing::TemporaryDirectory directory;
  const std::string path = directory.path() + "/sock";
  const UniqueFd engine = ListenUnix(path).value();
  auto [here, there] = SeqpacketPair().value();
  const pid_t pid = ::fork();
  if (pid == 0) {
    here.Reset();
    if (!EnterDialerSandbox(AF_UNIX)) ::_exit(kNotEntered);
    if (!ReceiveMessage(there.get(), 16)) ::_exit(1);
    const auto connected = ConnectUnix(path);
    if (!connected) ::_exit(2);
    ::_exit(SendMessage(there.get(), "x", {connected->get()}) ? 0 : 3);
  }
  ASSERT_TRUE(SendMessage(here.get(), "engine"));
  const PassedMessage answer = ReceiveMessage(here.get(), 16).value();
  EXPECT_EQ(WaitForExit(pid, 30'000).value()->code, 0);
  ASSERT_EQ(answer.fds.size(), 1u);
  const UniqueFd accepted = AcceptUnix(engine.get()).value();
  ASSERT_TRUE(WriteFully(answer.fds[0].get(), "hi\n"));
  EXPECT_EQ(ReadLine(accepted.get(), 8).value(), "hi");
}

// A self-signed P-256 certificate in `context`.
bool UseFreshCertificate(SSL_CTX* context) {
  const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key(EVP_EC_gen("P-256"), EVP_PKEY_free);
  const std::unique_ptr<X509, decltype(&X509_free)> certificate(X509_new(), X509_free);
  X509_NAME* name = X509_get_subject_name(certificate.get());
  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, reinterpret_cast<const uint8_t*>("test"), -1,
                             -1, 0);
  X509_set_issuer_name(certificate.get(), name);
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), 0);
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), 3600);
  X509_set_pubkey(certificate.get(), key.get());
  return X509_sign(certificate.get(), key.get(), EVP_sha256()) > 0 &&
         SSL_CTX_use_certificate(context, certificate.get()) == 1 &&
         SSL_CTX_use_PrivateKey(context, key.get()) == 1;
}

using Ssl = std::unique_ptr<SSL, decltype(&SSL_free)>;
using SslContext = std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)>;

// Accepts one connection on a second thread, echoes one message through TLS, closes properly.
int ServeOneTlsEcho(int listener) {
  const SslContext context(SSL_CTX_new(TLS_server_method()), SSL_CTX_free);
  if (!UseFreshCertificate(context.get())) return 1;
  int result = 2;
  std::thread worker([&] {
    const UniqueFd fd(::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC));
    const Ssl ssl(SSL_new(context.get()), SSL_free);
    SSL_set_fd(ssl.get(), fd.get());
    char text[64];
    if (SSL_accept(ssl.get()) != 1) return;
    const int got = SSL_read(ssl.get(), text, sizeof text);
    if (got <= 0 || SSL_write(ssl.get(), text, got) != got) return;
    SSL_shutdown(ssl.get());
    ::shutdown(fd.get(), SHUT_WR);
    result = 0;
  });
  worker.join();
  return result;
}

TEST(Sandbox, TlsOverAnAcceptedSocketWorks) {
  const Listener listener = ListenOnLoopback();
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::_exit(EnterSandbox() ? ServeOneTlsEcho(listener.fd.get()) : kNotEntered);
  }
  const UniqueFd fd = ConnectTo(listener.address);
  const SslContext context(SSL_CTX_new(TLS_client_method()), SSL_CTX_free);
  const Ssl ssl(SSL_new(context.get()), SSL_free);
  SSL_set_fd(ssl.get(), fd.get());
  ASSERT_EQ(SSL_connect(ssl.get()), 1);
  ASSERT_EQ(SSL_write(ssl.get(), "ping", 4), 4);
  char text[8] = {};
  EXPECT_EQ(SSL_read(ssl.get(), text, sizeof text), 4);
  EXPECT_STREQ(text, "ping");
  EXPECT_EQ(WaitForExit(pid, 30'000).value()->code, 0);
}

}  // namespace
}  // namespace skerry::proxy
