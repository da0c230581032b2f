#include "appliance/store/database.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>

#include "appliance/base/testing/fixtures.h"

namespace skerry::store {
namespace {

class DatabaseTest : public ::testing::Test {
 protected:
  std::string Path() const { return directory_.path() + "/db"; }
  testing::TemporaryDirectory directory_;
};

int64_t Scalar(Database& database, const std::string& sql) {
  Statement statement = database.Prepare(sql).value();
  EXPECT_TRUE(statement.Step().value());
  return statement.Int(0);
}

TEST_F(DatabaseTest, OpensWithTheSafeSettings) {
  Database database = Database::Open(Path()).value();
  Statement mode = database.Prepare("PRAGMA journal_mode").value();
  ASSERT_TRUE(mode.Step().value());
  EXPECT_EQ(mode.Text(0), "wal");
  EXPECT_EQ(Scalar(database, "PRAGMA synchronous"), 2);
  EXPECT_EQ(Scalar(database, "PRAGMA foreign_keys"), 1);
  struct stat info {};
  ASSERT_EQ(::stat(Path().c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
}

TEST_F(DatabaseTest, ValuesGoRound) {
  Database database = Database::Open(Path()).value();
  ASSERT_TRUE(database.Execute("CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT, c BLOB) STRICT"));
  const std::string odd("a'b\0\";--", 8);
  ASSERT_TRUE(database.Prepare("INSERT INTO t VALUES (?1, ?2, ?3)")
                  .value()
                  .Bind(1, INT64_MIN)
                  .Bind(2, odd)
                  .BindBlob(3, odd)
                  .Run());
  EXPECT_EQ(database.Changes(), 1);
  Statement read = database.Prepare("SELECT a, b, c FROM t").value();
  ASSERT_TRUE(read.Step().value());
  EXPECT_EQ(read.Int(0), INT64_MIN);
  EXPECT_EQ(read.Text(1), odd);
  EXPECT_EQ(read.Text(2), odd);
  EXPECT_FALSE(read.Step().value());
}

TEST_F(DatabaseTest, ErrorsHaveTheirCodes) {
  Database database = Database::Open(Path()).value();
  ASSERT_TRUE(
      database.Execute("CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT NOT NULL) STRICT;"
                       "INSERT INTO t VALUES (1, 'x')"));
  EXPECT_EQ(database.Execute("INSERT INTO t VALUES (1, 'y')").error().code(),
            ErrorCode::kAlreadyExists);
  EXPECT_EQ(database.Execute("INSERT INTO t VALUES (2, NULL)").error().code(),
            ErrorCode::kInvalidArgument);
  EXPECT_EQ(database.Execute("INSERT INTO t VALUES ('z', 'y')").error().code(),
            ErrorCode::kInvalidArgument);
  EXPECT_EQ(database.Prepare("SELEKT").error().code(), ErrorCode::kInternal);
  EXPECT_FALSE(database.Prepare("SELECT ?1").value().Bind(2, int64_t{1}).Step().has_value());
}

TEST_F(DatabaseTest, AnUncommittedTransactionIsRolledBack) {
  Database database = Database::Open(Path()).value();
  ASSERT_TRUE(database.Execute("CREATE TABLE t (a INTEGER) STRICT"));
  {
    Transaction transaction = Transaction::Begin(database).value();
    ASSERT_TRUE(database.Execute("INSERT INTO t VALUES (1)"));
  }
  EXPECT_EQ(Scalar(database, "SELECT count(*) FROM t"), 0);
  {
    Transaction transaction = Transaction::Begin(database).value();
    ASSERT_TRUE(database.Execute("INSERT INTO t VALUES (1)"));
    ASSERT_TRUE(transaction.Commit());
  }
  EXPECT_EQ(Scalar(database, "SELECT count(*) FROM t"), 1);
}

TEST_F(DatabaseTest, DamageIsFoundWhenOpening) {
  std::ofstream(Path()) << "this is not a database, but it is long enough to have a header of one "
                           "and more bytes than that, so that it must be recognised by content";
  EXPECT_EQ(Database::Open(Path()).error().code(), ErrorCode::kCorrupt);
  const std::string other = directory_.path() + "/other";
  {
    Database database = Database::Open(other).value();
    ASSERT_TRUE(database.Execute("CREATE TABLE t (a TEXT) STRICT; CREATE INDEX i ON t (a)"));
    for (int i = 0; i < 200; ++i) {
      ASSERT_TRUE(database.Execute("INSERT INTO t VALUES (hex(randomblob(200)))"));
    }
  }
  std::fstream file(other, std::ios::in | std::ios::out);
  file.seekp(4096 * 5);
  file << std::string(4096 * 3, 'x');
  file.close();
  const Result<Database> damaged = Database::Open(other);
  ASSERT_FALSE(damaged.has_value());
  EXPECT_EQ(damaged.error().code(), ErrorCode::kCorrupt);
  EXPECT_NE(damaged.error().message().find(other), std::string::npos);
}

TEST_F(DatabaseTest, NoDirectory) {
  EXPECT_EQ(Database::Open(directory_.path() + "/none/db").error().code(), ErrorCode::kNotFound);
}

}  // namespace
}  // namespace skerry::store
