#include "appliance/store/schema.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include "appliance/base/testing/fixtures.h"

namespace skerry::store {
namespace {

int64_t Scalar(Database& database, const std::string& sql) {
  Statement statement = database.Prepare(sql).value();
  EXPECT_TRUE(statement.Step().value());
  return statement.Int(0);
}

constexpr std::string_view kTwo[] = {"CREATE TABLE t (a INTEGER) STRICT",
                                     "ALTER TABLE t ADD COLUMN b TEXT; UPDATE t SET b = 'x'"};
constexpr std::string_view kBroken[] = {"CREATE TABLE t (a INTEGER) STRICT",
                                        "ALTER TABLE t ADD COLUMN b TEXT; SELECT nonsense"};

class SchemaTest : public ::testing::Test {
 protected:
  SchemaTest() : path_(directory_.path() + "/db") {}
  bool Exists(const std::string& path) { return ::access(path.c_str(), F_OK) == 0; }
  testing::TemporaryDirectory directory_;
  const std::string path_;
};

TEST_F(SchemaTest, TheRealMigrationsMakeTheTables) {
  Database database = Database::Open(path_).value();
  ASSERT_TRUE(Migrate(database, path_).has_value());
  ASSERT_TRUE(Migrate(database, path_).has_value());  // nothing left to do
  for (const char* table : {"models", "tokens", "aliases", "instances", "settings"}) {
    EXPECT_EQ(Scalar(database, std::string("SELECT strict FROM pragma_table_list WHERE name = '") +
                                   table + "'"),
              1)
        << table;
  }
  EXPECT_EQ(Scalar(database, "PRAGMA user_version"), static_cast<int64_t>(Migrations().size()));
  EXPECT_FALSE(Exists(path_ + ".v0"));
}

TEST_F(SchemaTest, ADatabaseThatIsNotEmptyIsCopiedFirst) {
  Database database = Database::Open(path_).value();
  ASSERT_TRUE(Migrate(database, path_, {kTwo, 1}).has_value());
  ASSERT_TRUE(database.Execute("INSERT INTO t VALUES (7)"));
  EXPECT_FALSE(Exists(path_ + ".v1"));
  ASSERT_TRUE(Migrate(database, path_, kTwo).has_value());
  EXPECT_EQ(Scalar(database, "SELECT count(*) FROM t WHERE b = 'x'"), 1);
  Database copy = Database::Open(path_ + ".v1").value();
  EXPECT_EQ(Scalar(copy, "SELECT a FROM t"), 7);
  EXPECT_EQ(Scalar(copy, "PRAGMA user_version"), 1);
  EXPECT_FALSE(Exists(path_ + ".v1.new"));
}

TEST_F(SchemaTest, AFailedMigrationChangesNothing) {
  Database database = Database::Open(path_).value();
  ASSERT_TRUE(Migrate(database, path_, {kBroken, 1}).has_value());
  const Result<void> failed = Migrate(database, path_, kBroken);
  ASSERT_FALSE(failed.has_value());
  EXPECT_NE(failed.error().message().find("migration to version 2"), std::string::npos);
  EXPECT_EQ(Scalar(database, "PRAGMA user_version"), 1);
  EXPECT_EQ(Scalar(database, "SELECT count(*) FROM pragma_table_info('t')"), 1);
  // Trying again works when the migration does, over the copy that is already there.
  EXPECT_TRUE(Migrate(database, path_, kTwo).has_value());
}

TEST_F(SchemaTest, ANewerDatabaseIsRefused) {
  Database database = Database::Open(path_).value();
  ASSERT_TRUE(Migrate(database, path_, kTwo).has_value());
  EXPECT_EQ(Migrate(database, path_, {kTwo, 1}).error().code(), ErrorCode::kUnavailable);
}

}  // namespace
}  // namespace skerry::store
