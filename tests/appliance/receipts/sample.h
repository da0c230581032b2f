// A receipt with something in every field.
#pragma once

#include <string>
#include <string_view>

#include "appliance/receipts/receipt.h"

namespace skerry::receipts {

inline Sha256Digest Digest(std::string_view seed) { return Sha256::Of(seed); }

inline Receipt SampleReceipt(const std::string& name = "model") {
  Receipt receipt;
  receipt.bundle = Digest("bundle " + name);
  receipt.model = Digest("content " + name);
  receipt.id = "acme/" + name;
  receipt.version = "1.2.0";
  receipt.release_seq = 7;
  receipt.model_format = "huggingface";
  receipt.files = {{"config.json", 1234, Digest("r0"), Digest("f0")},
                   {"model.safetensors", 4'294'967'296, Digest("r1"), Digest("f1")}};
  receipt.documents = {{"LICENSE", 20, Digest("r2"), Digest("f2")}};
  receipt.signers = {Digest("k0"), Digest("k1")};
  receipt.release_keys = {Digest("k0"), Digest("k1"), Digest("k2")};
  receipt.release_threshold = 2;
  receipt.root_version = 3;
  receipt.root_fingerprint = Digest("root");
  receipt.revocations = 5;
  receipt.floor_before = FloorFact{8, Digest("floor")};
  receipt.floor_after = FloorFact{7, receipt.bundle};
  receipt.permit = Digest("permit");
  receipt.templates = {{"default", Digest("template")}};
  receipt.imported_at = "2026-11-24T15:00:00.000Z";
  receipt.software = "0.1.0";
  return receipt;
}

}  // namespace skerry::receipts
