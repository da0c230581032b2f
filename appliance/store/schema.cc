#include "appliance/store/schema.h"

#include <unistd.h>

#include <cerrno>
#include <cstdio>

namespace skerry::store {

namespace {

// Times are milliseconds since 1970, UTC; 0 means never. Lists are JSON arrays.
constexpr std::string_view kMigrations[] = {
    R"sql(
CREATE TABLE models (
  digest TEXT PRIMARY KEY CHECK (length(digest) = 71),
  id TEXT NOT NULL,
  version TEXT NOT NULL,
  release_seq INTEGER NOT NULL,
  size_bytes INTEGER NOT NULL,
  imported_at TEXT NOT NULL
) STRICT;
CREATE INDEX models_by_id ON models (id, release_seq);

CREATE TABLE tokens (
  id TEXT PRIMARY KEY CHECK (length(id) = 12),
  hash BLOB NOT NULL CHECK (length(hash) = 32),
  label TEXT NOT NULL,
  models TEXT NOT NULL,
  scopes TEXT NOT NULL,
  created_ms INTEGER NOT NULL,
  expires_ms INTEGER NOT NULL,
  revoked_ms INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TABLE aliases (
  name TEXT PRIMARY KEY,
  is_default INTEGER NOT NULL CHECK (is_default IN (0, 1))
) STRICT;
CREATE UNIQUE INDEX one_default ON aliases (is_default) WHERE is_default = 1;

CREATE TABLE instances (
  iid TEXT PRIMARY KEY CHECK (length(iid) = 8),
  model TEXT NOT NULL REFERENCES models (digest),
  alias TEXT NOT NULL UNIQUE REFERENCES aliases (name),
  flags TEXT NOT NULL,
  desired INTEGER NOT NULL CHECK (desired IN (0, 1)),
  created_ms INTEGER NOT NULL
) STRICT;

CREATE TABLE settings (
  key TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT;
)sql",
};

Result<int64_t> Version(Database& database) {
  Statement statement = TRY(database.Prepare("PRAGMA user_version"));
  TRY(statement.Step());
  return statement.Int(0);
}

Result<void> BackUp(Database& database, const std::string& path, int64_t version) {
  const std::string copy = path + ".v" + std::to_string(version);
  const std::string unfinished = copy + ".new";
  ::unlink(unfinished.c_str());
  Statement statement = TRY(database.Prepare("VACUUM INTO ?1"));
  TRY(statement.Bind(1, unfinished).Run());
  if (::rename(unfinished.c_str(), copy.c_str()) != 0) {
    return ErrnoError("cannot rename to '" + copy + "'", errno);
  }
  return {};
}

}  // namespace

std::span<const std::string_view> Migrations() { return kMigrations; }

Result<void> Migrate(Database& database, const std::string& path,
                     std::span<const std::string_view> migrations) {
  const auto newest = static_cast<int64_t>(migrations.size());
  int64_t version = TRY(Version(database));
  if (version > newest) {
    return Error(ErrorCode::kUnavailable,
                 "database '" + path + "' has version " + std::to_string(version) +
                     ", made by a newer Skerry; this one knows " + std::to_string(newest) +
                     ": use that program, or the copy '" + path + ".v" + std::to_string(newest) +
                     "' if there is one");
  }
  for (; version < newest; ++version) {
    const std::string context =
        "database '" + path + "': migration to version " + std::to_string(version + 1);
    if (version > 0) TRY(BackUp(database, path, version).WithContext(context));
    Transaction transaction = TRY(Transaction::Begin(database));
    TRY(database.Execute(std::string(migrations[static_cast<size_t>(version)]))
            .WithContext(context));
    TRY(database.Execute("PRAGMA user_version=" + std::to_string(version + 1)));
    TRY(transaction.Commit());
  }
  return {};
}

}  // namespace skerry::store
