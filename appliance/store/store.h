// What admin remembers: models, tokens, instances, aliases, settings. Typed rows and queries over
// the database; nobody outside this folder writes SQL.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "appliance/base/result.h"
#include "appliance/store/database.h"

namespace skerry::store {

struct ModelRow {
  std::string digest;  // "sha256-HEX"
  std::string id;      // "ORG/NAME"
  std::string version;
  int64_t release_seq = 0;
  int64_t size_bytes = 0;
  std::string imported_at;  // as the importer wrote it, RFC 3339
  bool operator==(const ModelRow&) const = default;
};

struct TokenRow {
  std::string id;
  std::array<uint8_t, 32> hash{};
  std::string label;
  std::vector<std::string> models;
  std::vector<std::string> scopes;
  int64_t created_ms = 0;
  int64_t expires_ms = 0;  // 0: never
  int64_t revoked_ms = 0;  // 0: not revoked
  bool operator==(const TokenRow&) const = default;
};

struct AliasRow {
  std::string name;
  bool is_default = false;
  bool operator==(const AliasRow&) const = default;
};

struct InstanceRow {
  std::string iid;
  std::string model;  // digest
  std::string alias;
  std::vector<std::string> flags;
  bool desired = true;  // is to run
  int64_t created_ms = 0;
  bool operator==(const InstanceRow&) const = default;
};

// One thread at a time. Each changing call is one transaction, durable when it returns.
class Store {
 public:
  // Opens or creates the file at `path` and migrates it. kCorrupt, kUnavailable (newer schema),
  // kIo.
  static Result<std::unique_ptr<Store>> Open(const std::string& path);

  Result<void> PutModel(const ModelRow& model);         // replaces one of the same digest
  Result<std::vector<ModelRow>> Models();               // by id, then release_seq
  Result<ModelRow> Model(const std::string& digest);    // kNotFound
  Result<ModelRow> NewestModel(const std::string& id);  // kNotFound
  // kNotFound; kInvalidArgument while an instance needs it.
  Result<void> DeleteModel(const std::string& digest);

  Result<void> AddToken(const TokenRow& token);   // kAlreadyExists
  Result<std::vector<TokenRow>> Tokens();         // by creation
  Result<TokenRow> Token(const std::string& id);  // kNotFound
  // kNotFound for an unknown one, kAlreadyExists when it was revoked before.
  Result<void> RevokeToken(const std::string& id, int64_t now_ms);
  Result<void> DeleteToken(const std::string& id);  // one that was never in force

  // Adds the instance together with its alias, which becomes the default when there is none.
  // kAlreadyExists when the id or alias is in use. Returns the alias.
  Result<AliasRow> AddInstance(const InstanceRow& instance);
  Result<std::vector<InstanceRow>> Instances();                   // by creation
  Result<void> SetDesired(const std::string& iid, bool desired);  // kNotFound
  Result<void> DeleteInstance(const std::string& iid);            // and its alias; kNotFound
  Result<std::vector<AliasRow>> Aliases();

  Result<std::optional<std::string>> Setting(const std::string& key);
  Result<void> PutSetting(const std::string& key, const std::string& value);

 private:
  explicit Store(Database database) : database_(std::move(database)) {}
  Database database_;
};

}  // namespace skerry::store
