#include "bundler/inspect/content.h"

#include <algorithm>
#include <string>
#include <vector>

#include "appliance/base/encode.h"
#include "bundler/format/names.h"
#include "bundler/inspect/pickle.h"

namespace skerry::inspect {

namespace {

// How much of a file's beginning is looked at, except for what lies elsewhere.
constexpr size_t kHeadBytes = 64 << 10;

constexpr std::string_view kCodeSuffixes[] = {
    ".py",  ".pyc",   ".pyo",  ".pyd", ".pyi", ".pyw",  ".pyx", ".whl",  ".egg", ".so",
    ".dll", ".dylib", ".exe",  ".com", ".jar", ".wasm", ".sh",  ".bash", ".zsh", ".bat",
    ".cmd", ".ps1",   ".psm1", ".vbs", ".js",  ".mjs",  ".lua", ".pl",   ".rb"};

// What stands at the beginning of a file that hides its content from these checks.
constexpr std::string_view kCompressed[] = {"\x1f\x8b",
                                            "BZh",
                                            "\xfd"
                                            "7zXZ",
                                            "\x28\xb5\x2f\xfd",
                                            "\x04\x22\x4d\x18",
                                            "7z\xbc\xaf",
                                            "Rar!\x1a",
                                            "x\x01",
                                            "x\x9c",
                                            "x\xda",
                                            "ZF0x"};

// ELF, Mach-O (both byte orders, and universal), WebAssembly.
constexpr std::string_view kPrograms[] = {"#!",
                                          "\x7f"
                                          "ELF",
                                          "\xfe\xed\xfa\xce",
                                          "\xfe\xed\xfa\xcf",
                                          "\xce\xfa\xed\xfe",
                                          "\xcf\xfa\xed\xfe",
                                          "\xca\xfe\xba\xbe",
                                          std::string_view("\0asm", 4)};

constexpr std::string_view kHdf5 = "\x89HDF\r\n\x1a\n";

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

bool BeginsWithAny(std::string_view text, std::span<const std::string_view> beginnings) {
  return std::any_of(beginnings.begin(), beginnings.end(),
                     [&](std::string_view beginning) { return text.starts_with(beginning); });
}

uint64_t NumberAt(std::span<const uint8_t> bytes, size_t at, size_t width) {
  uint64_t value = 0;
  for (size_t i = width; i-- > 0;) value = value << 8 | bytes[at + i];
  return value;
}

// Whether `file` has `wanted` (at most 8 bytes) at `offset`.
Result<bool> HasAt(const File& file, uint64_t offset, std::string_view wanted) {
  uint8_t bytes[8] = {};
  const size_t got = TRY(file.ReadAt(offset, std::span(bytes).first(wanted.size())));
  return AsText(std::span<const uint8_t>(bytes).first(got)) == wanted;
}

// Windows: an MZ header whose field at 0x3c leads to "PE", wherever in the file that is.
Result<bool> IsPortableExecutable(const File& file, std::span<const uint8_t> head) {
  if (!AsText(head).starts_with("MZ") || head.size() < 0x40) return false;
  return HasAt(file, NumberAt(head, 0x3c, 4), std::string_view("PE\0\0", 4));
}

// The format's own rule: the superblock lies at 0, 512, 1024, 2048, ...
Result<bool> IsHdf5(const File& file, uint64_t size) {
  for (uint64_t at = 0; at < size; at = at == 0 ? 512 : at * 2) {
    const bool found = TRY(HasAt(file, at, kHdf5));
    if (found) return true;
  }
  return false;
}

// numpy/lib/format.py: a file of the type 'O', alone or as a field, holds a pickle. The other words
// of the header have no capital O.
bool IsObjectArray(std::span<const uint8_t> head) {
  const std::string_view text = AsText(head);
  if (!text.starts_with("\x93NUMPY")) return false;
  const size_t width = head.size() > 6 && head[6] == 1 ? 2 : 4;
  if (head.size() < 8 + width) return true;
  const uint64_t length = NumberAt(head, 8, width);
  const std::string_view header = text.substr(8 + width).substr(0, length);
  return header.size() < length || header.find('O') != std::string_view::npos;
}

Result<void> CheckHead(std::string_view name, const File& file, uint64_t size,
                       std::span<const uint8_t> head) {
  const std::string_view text = AsText(head);
  const bool windows = TRY(IsPortableExecutable(file, head));
  if (windows || BeginsWithAny(text, kPrograms)) return Refused(name, "it is a program");
  // Weights in these two formats have a structure check of their own, and a header length may look
  // like the beginning of a pickle.
  if (name.ends_with(".safetensors") || name.ends_with(".gguf")) return {};
  if (text.starts_with("PK\x03\x04") || text.starts_with("PK\x05\x06")) {
    return Refused(name,
                   "it is a zip archive (PyTorch's checkpoints are); convert the weights to "
                   "safetensors");
  }
  if (text.size() >= 262 && text.substr(257, 5) == "ustar") {
    return Refused(name, "it is a tar archive; unpack it first");
  }
  const bool pickle = TRY(IsPickle(file));
  if (pickle) {
    return Refused(name,
                   "it is a Python pickle, which runs code when read; convert the weights to "
                   "safetensors");
  }
  if (IsObjectArray(head)) {
    return Refused(name, "it is a NumPy file of Python objects (pickles)");
  }
  const bool hdf5 = TRY(IsHdf5(file, size));
  if (hdf5) {
    return Refused(
        name,
        "it is an HDF5 file (Keras), which may carry Python code; convert the weights to "
        "safetensors");
  }
  if (BeginsWithAny(text, kCompressed)) {
    return Refused(name, "it is compressed, so its content cannot be checked; unpack it first");
  }
  return {};
}

}  // namespace

bool IsCodeName(std::string_view name) {
  return std::any_of(std::begin(kCodeSuffixes), std::end(kCodeSuffixes),
                     [&](std::string_view suffix) { return EndsWithFolded(name, suffix); });
}

Result<void> CheckContent(std::string_view name, const File& file) {
  if (IsCodeName(name)) return Refused(name, "program code does not travel");
  const uint64_t size = TRY(file.Size());
  std::vector<uint8_t> buffer(std::min<uint64_t>(size, kHeadBytes));
  const size_t got = TRY(file.ReadAt(0, buffer));
  const std::span<const uint8_t> head(buffer.data(), got);
  return CheckHead(name, file, size, head);
}

}  // namespace skerry::inspect
