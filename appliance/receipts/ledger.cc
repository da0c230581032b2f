#include "appliance/receipts/ledger.h"

#include <algorithm>
#include <charconv>

#include "appliance/receipts/page.h"

namespace skerry::receipts {

namespace {

constexpr std::string_view kMiddle = "-sha256-";
constexpr std::string_view kEnding = ".json";
constexpr size_t kCounterDigits = 6;
constexpr size_t kMaxCounterDigits = 15;
constexpr size_t kHexDigits = 64;

std::string PageName(const std::string& name) {
  return name.substr(0, name.size() - kEnding.size()) + ".html";
}

std::string InFolder(const std::string& directory, const std::string& name) {
  return directory == "." ? name : directory + "/" + name;
}

std::optional<ReceiptFile> ParseName(const std::string& name) {
  const size_t middle = name.find(kMiddle);
  const size_t size = middle + kMiddle.size() + kHexDigits + kEnding.size();
  if (middle == std::string::npos || middle > kMaxCounterDigits || name.size() != size) {
    return std::nullopt;
  }
  ReceiptFile file;
  const char* end = name.data() + middle;
  const auto [stop, error] = std::from_chars(name.data(), end, file.counter);
  const auto bundle = Sha256Digest::FromHex(name.substr(middle + kMiddle.size(), kHexDigits));
  if (error != std::errc() || stop != end || !bundle) return std::nullopt;
  file.bundle = *bundle;
  file.name = name;
  // One spelling of each: the counter's zeros and the ending.
  if (ReceiptFileName(file.counter, file.bundle) != name) return std::nullopt;
  return file;
}

}  // namespace

std::string ReceiptFileName(uint64_t counter, const Sha256Digest& bundle) {
  std::string digits = std::to_string(counter);
  if (digits.size() < kCounterDigits) digits.insert(0, kCounterDigits - digits.size(), '0');
  return digits + std::string(kMiddle) + bundle.Hex() + std::string(kEnding);
}

Result<std::vector<ReceiptFile>> ListReceipts(FileSystem& files, const std::string& directory) {
  std::vector<ReceiptFile> found;
  if (!files.Exists(directory)) return found;
  const std::vector<DirectoryEntry> entries = TRY(files.List(directory));
  for (const DirectoryEntry& entry : entries) {
    std::optional<ReceiptFile> file = ParseName(entry.name);
    if (file && entry.kind == FileKind::kFile) found.push_back(std::move(*file));
  }
  std::stable_sort(found.begin(), found.end(), [](const ReceiptFile& a, const ReceiptFile& b) {
    return a.counter < b.counter;
  });
  return found;
}

Result<SignedReceipt> ReadReceipt(FileSystem& files, const std::string& directory,
                                  const ReceiptFile& file, const trust::PublicKey& key) {
  const std::string text = TRY(ReadAll(files, InFolder(directory, file.name), kMaxReceiptBytes));
  SignedReceipt receipt = TRY(VerifyReceipt(text, key).WithContext("receipt '" + file.name + "'"));
  if (receipt.receipt.counter != file.counter || receipt.receipt.bundle != file.bundle) {
    return Error(ErrorCode::kCorrupt,
                 "receipt '" + file.name + "': its counter or bundle is not that of its name");
  }
  return receipt;
}

Result<Ledger> Ledger::Open(FileSystem& files, const Identity& identity) {
  Ledger ledger(files, identity);
  ledger.known_ = TRY(ListReceipts(files, kReceiptsDirectory));
  if (ledger.known_.empty()) return ledger;
  const Result<SignedReceipt> last =
      ReadReceipt(files, kReceiptsDirectory, ledger.known_.back(), identity.public_key());
  if (!last) {
    return Error(last.error().code() == ErrorCode::kIo ? ErrorCode::kIo : ErrorCode::kCorrupt,
                 last.error().message() +
                     "; the chain of receipts cannot be continued: restore 'receipts' from a "
                     "backup, or move it elsewhere to begin a new chain");
  }
  ledger.head_ = last->digest;
  return ledger;
}

Result<std::optional<SignedReceipt>> Ledger::Find(const Sha256Digest& bundle,
                                                  const std::string& imported_at) {
  for (auto file = known_.rbegin(); file != known_.rend(); ++file) {
    if (file->bundle != bundle) continue;
    SignedReceipt receipt =
        TRY(ReadReceipt(files_, kReceiptsDirectory, *file, identity_.public_key()));
    if (receipt.receipt.imported_at != PlainText(imported_at)) continue;
    const std::string page = InFolder(kReceiptsDirectory, PageName(file->name));
    if (!files_.Exists(page)) TRY(WriteAtomically(files_, page, ReceiptPage(receipt), 0644));
    return std::optional<SignedReceipt>(std::move(receipt));
  }
  return std::optional<SignedReceipt>();
}

SignedReceipt Ledger::Prepare(Receipt receipt) const {
  receipt.counter = known_.empty() ? 1 : known_.back().counter + 1;
  receipt.previous = head_;
  return SignReceipt(identity_, std::move(receipt));
}

Result<void> Ledger::Write(const SignedReceipt& next) {
  const Receipt& receipt = next.receipt;
  const ReceiptFile file{receipt.counter, receipt.bundle,
                         ReceiptFileName(receipt.counter, receipt.bundle)};
  if (!files_.Exists(kReceiptsDirectory)) {
    TRY(MakeDirectories(files_, kReceiptsDirectory, 0755));
    TRY(files_.SyncDirectory("."));
  }
  TRY(WriteAtomically(files_, InFolder(kReceiptsDirectory, file.name), next.text, 0644));
  known_.push_back(file);
  head_ = next.digest;
  return WriteAtomically(files_, InFolder(kReceiptsDirectory, PageName(file.name)),
                         ReceiptPage(next), 0644);
}

Result<ChainReport> VerifyChain(FileSystem& files, const std::string& directory,
                                const trust::PublicKey& key) {
  const std::vector<ReceiptFile> list = TRY(ListReceipts(files, directory));
  ChainReport report;
  for (const ReceiptFile& file : list) {
    const SignedReceipt receipt = TRY(ReadReceipt(files, directory, file, key));
    const Error broken(ErrorCode::kCorrupt,
                       "receipt '" + file.name + "' does not follow on the one before: " +
                           (file.counter == report.receipts + 1
                                ? "that one was replaced"
                                : "number " + std::to_string(report.receipts + 1) + " is missing"));
    if (file.counter == report.receipts) {
      return Error(ErrorCode::kCorrupt, "receipt '" + file.name + "': there are two of number " +
                                            std::to_string(file.counter));
    }
    if (file.counter != report.receipts + 1 || receipt.receipt.previous != report.head) {
      return broken;
    }
    ++report.receipts;
    report.head = receipt.digest;
  }
  return report;
}

}  // namespace skerry::receipts
