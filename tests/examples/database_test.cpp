#include "database/failure.hpp"
#include "database/sqlite.hpp"

#include <spool/spool.hpp>

#include <gtest/gtest.h>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

namespace {

using db::failure;

/// A folder of the test's own, for a database in a file.
class Sqlite : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = testing::TempDir() + "database_test.XXXXXX";
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    folder_ = name;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string path() const { return (folder_ / "test.db").string(); }
  db::sqlite opened() { return db::sqlite::open(path()).value(); }
  db::sqlite with_table() {
    db::sqlite database = opened();
    EXPECT_EQ(database.exec("create table t (id text primary key, n integer check (n >= 0))").message(), "");
    return database;
  }
  static spool::error insert(db::sqlite& database, std::string_view id, std::int64_t n) {
    return database.prepare("insert into t values (?, ?)").value().bind(1, id).bind(2, n).run();
  }
  static std::int64_t rows(db::sqlite& database) {
    auto count = database.prepare("select count(*) from t").value();
    EXPECT_TRUE(count.step().value());
    return count.integer(0);
  }

  std::filesystem::path folder_;
};

TEST_F(Sqlite, ReadsBackWhatWasBound) {
  db::sqlite database = opened();
  auto echo = database.prepare("select ?, ?, ?, ?, ?").value();
  const std::string text("a\0b \xc3\xa4", 6);
  echo.bind(1, INT64_MIN).bind(2, text).bind_null(3).bind(4, 2.5).bind(5, std::string_view());
  ASSERT_TRUE(echo.step().value());
  EXPECT_EQ(echo.integer(0), INT64_MIN);
  EXPECT_EQ(echo.text(1), text);
  EXPECT_TRUE(echo.is_null(2));
  EXPECT_EQ(echo.text(2), "");
  EXPECT_EQ(echo.real(3), 2.5);
  EXPECT_FALSE(echo.is_null(4));
  EXPECT_EQ(echo.text(4), "");
  EXPECT_FALSE(echo.step().value());
}

TEST_F(Sqlite, AStatementRunsAgainWithNewParameters) {
  db::sqlite database = with_table();
  auto insert_row = database.prepare("insert into t values (?, ?)").value();
  for (int i = 0; i < 100; ++i) ASSERT_FALSE(insert_row.bind(1, std::to_string(i)).bind(2, i).run());
  auto sum = database.prepare("select sum(n), count(*) from t where n < ?").value();
  for (int limit : {10, 100}) {
    sum.bind(1, limit);
    ASSERT_TRUE(sum.step().value());
    EXPECT_EQ(sum.integer(0), limit * (limit - 1) / 2);
    EXPECT_EQ(sum.integer(1), limit);
    sum.reset();
  }
}

TEST_F(Sqlite, ResetForgetsParameters) {
  db::sqlite database = opened();
  auto echo = database.prepare("select ?").value();
  ASSERT_TRUE(echo.bind(1, 7).step().value());
  echo.reset();
  ASSERT_TRUE(echo.step().value());
  EXPECT_TRUE(echo.is_null(0));
}

TEST_F(Sqlite, NamesWhatWasViolated) {
  db::sqlite database = with_table();
  ASSERT_FALSE(insert(database, "one", 1));
  const spool::error duplicate = insert(database, "one", 2);
  EXPECT_EQ(duplicate, failure::unique_violation);
  EXPECT_NE(duplicate.message().find("t.id"), std::string::npos) << duplicate.message();
  const spool::error negative = insert(database, "two", -1);
  EXPECT_EQ(negative, failure::constraint_violation);
  EXPECT_FALSE(negative == failure::unique_violation);
  EXPECT_EQ(db::sqlstate(negative), "");
  EXPECT_EQ(rows(database), 1);
}

TEST_F(Sqlite, AFailedStatementMayRunAgain) {
  db::sqlite database = with_table();
  auto insert_row = database.prepare("insert into t values (?, 1)").value();
  ASSERT_FALSE(insert_row.bind(1, "one").run());
  ASSERT_TRUE(insert_row.bind(1, "one").run());
  EXPECT_FALSE(insert_row.bind(1, "two").run());
  EXPECT_EQ(rows(database), 2);
}

TEST_F(Sqlite, ReportsABadParameterWhenItRuns) {
  db::sqlite database = with_table();
  auto insert_row = database.prepare("insert into t values (?, 1)").value();
  EXPECT_TRUE(insert_row.bind(1, "one").bind(2, 5).run());
  EXPECT_EQ(rows(database), 0);
  EXPECT_FALSE(insert_row.bind(1, "one").run());
}

TEST_F(Sqlite, ReportsBadSql) {
  db::sqlite database = opened();
  const auto none = database.prepare("selec 1");
  ASSERT_FALSE(none);
  EXPECT_NE(none.error().message().find("selec"), std::string::npos) << none.error().message();
  EXPECT_EQ(none.error().code().category(), db::sqlite_category());
  EXPECT_TRUE(database.exec("select * from nowhere"));
  EXPECT_FALSE(database.prepare(" -- nothing"));
}

