#include "engine/cache/block_name.h"

#include <string>

namespace skerry::engine {
namespace {

void AddField(Sha256& hash, std::string_view field) {
  hash.Update(std::to_string(field.size()) + ":");
  hash.Update(field);
}

}  // namespace

BlockName RootName(std::string_view tenant, std::string_view tenant_salt,
                   std::string_view request_salt) {
  Sha256 hash;
  hash.Update("shared root\n");
  for (const std::string_view field : {tenant, tenant_salt, request_salt}) AddField(hash, field);
  return hash.Finish();
}

BlockName RootName(uint64_t number) {
  Sha256 hash;
  hash.Update("root of its own\n");
  AddField(hash, std::to_string(number));
  return hash.Finish();
}

BlockName NextName(const BlockName& parent, std::span<const TokenId> tokens) {
  Sha256 hash;
  hash.Update(parent.bytes);
  hash.Update({reinterpret_cast<const uint8_t*>(tokens.data()), tokens.size_bytes()});
  return hash.Finish();
}

}  // namespace skerry::engine
