// One receipt: the facts of an import, in canonical JSON, in a signed envelope
// (docs/formats/receipt.md).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "appliance/base/result.h"
#include "appliance/base/sha256.h"
#include "appliance/receipts/identity.h"
#include "bundler/format/manifest.h"
#include "bundler/trust/keys.h"

namespace skerry::receipts {

inline constexpr std::string_view kReceiptType = "application/vnd.skerry.receipt.v1+json";
inline constexpr size_t kMaxReceiptBytes = 8 << 20;

// A floor as it stood: the highest release of the model's id that was imported.
struct FloorFact {
  uint64_t release_seq = 0;
  Sha256Digest digest;  // of the bundle
};

struct Template {
  std::string name;
  Sha256Digest sha256;
};

struct Receipt {
  uint64_t counter = 1;                  // from 1, without gaps
  std::optional<Sha256Digest> previous;  // of the payload of receipt counter - 1
  trust::KeyId appliance_key;
  Sha256Digest bundle;  // SHA-256 of the manifest
  Sha256Digest model;   // format::ModelDigest
  std::string id;
  std::string version;
  uint64_t release_seq = 0;
  std::string model_format;
  std::vector<format::FileEntry> files;
  std::vector<format::FileEntry> documents;
  std::vector<trust::KeyId> signers;       // that counted
  std::vector<trust::KeyId> release_keys;  // of the role they were checked against
  uint64_t release_threshold = 1;
  uint64_t root_version = 0;
  std::optional<Sha256Digest> root_fingerprint;  // none: the appliance does not have that root
  uint64_t revocations = 0;                      // sequence of the list in force; 0: none
  std::optional<FloorFact> floor_before;
  std::optional<FloorFact> floor_after;
  std::optional<Sha256Digest> permit;
  std::vector<Template> templates;  // chat templates
  std::string imported_at;          // RFC 3339, by the appliance's clock
  std::string software;             // version of Skerry that wrote the receipt
};

// `text` with everything but printable ASCII, and '"' and '\', replaced by '?', at most 255 bytes:
// what a receipt may carry.
std::string PlainText(std::string_view text);

// The payload. Texts are made plain.
std::string SerializeReceipt(const Receipt& receipt);
// Inverse; refuses every other spelling. kCorrupt naming the field.
Result<Receipt> ParseReceipt(std::string_view payload);

struct SignedReceipt {
  Receipt receipt;
  Sha256Digest digest;  // SHA-256 of the payload
  std::string text;     // the file
};

// Sets appliance_key and signs.
SignedReceipt SignReceipt(const Identity& identity, Receipt receipt);
// kCorrupt for a bad form, kUntrusted unless `key` and nobody else has signed it.
Result<SignedReceipt> VerifyReceipt(std::string_view text, const trust::PublicKey& key);

}  // namespace skerry::receipts
