#include "appliance/store/store.h"

#include <nlohmann/json.hpp>

#include "appliance/base/encode.h"
#include "appliance/base/json.h"
#include "appliance/store/schema.h"

namespace skerry::store {

namespace {

constexpr char kModelColumns[] =
    "SELECT digest, id, version, release_seq, size_bytes, imported_at FROM models ";
constexpr char kTokenColumns[] =
    "SELECT id, hash, label, models, scopes, created_ms, expires_ms, revoked_ms FROM tokens ";

std::string EncodeList(const std::vector<std::string>& list) { return DumpJson(list); }

Result<std::vector<std::string>> DecodeList(const std::string& text) {
  const Json json = TRY(ParseJson(text));
  std::vector<std::string> list;
  if (!json.is_array()) return Error(ErrorCode::kCorrupt, "database: a list is not an array");
  for (const Json& item : json) {
    if (!item.is_string()) return Error(ErrorCode::kCorrupt, "database: a list holds no strings");
    list.push_back(item.get<std::string>());
  }
  return list;
}

Result<ModelRow> ReadModel(const Statement& row) {
  return ModelRow{row.Text(0), row.Text(1), row.Text(2), row.Int(3), row.Int(4), row.Text(5)};
}

Result<TokenRow> ReadToken(const Statement& row) {
  TokenRow token;
  token.id = row.Text(0);
  const std::string hash = row.Text(1);
  if (hash.size() != token.hash.size()) {
    return Error(ErrorCode::kCorrupt, "database: token '" + token.id + "' has a damaged hash");
  }
  std::copy(hash.begin(), hash.end(), token.hash.begin());
  token.label = row.Text(2);
  token.models = TRY(DecodeList(row.Text(3)));
  token.scopes = TRY(DecodeList(row.Text(4)));
  token.created_ms = row.Int(5);
  token.expires_ms = row.Int(6);
  token.revoked_ms = row.Int(7);
  return token;
}

Result<InstanceRow> ReadInstance(const Statement& row) {
  InstanceRow instance;
  instance.iid = row.Text(0);
  instance.model = row.Text(1);
  instance.alias = row.Text(2);
  instance.flags = TRY(DecodeList(row.Text(3)));
  instance.desired = row.Int(4) != 0;
  instance.created_ms = row.Int(5);
  return instance;
}

template <typename Row>
Result<std::vector<Row>> ReadAllRows(Statement& statement,
                                     Result<Row> (*read)(const Statement& row)) {
  std::vector<Row> rows;
  for (;;) {
    const bool more = TRY(statement.Step());
    if (!more) return rows;
    Row row = TRY(read(statement));
    rows.push_back(std::move(row));
  }
}

// The one row; `missing` when there is none.
template <typename Row>
Result<Row> ReadOneRow(Statement& statement, Result<Row> (*read)(const Statement& row),
                       const std::string& missing) {
  const bool found = TRY(statement.Step());
  if (!found) return Error(ErrorCode::kNotFound, missing);
  return read(statement);
}

}  // namespace

Result<std::unique_ptr<Store>> Store::Open(const std::string& path) {
  Database database = TRY(Database::Open(path));
  TRY(Migrate(database, path));
  return std::unique_ptr<Store>(new Store(std::move(database)));
}

Result<void> Store::PutModel(const ModelRow& model) {
  Statement statement = TRY(database_.Prepare(
      "INSERT INTO models (digest, id, version, release_seq, size_bytes, imported_at) "
      "VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (digest) DO UPDATE SET id = ?2, version = ?3, "
      "release_seq = ?4, size_bytes = ?5, imported_at = ?6"));
  return statement.Bind(1, model.digest)
      .Bind(2, model.id)
      .Bind(3, model.version)
      .Bind(4, model.release_seq)
      .Bind(5, model.size_bytes)
      .Bind(6, model.imported_at)
      .Run();
}

Result<std::vector<ModelRow>> Store::Models() {
  Statement statement =
      TRY(database_.Prepare(std::string(kModelColumns) + "ORDER BY id, release_seq, digest"));
  return ReadAllRows(statement, ReadModel);
}

Result<ModelRow> Store::Model(const std::string& digest) {
  Statement statement = TRY(database_.Prepare(std::string(kModelColumns) + "WHERE digest = ?1"));
  statement.Bind(1, digest);
  return ReadOneRow(statement, ReadModel, "there is no model '" + digest + "'");
}

Result<ModelRow> Store::NewestModel(const std::string& id) {
  Statement statement =
      TRY(database_.Prepare(std::string(kModelColumns) + "WHERE id = ?1 ORDER BY release_seq DESC, "
                                                         "imported_at DESC LIMIT 1"));
  statement.Bind(1, id);
  return ReadOneRow(statement, ReadModel, "there is no model '" + id + "'");
}

Result<void> Store::DeleteModel(const std::string& digest) {
  Statement statement = TRY(database_.Prepare("DELETE FROM models WHERE digest = ?1"));
  TRY(statement.Bind(1, digest).Run());
  if (database_.Changes() == 0) {
    return Error(ErrorCode::kNotFound, "there is no model '" + digest + "'");
  }
  return {};
}

Result<void> Store::AddToken(const TokenRow& token) {
  Statement statement =
      TRY(database_.Prepare("INSERT INTO tokens (id, hash, label, models, scopes, created_ms, "
                            "expires_ms, revoked_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)"));
  return statement.Bind(1, token.id)
      .BindBlob(2, AsText(token.hash))
      .Bind(3, token.label)
      .Bind(4, EncodeList(token.models))
      .Bind(5, EncodeList(token.scopes))
      .Bind(6, token.created_ms)
      .Bind(7, token.expires_ms)
      .Bind(8, token.revoked_ms)
      .Run();
}

Result<std::vector<TokenRow>> Store::Tokens() {
  Statement statement =
      TRY(database_.Prepare(std::string(kTokenColumns) + "ORDER BY created_ms, id"));
  return ReadAllRows(statement, ReadToken);
}

Result<TokenRow> Store::Token(const std::string& id) {
  Statement statement = TRY(database_.Prepare(std::string(kTokenColumns) + "WHERE id = ?1"));
  statement.Bind(1, id);
  return ReadOneRow(statement, ReadToken, "there is no token '" + id + "'");
}

Result<void> Store::RevokeToken(const std::string& id, int64_t now_ms) {
  Statement statement =
      TRY(database_.Prepare("UPDATE tokens SET revoked_ms = ?2 WHERE id = ?1 AND revoked_ms = 0"));
  TRY(statement.Bind(1, id).Bind(2, now_ms).Run());
  if (database_.Changes() == 1) return {};
  TRY(Token(id));
  return Error(ErrorCode::kAlreadyExists, "token '" + id + "' was revoked before");
}

Result<void> Store::DeleteToken(const std::string& id) {
  Statement statement = TRY(database_.Prepare("DELETE FROM tokens WHERE id = ?1"));
  return statement.Bind(1, id).Run();
}

Result<AliasRow> Store::AddInstance(const InstanceRow& instance) {
  Transaction transaction = TRY(Transaction::Begin(database_));
  Statement defaults = TRY(database_.Prepare("SELECT count(*) FROM aliases WHERE is_default = 1"));
  TRY(defaults.Step());
  const AliasRow alias{instance.alias, defaults.Int(0) == 0};
  Statement add_alias =
      TRY(database_.Prepare("INSERT INTO aliases (name, is_default) VALUES (?1, ?2)"));
  TRY(add_alias.Bind(1, alias.name).Bind(2, int64_t{alias.is_default}).Run());
  Statement add =
      TRY(database_.Prepare("INSERT INTO instances (iid, model, alias, flags, desired, created_ms) "
                            "VALUES (?1, ?2, ?3, ?4, ?5, ?6)"));
  TRY(add.Bind(1, instance.iid)
          .Bind(2, instance.model)
          .Bind(3, instance.alias)
          .Bind(4, EncodeList(instance.flags))
          .Bind(5, int64_t{instance.desired})
          .Bind(6, instance.created_ms)
          .Run());
  TRY(transaction.Commit());
  return alias;
}

Result<std::vector<InstanceRow>> Store::Instances() {
  Statement statement =
      TRY(database_.Prepare("SELECT iid, model, alias, flags, desired, created_ms FROM instances "
                            "ORDER BY created_ms, iid"));
  return ReadAllRows(statement, ReadInstance);
}

Result<void> Store::SetDesired(const std::string& iid, bool desired) {
  Statement statement = TRY(database_.Prepare("UPDATE instances SET desired = ?2 WHERE iid = ?1"));
  TRY(statement.Bind(1, iid).Bind(2, int64_t{desired}).Run());
  if (database_.Changes() == 1) return {};
  return Error(ErrorCode::kNotFound, "there is no instance '" + iid + "'");
}

Result<void> Store::DeleteInstance(const std::string& iid) {
  Transaction transaction = TRY(Transaction::Begin(database_));
  Statement find = TRY(database_.Prepare("SELECT alias FROM instances WHERE iid = ?1"));
  const bool found = TRY(find.Bind(1, iid).Step());
  if (!found) return Error(ErrorCode::kNotFound, "there is no instance '" + iid + "'");
  const std::string alias = find.Text(0);
  Statement remove = TRY(database_.Prepare("DELETE FROM instances WHERE iid = ?1"));
  TRY(remove.Bind(1, iid).Run());
  Statement remove_alias = TRY(database_.Prepare("DELETE FROM aliases WHERE name = ?1"));
  TRY(remove_alias.Bind(1, alias).Run());
  return transaction.Commit();
}

Result<std::vector<AliasRow>> Store::Aliases() {
  Statement statement =
      TRY(database_.Prepare("SELECT name, is_default FROM aliases ORDER BY name"));
  std::vector<AliasRow> aliases;
  for (;;) {
    const bool more = TRY(statement.Step());
    if (!more) return aliases;
    aliases.push_back({statement.Text(0), statement.Int(1) != 0});
  }
}

Result<std::optional<std::string>> Store::Setting(const std::string& key) {
  Statement statement = TRY(database_.Prepare("SELECT value FROM settings WHERE key = ?1"));
  const bool found = TRY(statement.Bind(1, key).Step());
  if (!found) return std::optional<std::string>();
  return std::optional<std::string>(statement.Text(0));
}

Result<void> Store::PutSetting(const std::string& key, const std::string& value) {
  Statement statement =
      TRY(database_.Prepare("INSERT INTO settings (key, value) VALUES (?1, ?2) "
                            "ON CONFLICT (key) DO UPDATE SET value = ?2"));
  return statement.Bind(1, key).Bind(2, value).Run();
}

}  // namespace skerry::store
