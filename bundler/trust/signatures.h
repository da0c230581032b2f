// Signatures in the manner of DSSE (secure-systems-lab/dsse, protocol 1.0): over the
// pre-authentication encoding of a type and the received bytes, so that one kind of document never
// passes for another.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "appliance/base/result.h"
#include "bundler/trust/keys.h"

namespace skerry::trust {

inline constexpr size_t kMaxSignatures = 64;

struct Signature {
  KeyId key_id;
  std::array<uint8_t, 64> bytes{};  // RFC 8032
};

// "DSSEv1 LEN(type) type LEN(payload) payload".
std::string PreAuthEncoding(std::string_view type, std::string_view payload);

// {"signatures":[{"algorithm","keyid","sig"}]}, sorted by key id. Parsing refuses every other
// spelling.
std::string SerializeSignatures(std::vector<Signature> signatures);
Result<std::vector<Signature>> ParseSignatures(std::string_view text, size_t max_bytes);

// A signed document in one file: {"payload":BASE64,"payloadType":TYPE,"signatures":[...]}.
struct Envelope {
  std::string type;
  std::string payload;
  std::vector<Signature> signatures;
};
std::string SerializeEnvelope(Envelope envelope);
// kCorrupt unless the text is canonical and of `type`; it ends in one line feed.
Result<Envelope> ParseEnvelope(std::string_view text, std::string_view type, size_t max_bytes);

// Whether `signature` by `key` holds over PreAuthEncoding(type, payload).
bool Verify(const PublicKey& key, const Signature& signature, std::string_view type,
            std::string_view payload);

}  // namespace skerry::trust
