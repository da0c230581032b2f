// The folder receipts/ of a data directory: one JSON file per receipt, chained, and a page beside
// each.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "appliance/base/files.h"
#include "appliance/base/result.h"
#include "appliance/receipts/identity.h"
#include "appliance/receipts/receipt.h"

namespace skerry::receipts {

inline constexpr char kReceiptsDirectory[] = "receipts";

// NNNNNN-sha256-HEX.json
struct ReceiptFile {
  uint64_t counter = 0;
  Sha256Digest bundle;
  std::string name;
};

// "000001-sha256-HEX.json".
std::string ReceiptFileName(uint64_t counter, const Sha256Digest& bundle);

// What lies in folder `directory` of `files`, by counter; other names are passed over. An absent
// folder has none.
Result<std::vector<ReceiptFile>> ListReceipts(FileSystem& files, const std::string& directory);

// Receipt `name` of folder `directory`, checked; its counter and bundle must be those of its name.
// The error names the file.
Result<SignedReceipt> ReadReceipt(FileSystem& files, const std::string& directory,
                                  const ReceiptFile& file, const trust::PublicKey& key);

// The appliance's receipts. One thread at a time, and one process: who holds the data directory.
class Ledger {
 public:
  // kCorrupt when the last receipt does not hold: the chain cannot be continued.
  static Result<Ledger> Open(FileSystem& files, const Identity& identity);

  // The receipt of this import, if it was written before. Makes its page when that is missing.
  Result<std::optional<SignedReceipt>> Find(const Sha256Digest& bundle,
                                            const std::string& imported_at);
  // The next receipt, with counter and previous set but not written yet.
  SignedReceipt Prepare(Receipt receipt) const;
  // Writes what Prepare made last: durable when this returns, page included.
  Result<void> Write(const SignedReceipt& next);

 private:
  Ledger(FileSystem& files, const Identity& identity) : files_(files), identity_(identity) {}

  FileSystem& files_;
  const Identity& identity_;
  std::vector<ReceiptFile> known_;
  std::optional<Sha256Digest> head_;  // payload digest of the last one
};

struct ChainReport {
  uint64_t receipts = 0;
  std::optional<Sha256Digest> head;  // compare it with one noted earlier
};

// Checks every receipt of a folder and that they follow each other from 1 on. The error names the
// file. Receipts removed from the end do not show: compare the head.
Result<ChainReport> VerifyChain(FileSystem& files, const std::string& directory,
                                const trust::PublicKey& key);

}  // namespace skerry::receipts