TEST_F(Sqlite, ReportsAFileThatCannotBeOpened) {
  const auto none = db::sqlite::open((folder_ / "no" / "such" / "folder.db").string());
  ASSERT_FALSE(none);
  EXPECT_NE(none.error().message(), "");
}

TEST_F(Sqlite, KeepsWhatWasCommitted) {
  {
    db::sqlite database = with_table();
    auto transaction = database.begin().value();
    ASSERT_FALSE(insert(database, "one", 1));
    ASSERT_FALSE(insert(database, "two", 2));
    ASSERT_FALSE(transaction.commit());
    EXPECT_TRUE(transaction.commit()) << "committed twice";
  }
  db::sqlite again = opened();
  EXPECT_EQ(rows(again), 2);
}

TEST_F(Sqlite, RollsBackWhatWasNot) {
  db::sqlite database = with_table();
  {
    auto transaction = database.begin().value();
    ASSERT_FALSE(insert(database, "one", 1));
    auto moved = std::move(transaction);
    EXPECT_EQ(rows(database), 1);
  }
  EXPECT_EQ(rows(database), 0);
  EXPECT_FALSE(insert(database, "one", 1)) << "the transaction has ended";
}

TEST_F(Sqlite, DurableSyncsEveryCommitOfAWriteAheadLog) {
  db::sqlite database = with_table();
  ASSERT_EQ(database.durable().message(), "");
  auto synchronous = database.prepare("pragma synchronous").value();
  ASSERT_TRUE(synchronous.step().value());
  EXPECT_EQ(synchronous.integer(0), 2);
  ASSERT_FALSE(insert(database, "one", 1));
  EXPECT_TRUE(std::filesystem::exists(path() + "-wal"));
}

TEST_F(Sqlite, MemoryCannotBeDurable) {
  db::sqlite database = db::sqlite::open(":memory:").value();
  EXPECT_TRUE(database.durable());
  EXPECT_FALSE(database.exec("create table t (n integer)"));
}

TEST_F(Sqlite, AnotherWriterIsContention) {
  db::sqlite database = with_table();
  ASSERT_FALSE(database.durable());
  auto transaction = database.begin().value();
  ASSERT_FALSE(insert(database, "one", 1));
  db::sqlite second = opened();
  ASSERT_FALSE(second.exec("pragma busy_timeout = 0"));
  EXPECT_EQ(second.begin().error(), failure::contended);
  EXPECT_EQ(rows(second), 0) << "a reader is not held up";
  ASSERT_FALSE(transaction.commit());
  EXPECT_TRUE(second.begin());
  EXPECT_EQ(rows(second), 1);
}

TEST_F(Sqlite, ChangesTellsWhetherAnInsertWasIgnored) {
  db::sqlite database = with_table();
  auto insert_row = database.prepare("insert into t values (?, 1) on conflict do nothing").value();
  ASSERT_FALSE(insert_row.bind(1, "one").run());
  EXPECT_EQ(database.changes(), 1);
  ASSERT_FALSE(insert_row.bind(1, "one").run());
  EXPECT_EQ(database.changes(), 0);
}

TEST_F(Sqlite, AStatementMayOutliveItsConnection) {
  std::optional<db::sqlite> database = with_table();
  auto insert_row = database->prepare("insert into t values ('one', 1)").value();
  database.reset();
  EXPECT_FALSE(insert_row.run());
}

TEST_F(Sqlite, FibersShareAConnectionThroughBlockingAndAMutex) {
  db::sqlite database = with_table();
  ASSERT_FALSE(database.durable());
  spool::runtime rt({.threads = 4});
  rt.run([&] {
    spool::mutex guard;
    spool::errgroup group;
    for (int i = 0; i < 100; ++i) {
      group.go([&, i]() -> spool::error {
        std::scoped_lock lock(guard);
        return spool::blocking([&] { return insert(database, std::to_string(i / 2 * 2), i); });
      });
    }
    EXPECT_EQ(group.wait(), failure::unique_violation);
  });
  EXPECT_EQ(rows(database), 50);
}

TEST(Failure, GroupsSqlStates) {
  const auto is = [](std::string_view state, failure f) { return spool::error(db::sqlstate_code(state)) == f; };
  EXPECT_TRUE(is("23505", failure::unique_violation));
  EXPECT_FALSE(is("23505", failure::constraint_violation));
  EXPECT_TRUE(is("23514", failure::constraint_violation));
  EXPECT_TRUE(is("08006", failure::connection_lost));
  EXPECT_TRUE(is("57P01", failure::connection_lost));
  EXPECT_FALSE(is("57014", failure::connection_lost));
  EXPECT_TRUE(is("40P01", failure::contended));
  EXPECT_FALSE(is("42601", failure::contended));
}

TEST(Failure, KeepsTheSqlState) {
  for (const char* state : {"00000", "23505", "0A000", "XX000", "ZZZZZ"}) {
    EXPECT_EQ(db::sqlstate(spool::error(db::sqlstate_code(state), "")), state);
  }
  EXPECT_EQ(db::sqlstate(spool::errc::closed), "");
  EXPECT_EQ(db::sqlstate_code("23505").message(), "SQLSTATE 23505");
}

}  // namespace
