#include "bundler/inspect/content.h"

#include <algorithm>
#include <optional>
#include <string>

#include "appliance/base/encode.h"
#include "bundler/format/names.h"

namespace skerry::inspect {

namespace {

constexpr std::string_view kCodeSuffixes[] = {".py",  ".pyc",   ".pyo", ".pyd", ".pyx", ".so",
                                              ".dll", ".dylib", ".exe", ".sh",  ".bat", ".ps1"};

Error Refused(std::string_view name, std::string_view why) {
  return Error(ErrorCode::kUntrusted,
               "file " + format::Quote(name) + " is refused: " + std::string(why));
}

bool EndsWithFolded(std::string_view name, std::string_view suffix) {
  if (name.size() < suffix.size()) return false;
  const std::string_view tail = name.substr(name.size() - suffix.size());
  return std::equal(tail.begin(), tail.end(), suffix.begin(), [](char a, char b) {
    return (a >= 'A' && a <= 'Z' ? static_cast<char>(a - 'A' + 'a') : a) == b;
  });
}

// Walks the opcodes of a pickle of protocol 0 or 1 (Lib/pickletools.py lists them with their
// arguments).
class PickleWalk {
 public:
  explicit PickleWalk(std::span<const uint8_t> bytes) : bytes_(bytes) {}

  enum class End { kStop, kOutOfBytes, kNotAPickle };

  End Run() {
    while (at_ < bytes_.size()) {
      const char op = static_cast<char>(bytes_[at_++]);
      if (op == '.') return End::kStop;
      const std::optional<size_t> argument = ArgumentBytes(op);
      if (!argument) return End::kNotAPickle;
      if (*argument > bytes_.size() - at_) return End::kOutOfBytes;
      at_ += *argument;
    }
    return End::kOutOfBytes;
  }

  bool imports() const { return imports_; }
  bool at_end() const { return at_ == bytes_.size(); }

 private:
  // Bytes of the argument; nullopt for an unknown opcode or a malformed argument.
  std::optional<size_t> ArgumentBytes(char op) {
    switch (op) {
      case '(':
      case '0':
      case '1':
      case '2':
      case 'N':
      case 'Q':
      case 'R':
      case 'a':
      case 'b':
      case 'd':
      case '}':
      case 'e':
      case 'l':
      case ']':
      case 'o':
      case 's':
      case 't':
      case ')':
      case 'u':
        return 0;
      case 'K':
      case 'U':
      case 'h':
      case 'q':
        return op == 'U' ? Counted(1) : std::optional<size_t>(1);
      case 'M':
        return 2;
      case 'J':
      case 'j':
      case 'r':
        return 4;
      case 'T':
      case 'X':
        return Counted(4);
      case 'G':
        return 8;
      case 'F':
      case 'I':
      case 'L':
      case 'P':
      case 'S':
      case 'V':
      case 'g':
      case 'p':
        return Line(0);
      case 'c':
      case 'i': {
        imports_ = true;
        const std::optional<size_t> module = Name(0);
        return module ? Name(*module) : std::nullopt;
      }
      default:
        return std::nullopt;
    }
  }

  std::optional<size_t> Counted(size_t width) const {
    if (bytes_.size() - at_ < width) return bytes_.size();
    size_t count = 0;
    for (size_t i = width; i-- > 0;) count = count << 8 | bytes_[at_ + i];
    return width + count;
  }

  // Up to and with the next line feed, from `skip` bytes further on.
  std::optional<size_t> Line(size_t skip) const {
    const auto rest = bytes_.subspan(at_ + skip);
    const auto end = std::find(rest.begin(), rest.end(), '\n');
    if (end == rest.end()) return bytes_.size();
    return skip + static_cast<size_t>(end - rest.begin()) + 1;
  }

  // A line that can be the name of a Python module or attribute.
  std::optional<size_t> Name(size_t skip) const {
    if (skip > bytes_.size() - at_) return skip;
    const std::optional<size_t> end = Line(skip);
    if (*end > bytes_.size() - at_) return end;
    const auto line = bytes_.subspan(at_ + skip, *end - skip - 1);
    const bool ok = !line.empty() && std::all_of(line.begin(), line.end(), [](uint8_t c) {
      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
             c == '_' || c == '.' || c >= 0x80;
    });
    return ok ? end : std::nullopt;
  }

  std::span<const uint8_t> bytes_;
  size_t at_ = 0;
  bool imports_ = false;
};

}  // namespace

bool IsPickle(std::span<const uint8_t> bytes, bool whole) {
  // PROTO, then an opcode: protocols 2 to 5 begin so.
  if (bytes.size() >= 2 && bytes[0] == 0x80 && bytes[1] >= 2 && bytes[1] <= 5) return true;
  PickleWalk walk(bytes);
  const PickleWalk::End end = walk.Run();
  if (!walk.imports()) return false;
  // What follows STOP is not read by an unpickler, so bytes after it do not make it harmless.
  return end == PickleWalk::End::kStop || (end == PickleWalk::End::kOutOfBytes && !whole);
}

Result<void> CheckContent(std::string_view name, std::span<const uint8_t> head, bool whole) {
  for (const std::string_view suffix : kCodeSuffixes) {
    if (EndsWithFolded(name, suffix)) return Refused(name, "program code does not travel");
  }
  const std::string_view text = AsText(head);
  if (text.starts_with("#!") ||
      text.starts_with("\x7f"
                       "ELF") ||
      (text.starts_with("MZ") && head.size() > 2 && head[2] < 0x20 && !whole)) {
    return Refused(name, "it is a program");
  }
  // Weights in these two formats have a structure check of their own, and a header length may look
  // like the beginning of a pickle.
  if (name.ends_with(".safetensors") || name.ends_with(".gguf")) return {};
  if (text.starts_with("PK\x03\x04") || text.starts_with("PK\x05\x06")) {
    return Refused(name,
                   "it is a zip archive (PyTorch's checkpoints are); convert the weights to "
                   "safetensors");
  }
  if (text.size() > 262 && text.substr(257, 5) == "ustar") {
    return Refused(name, "it is a tar archive; unpack it first");
  }
  if (IsPickle(head, whole)) {
    return Refused(name,
                   "it is a Python pickle, which runs code when read; convert the weights to "
                   "safetensors");
  }
  constexpr size_t kNumpyHeaderBytes = 4096;
  if (text.starts_with("\x93NUMPY") &&
      text.substr(0, kNumpyHeaderBytes).find("|O") != std::string_view::npos) {
    return Refused(name, "it is a NumPy file of Python objects (pickles)");
  }
  return {};
}

}  // namespace skerry::inspect
