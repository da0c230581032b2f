#include "bundler/build/passphrase.h"

#include <fcntl.h>
#include <sodium.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "appliance/base/encode.h"
#include "appliance/base/unique_fd.h"
#include "appliance/base/unix_socket.h"

namespace skerry::build {

namespace {

constexpr char kControlC = 3, kControlD = 4, kBackspace = 8, kDelete = 127, kControlU = 21;

Error Empty() {
  return Error(ErrorCode::kInvalidArgument,
               "the passphrase is empty; to keep a key without one, leave encryption out");
}

// A terminal without echo and line editing; as it was again at the end of the scope. Signals of the
// keyboard come as bytes meanwhile, so that none leaves the terminal mute.
class SilentTerminal {
 public:
  static Result<SilentTerminal> Open() {
    UniqueFd fd(::open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY));
    termios before{};
    if (!fd || ::tcgetattr(fd.get(), &before) != 0) {
      return Error(ErrorCode::kUnavailable,
                   "there is no terminal to ask for the passphrase; give it with "
                   "--passphrase-file FILE");
    }
    termios silent = before;
    silent.c_lflag &= ~static_cast<tcflag_t>(ECHO | ICANON | ISIG);
    if (::tcsetattr(fd.get(), TCSAFLUSH, &silent) != 0) {
      return ErrnoError("cannot silence the terminal", errno);
    }
    return SilentTerminal(std::move(fd), before);
  }
  SilentTerminal(SilentTerminal&&) = default;
  SilentTerminal& operator=(SilentTerminal&&) = delete;
  ~SilentTerminal() {
    if (fd_) ::tcsetattr(fd_.get(), TCSAFLUSH, &before_);
  }

  Result<SecretBytes> ReadLine(const std::string& prompt) {
    TRY(WriteFully(fd_.get(), prompt));
    SecretBytes line(kMaxPassphraseBytes);
    size_t used = 0;
    for (;;) {
      char c = 0;
      const ssize_t got = ::read(fd_.get(), &c, 1);
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0 || c == kControlC || c == kControlD) {
        (void)WriteFully(fd_.get(), "\n");
        return Error(ErrorCode::kCancelled, "no passphrase was given; nothing was changed");
      }
      if (c == '\n' || c == '\r') break;
      if (c == kBackspace || c == kDelete) {
        if (used > 0) --used;
      } else if (c == kControlU) {
        used = 0;
      } else if (used == kMaxPassphraseBytes) {
        return Error(ErrorCode::kExhausted, "the passphrase is longer than 1024 bytes");
      } else {
        line.data()[used++] = c;
      }
      ::sodium_memzero(&c, 1);
    }
    TRY(WriteFully(fd_.get(), "\n"));
    line.Shrink(used);
    return line;
  }

 private:
  SilentTerminal(UniqueFd fd, const termios& before) : fd_(std::move(fd)), before_(before) {}

  UniqueFd fd_;
  termios before_;
};

class OnTerminal : public PassphraseSource {
 public:
  Result<SecretBytes> Ask(const std::string& name) override {
    SilentTerminal terminal = TRY(SilentTerminal::Open());
    return terminal.ReadLine("Passphrase of '" + name + "': ");
  }
  Result<SecretBytes> AskNew(const std::string& name) override {
    SilentTerminal terminal = TRY(SilentTerminal::Open());
    SecretBytes first = TRY(terminal.ReadLine("New passphrase for '" + name + "': "));
    if (first.size() == 0) return Empty();
    const SecretBytes second = TRY(terminal.ReadLine("The same again: "));
    if (first.view() != second.view()) {
      return Error(ErrorCode::kInvalidArgument,
                   "the two passphrases differ; nothing was changed, try again");
    }
    return first;
  }
};

class InFile : public PassphraseSource {
 public:
  InFile(FileSystem& files, std::string path) : files_(files), path_(std::move(path)) {}

  Result<SecretBytes> Ask(const std::string&) override { return Read(); }
  Result<SecretBytes> AskNew(const std::string&) override {
    SecretBytes passphrase = TRY(Read());
    if (passphrase.size() == 0) return Empty();
    return passphrase;
  }

 private:
  Result<SecretBytes> Read() {
    const std::unique_ptr<File> file = TRY(files_.OpenRead(path_));
    SecretBytes line(kMaxPassphraseBytes + 1);
    const size_t got =
        TRY(file->ReadAt(0, {reinterpret_cast<uint8_t*>(line.data()), kMaxPassphraseBytes + 1}));
    line.Shrink(got);
    const size_t end = std::min(line.view().find('\n'), got);
    if (end > kMaxPassphraseBytes) {
      return Error(ErrorCode::kExhausted,
                   "'" + path_ + "': the passphrase is longer than 1024 bytes");
    }
    line.Shrink(end > 0 && line.view()[end - 1] == '\r' ? end - 1 : end);
    return line;
  }

  FileSystem& files_;
  const std::string path_;
};

}  // namespace

SecretBytes::SecretBytes(size_t size) : size_(size) {
  if (::sodium_init() < 0) std::abort();  // no source of random numbers: nothing can go on
  bytes_.reset(static_cast<char*>(::sodium_malloc(std::max<size_t>(1, size))));
  if (bytes_ == nullptr) std::abort();  // out of memory
  std::memset(bytes_.get(), 0, size);
}

void SecretBytes::Free::operator()(char* bytes) const { ::sodium_free(bytes); }

std::unique_ptr<PassphraseSource> TerminalPassphrases() { return std::make_unique<OnTerminal>(); }

std::unique_ptr<PassphraseSource> FilePassphrases(FileSystem& files, std::string path) {
  return std::make_unique<InFile>(files, std::move(path));
}

}  // namespace skerry::build
