#include "appliance/store/database.h"

#include <fcntl.h>
#include <sqlite3.h>

#include <cerrno>

#include "appliance/base/unique_fd.h"

namespace skerry::store {

namespace {

constexpr int kBusyTimeoutMs = 5'000;

Error SqliteError(sqlite3* database, int status) {
  ErrorCode code = ErrorCode::kInternal;
  switch (status & 0xff) {
    case SQLITE_CONSTRAINT: {
      const int extended = database != nullptr ? sqlite3_extended_errcode(database) : status;
      const bool twice =
          extended == SQLITE_CONSTRAINT_PRIMARYKEY || extended == SQLITE_CONSTRAINT_UNIQUE;
      code = twice ? ErrorCode::kAlreadyExists : ErrorCode::kInvalidArgument;
      break;
    }
    case SQLITE_MISMATCH:
      code = ErrorCode::kInvalidArgument;
      break;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      code = ErrorCode::kCorrupt;
      break;
    case SQLITE_FULL:
      code = ErrorCode::kExhausted;
      break;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      code = ErrorCode::kUnavailable;
      break;
    case SQLITE_PERM:
    case SQLITE_READONLY:
    case SQLITE_AUTH:
      code = ErrorCode::kDenied;
      break;
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
      code = ErrorCode::kIo;
      break;
    default:
      break;
  }
  return Error(code, std::string("database: ") +
                         (database != nullptr ? sqlite3_errmsg(database) : sqlite3_errstr(status)));
}

}  // namespace

void Statement::Finalize::operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }

void Statement::Note(int status) {
  if (status != SQLITE_OK && bind_status_ == SQLITE_OK) bind_status_ = status;
}

Statement& Statement::Bind(int index, int64_t value) {
  Note(sqlite3_bind_int64(statement_.get(), index, value));
  return *this;
}

Statement& Statement::Bind(int index, std::string_view text) {
  Note(sqlite3_bind_text64(statement_.get(), index, text.data(), text.size(), SQLITE_TRANSIENT,
                           SQLITE_UTF8));
  return *this;
}

Statement& Statement::BindBlob(int index, std::string_view bytes) {
  Note(sqlite3_bind_blob64(statement_.get(), index, bytes.data(), bytes.size(), SQLITE_TRANSIENT));
  return *this;
}

Result<bool> Statement::Step() {
  if (bind_status_ != SQLITE_OK) return SqliteError(nullptr, bind_status_);
  const int status = sqlite3_step(statement_.get());
  if (status == SQLITE_ROW) return true;
  if (status == SQLITE_DONE) return false;
  return SqliteError(database_, status);
}

Result<void> Statement::Run() {
  for (;;) {
    const bool row = TRY(Step());
    if (!row) return {};
  }
}

int64_t Statement::Int(int column) const { return sqlite3_column_int64(statement_.get(), column); }

std::string Statement::Text(int column) const {
  const void* bytes = sqlite3_column_blob(statement_.get(), column);
  const int size = sqlite3_column_bytes(statement_.get(), column);
  if (bytes == nullptr) return "";
  return {static_cast<const char*>(bytes), static_cast<size_t>(size)};
}

void Database::Close::operator()(sqlite3* database) const { sqlite3_close_v2(database); }

Result<Database> Database::Open(const std::string& path) {
  // SQLite would take the umask's mode.
  const UniqueFd created(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!created) return ErrnoError("cannot open database '" + path + "'", errno);
  Database database;
  sqlite3* raw = nullptr;
  const int status = sqlite3_open_v2(
      path.c_str(), &raw, SQLITE_OPEN_READWRITE | SQLITE_OPEN_FULLMUTEX | SQLITE_OPEN_EXRESCODE,
      nullptr);
  database.database_.reset(raw);
  if (status != SQLITE_OK) return SqliteError(raw, status).WithContext("'" + path + "'");
  sqlite3_busy_timeout(raw, kBusyTimeoutMs);
  // Values from a row must never run as SQL functions of a damaged schema.
  sqlite3_db_config(raw, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
  sqlite3_db_config(raw, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  const Result<void> set =
      database.Execute("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON;");
  if (!set) return Error(set.error()).WithContext("'" + path + "'");
  Statement check = TRY(database.Prepare("PRAGMA quick_check(1)"));
  const Result<bool> row = check.Step();
  if (!row || !*row || check.Text(0) != "ok") {
    return Error(ErrorCode::kCorrupt,
                 "database '" + path + "' is damaged (" +
                     (row ? check.Text(0) : row.error().message()) +
                     "): restore it from a backup, or move it away to begin without tokens");
  }
  return database;
}

Result<Statement> Database::Prepare(std::string_view sql) {
  sqlite3_stmt* raw = nullptr;
  const int status =
      sqlite3_prepare_v2(database_.get(), sql.data(), static_cast<int>(sql.size()), &raw, nullptr);
  if (status != SQLITE_OK) return SqliteError(database_.get(), status);
  return Statement(database_.get(), raw);
}

Result<void> Database::Execute(const std::string& sql) {
  const int status = sqlite3_exec(database_.get(), sql.c_str(), nullptr, nullptr, nullptr);
  if (status != SQLITE_OK) return SqliteError(database_.get(), status);
  return {};
}

int64_t Database::Changes() const { return sqlite3_changes64(database_.get()); }

Result<Transaction> Transaction::Begin(Database& database) {
  TRY(database.Execute("BEGIN IMMEDIATE"));
  return Transaction(database);
}

Transaction::~Transaction() {
  if (database_ != nullptr) (void)database_->Execute("ROLLBACK").has_value();
}

Result<void> Transaction::Commit() {
  TRY(database_->Execute("COMMIT"));
  database_ = nullptr;
  return {};
}

}  // namespace skerry::store
