// Passphrases of secret keys: where they come from, and memory that does not outlive their use.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "appliance/base/files.h"
#include "appliance/base/result.h"

namespace skerry::build {

inline constexpr size_t kMaxPassphraseBytes = 1024;

// Bytes in guarded memory that is never swapped out (libsodium's sodium_malloc, as far as the
// system allows), wiped when the object ends. Movable only. One thread.
class SecretBytes {
 public:
  explicit SecretBytes(size_t size);  // zeros

  size_t size() const { return size_; }
  char* data() { return bytes_.get(); }
  const char* data() const { return bytes_.get(); }
  std::string_view view() const { return {bytes_.get(), size_}; }
  // Forgets what is after the first `size` bytes; size <= size().
  void Shrink(size_t size) { size_ = size; }

 private:
  struct Free {
    void operator()(char* bytes) const;
  };
  std::unique_ptr<char, Free> bytes_;
  size_t size_;
};

// Who knows the passphrases. One thread.
class PassphraseSource {
 public:
  virtual ~PassphraseSource() = default;
  // The passphrase of the key file `name`. kCancelled when the user gave up.
  virtual Result<SecretBytes> Ask(const std::string& name) = 0;
  // A new one for it. kInvalidArgument when it is empty or the repetition differs.
  virtual Result<SecretBytes> AskNew(const std::string& name) = 0;
};

// Asks on the controlling terminal, without echo; a new one twice. kUnavailable without a terminal.
std::unique_ptr<PassphraseSource> TerminalPassphrases();

// The first line of the file `path` of `files`, for every key. `files` must outlive it.
std::unique_ptr<PassphraseSource> FilePassphrases(FileSystem& files, std::string path);

}  // namespace skerry::build
