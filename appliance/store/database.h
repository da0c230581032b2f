// SQLite behind two owning types and Result. SQL is written in this folder only.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "appliance/base/result.h"

struct sqlite3;
struct sqlite3_stmt;

namespace skerry::store {

// A prepared statement. One thread; must not outlive its database.
class Statement {
 public:
  // Values for the parameters, numbered from 1.
  Statement& Bind(int index, int64_t value);
  Statement& Bind(int index, std::string_view text);
  Statement& BindBlob(int index, std::string_view bytes);

  // True: a row is there to read; false: done. kAlreadyExists when a row would appear twice,
  // kInvalidArgument for other broken constraints, kExhausted when the disk is full.
  Result<bool> Step();
  // Steps to the end of a statement without rows.
  Result<void> Run();

  // Columns of the current row, numbered from 0.
  int64_t Int(int column) const;
  std::string Text(int column) const;  // also blobs

 private:
  friend class Database;
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const;
  };
  Statement(sqlite3* database, sqlite3_stmt* statement)
      : database_(database), statement_(statement) {}
  void Note(int status);

  sqlite3* database_;
  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
  int bind_status_ = 0;
};

// A connection. One thread at a time.
class Database {
 public:
  // Opens or creates the file (mode 0600) with WAL, synchronous=FULL and foreign keys on, and
  // checks it. kCorrupt when that finds damage.
  static Result<Database> Open(const std::string& path);

  Result<Statement> Prepare(std::string_view sql);
  // Any number of statements without parameters or rows.
  Result<void> Execute(const std::string& sql);
  // Rows that the last statement changed.
  int64_t Changes() const;

 private:
  struct Close {
    void operator()(sqlite3* database) const;
  };
  std::unique_ptr<sqlite3, Close> database_;
};

// BEGIN IMMEDIATE ... COMMIT; rolls back unless committed.
class Transaction {
 public:
  static Result<Transaction> Begin(Database& database);
  ~Transaction();
  Transaction(Transaction&& other) noexcept : database_(std::exchange(other.database_, nullptr)) {}
  Transaction& operator=(Transaction&&) = delete;
  Result<void> Commit();

 private:
  explicit Transaction(Database& database) : database_(&database) {}
  Database* database_;
};

}  // namespace skerry::store
