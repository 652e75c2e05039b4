// The tests of PostgreSQL's part of the library. database.sh gives them a server by POSTGRES_URL, and means to kill it.
#include "database/postgres.hpp"
#include "database/postgres_pool.hpp"

#include "../support/runtimes.hpp"

#include <spool/net/io_context.hpp>

#include <gtest/gtest.h>
#include <boost/asio/ip/tcp.hpp>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <initializer_list>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

using namespace std::chrono_literals;
using db::failure;
using db::postgres;
using db::postgres_pool;

const spool::context forever = spool::context::background();

std::string server() { return std::getenv("POSTGRES_URL"); }

postgres connected() { return postgres::connect(forever, server()).value(); }

std::int64_t number(postgres& connection, std::string_view sql, std::initializer_list<db::parameter> parameters = {}) {
  return connection.query(forever, sql, parameters).value().integer(0, 0);
}

// Waits until the server has so many queries under way that contain `marker`.
void wait_for_queries(std::string_view marker, std::int64_t how_many) {
  postgres watcher = connected();
  const std::string pattern = "%" + std::string(marker) + "%";
  while (number(watcher,
                "select count(*) from pg_stat_activity "
                "where state = 'active' and pid <> pg_backend_pid() and query like $1",
                {pattern}) != how_many) {
    spool::this_fiber::yield();
  }
}

bool control_server(const std::string& what) {
  const std::string line = "bash \"$POSTGRES_CONTROL\" " + what + " \"$POSTGRES_DIR\"";
  return spool::blocking([&] { return std::system(line.c_str()); }) == 0;
}

class Postgres : public spool_test::WithWorkers {
 protected:
  void SetUp() override {
    run([] {
      ASSERT_FALSE(connected().exec(forever,
                                    "drop table if exists t, late; create table t (id text primary key, n bigint);"
                                    "create table late (n int unique deferrable initially deferred)"));
    });
  }
};
SPOOL_INSTANTIATE_WORKERS(Postgres);

TEST_P(Postgres, ReadsBackItsParameters) {
  run([] {
    postgres connection = connected();
    const std::string text = "l\xc3\xb6we, \"quoted\" 'n \\ all\n";
    const auto row = connection
                         .query(forever, "select $1::bigint, $2::text, $3::text, $4::float8, $5::bool, $6::text",
                                {INT64_MIN, text, nullptr, 0.1, true, ""})
                         .value();
    ASSERT_EQ(row.size(), 1U);
    ASSERT_EQ(row.columns(), 6U);
    EXPECT_EQ(row.integer(0, 0), INT64_MIN);
    EXPECT_EQ(row.text(0, 1), text);
    EXPECT_TRUE(row.is_null(0, 2));
    EXPECT_EQ(row.text(0, 3), "0.1");
    EXPECT_EQ(row.text(0, 4), "t");
    EXPECT_FALSE(row.is_null(0, 5));
    EXPECT_EQ(row.text(0, 5), "");
    EXPECT_THROW(row.text(1, 0), std::out_of_range);
    EXPECT_THROW(row.text(0, 6), std::out_of_range);
    EXPECT_THROW(row.integer(0, 1), std::invalid_argument);
  });
}

TEST_P(Postgres, CarriesLargeTextBothWays) {
  run([] {
    postgres connection = connected();
    std::string text(20'000'000, 'x');
    text.back() = 'y';
    const auto row = connection.query(forever, "select $1::text", {text}).value();
    EXPECT_TRUE(row.text(0, 0) == text);
  });
}

TEST_P(Postgres, ReportsTheServersErrorAndGoesOn) {
  run([] {
    postgres connection = connected();
    const auto bad = connection.query(forever, "selec 1");
    ASSERT_FALSE(bad);
    EXPECT_EQ(db::sqlstate(bad.error()), "42601");
    EXPECT_NE(bad.error().message().find("selec"), std::string::npos) << bad.error().message();
    EXPECT_EQ(db::sqlstate(connection.query(forever, "select 1 / $1::int", {0}).error()), "22012");
    EXPECT_TRUE(connection.reusable());
    EXPECT_EQ(number(connection, "select 7"), 7);
  });
}

TEST_P(Postgres, NamesWhatWasViolated) {
  run([] {
    postgres connection = connected();
    const char* insert = "insert into t values ($1, $2)";
    EXPECT_EQ(connection.query(forever, insert, {"one", 1}).value().affected(), 1);
    const spool::error duplicate = connection.query(forever, insert, {"one", 2}).error();
    EXPECT_EQ(duplicate, failure::unique_violation);
    EXPECT_NE(duplicate.message().find("(one)"), std::string::npos) << duplicate.message();
    EXPECT_EQ(connection.query(forever, insert, {nullptr, 2}).error(), failure::constraint_violation);
    EXPECT_EQ(number(connection, "select count(*) from t"), 1);
  });
}

TEST_P(Postgres, RefusesTextThatWouldBeCut) {
  run([] {
    postgres connection = connected();
    const auto none = connection.query(forever, "insert into t values ($1, 1)", {std::string_view("a\0b", 3)});
    EXPECT_EQ(db::sqlstate(none.error()), "22021");
    EXPECT_EQ(number(connection, "select count(*) from t"), 0);
  });
}

TEST_P(Postgres, PreparesAStatementOnce) {
  run([] {
    postgres connection = connected();
    for (int i = 0; i < 10; ++i) EXPECT_EQ(number(connection, "select $1::int + 1", {i}), i + 1);
    EXPECT_EQ(number(connection, "select count(*) from pg_prepared_statements where statement like '%::int + 1'"), 1);
    EXPECT_FALSE(connection.query(forever, "select count(*) from soon"));
    ASSERT_FALSE(connection.exec(forever, "create temporary table soon (n int)"));
    EXPECT_EQ(number(connection, "select count(*) from soon"), 0);
  });
}

TEST_P(Postgres, PreparesAgainWhatHasBecomeStale) {
  run([] {
    postgres connection = connected();
    EXPECT_EQ(connection.query(forever, "select * from t").value().columns(), 2U);
    ASSERT_FALSE(connection.exec(forever, "alter table t add column more int"));
    EXPECT_EQ(db::sqlstate(connection.query(forever, "select * from t").error()), "0A000");
    EXPECT_EQ(connection.query(forever, "select * from t").value().columns(), 3U);
    ASSERT_FALSE(connection.exec(forever, "deallocate all"));
    EXPECT_EQ(db::sqlstate(connection.query(forever, "select * from t").error()), "26000");
    EXPECT_EQ(connection.query(forever, "select * from t").value().columns(), 3U);
  });
}

TEST_P(Postgres, RunsMoreStatementsThanItKeepsPrepared) {
  run([] {
    postgres connection = connected();
    for (int i = 0; i < 300; ++i) EXPECT_EQ(number(connection, "select $1::int + " + std::to_string(i), {1}), i + 1);
    EXPECT_LE(number(connection, "select count(*) from pg_prepared_statements"), 256);
  });
}

TEST_P(Postgres, AScriptIsOneTransaction) {
  run([] {
    postgres connection = connected();
    EXPECT_FALSE(connection.exec(forever, "insert into t values ('a', 1); select 1; insert into t values ('b', 2)"));
    EXPECT_EQ(connection.exec(forever, "insert into t values ('c', 1); insert into t values ('a', 1); select 1"),
              failure::unique_violation);
    EXPECT_EQ(number(connection, "select count(*) from t"), 2);
  });
}

TEST_P(Postgres, ABatchIsOneTransaction) {
  run([] {
    postgres connection = connected();
    constexpr std::size_t n = 1000;
    std::vector<std::string> ids;
    for (std::size_t i = 0; i < n; ++i) ids.push_back(std::to_string(i));
    std::vector<postgres::command> commands;
    for (std::size_t i = 0; i < n; ++i) commands.push_back({"insert into t values ($1, $2)", {ids[i], 1}});
    commands.push_back({"select sum(n) from t", {}});
    const auto results = connection.batch(forever, commands).value();
    ASSERT_EQ(results.size(), n + 1);
    for (std::size_t i = 0; i < n; ++i) EXPECT_EQ(results[i].affected(), 1);
    EXPECT_EQ(results[n].integer(0, 0), static_cast<std::int64_t>(n));
    EXPECT_TRUE(connection.batch(forever, {}).value().empty());
  });
}

TEST_P(Postgres, ABatchThatFailsAnywhereDoesNothing) {
  run([] {
    postgres connection = connected();
    ASSERT_TRUE(connection.query(forever, "insert into t values ('taken', 1)"));
    std::vector<std::string> ids;
    for (int i = 0; i < 700; ++i) ids.push_back(std::to_string(i));
    for (std::size_t bad : {0U, 1U, 255U, 256U, 300U, 511U, 699U}) {
      std::vector<postgres::command> commands;
      for (std::size_t i = 0; i < ids.size(); ++i) {
        commands.push_back({"insert into t values ($1, 2)", {i == bad ? std::string_view("taken") : ids[i]}});
      }
      EXPECT_EQ(connection.batch(forever, commands).error(), failure::unique_violation) << bad;
      EXPECT_EQ(number(connection, "select count(*) from t"), 1) << bad;
      EXPECT_TRUE(connection.reusable());
    }
  });
}

TEST_P(Postgres, ReportsACommitThatFails) {
  run([] {
    postgres connection = connected();
    const std::vector<postgres::command> twice(2, {"insert into late values (1)", {}});
    EXPECT_EQ(connection.batch(forever, twice).error(), failure::unique_violation);
    EXPECT_EQ(connection.query(forever, "insert into late select 1 from generate_series(1, 2)").error(),
              failure::unique_violation);
    EXPECT_EQ(number(connection, "select count(*) from late"), 0);
  });
}

TEST_P(Postgres, ADoneContextWins) {
  run([] {
    postgres connection = connected();
    auto [ctx, cancel] = spool::with_cancel(forever);
    cancel();
    EXPECT_EQ(postgres::connect(ctx, server()).error(), spool::errc::canceled);
    EXPECT_EQ(connection.query(ctx, "insert into t values ('a', 1)").error(), spool::errc::canceled);
    EXPECT_EQ(connection.exec(ctx, "insert into t values ('a', 1)"), spool::errc::canceled);
    EXPECT_TRUE(connection.reusable());
    EXPECT_EQ(number(connection, "select count(*) from t"), 0);
  });
}

TEST_P(Postgres, CancellationEndsTheQueryHereAndOnTheServer) {
  run([] {
    postgres connection = connected();
    auto scope = spool::with_cancel(forever);
    spool::wait_group watcher;
    watcher.go([&] {
      wait_for_queries("pg_sleep(1000)", 1);
      scope.cancel();
    });
    EXPECT_EQ(connection.query(scope.ctx(), "select pg_sleep(1000)").error(), spool::errc::canceled);
    watcher.wait();
    EXPECT_FALSE(connection.alive());
    EXPECT_FALSE(connection.reusable());
    EXPECT_EQ(connection.query(forever, "select 1").error(), failure::connection_lost);
    wait_for_queries("pg_sleep(1000)", 0);
  });
}

TEST_P(Postgres, ADeadlineEndsAScript) {
  run([] {
    postgres connection = connected();
    auto scope = spool::with_timeout(forever, 100ms);
    EXPECT_EQ(connection.exec(scope.ctx(), "select pg_sleep(2000)"), spool::errc::deadline_exceeded);
    EXPECT_FALSE(connection.alive());
    wait_for_queries("pg_sleep(2000)", 0);
  });
}

TEST_P(Postgres, ASecondCallMeanwhileIsMisuse) {
  run([] {
    postgres connection = connected();
    auto scope = spool::with_cancel(forever);
    spool::wait_group first;
    first.go([&] { EXPECT_FALSE(connection.query(scope.ctx(), "select pg_sleep(3000)")); });
    wait_for_queries("pg_sleep(3000)", 1);
    EXPECT_THROW(static_cast<void>(connection.query(forever, "select 1")), std::logic_error);
    scope.cancel();
    first.wait();
    wait_for_queries("pg_sleep(3000)", 0);
  });
}

TEST_P(Postgres, AConnectionThatTheServerEndsIsBroken) {
  run([] {
    const char* suicide = "select pg_terminate_backend(pg_backend_pid())";
    postgres asked = connected();
    EXPECT_EQ(db::sqlstate(asked.query(forever, suicide).error()), "57P01");
    postgres scripted = connected();
    EXPECT_EQ(scripted.exec(forever, suicide), failure::connection_lost);
    for (postgres* connection : {&asked, &scripted}) {
      EXPECT_FALSE(connection->reusable());
      EXPECT_FALSE(connection->alive());
      EXPECT_EQ(db::sqlstate(connection->query(forever, "select 1").error()), "08003") << "it was tried";
    }
  });
}

TEST_P(Postgres, ConnectingFailsWithAReason) {
  run([] {
    const auto none = postgres::connect(forever, "postgresql://postgres@127.0.0.1:1/postgres");
    EXPECT_EQ(none.error(), failure::connection_lost);
    EXPECT_NE(none.error().message().find("refused"), std::string::npos) << none.error().message();
    EXPECT_EQ(postgres::connect(forever, "no such = 'thing").error(), failure::connection_lost);
    EXPECT_EQ(postgres::connect(forever, server() + "_missing").error(), failure::connection_lost);
  });
}

TEST_P(Postgres, ConnectingEndsAtTheDeadline) {
  run([] {
    namespace asio = boost::asio;
    asio::ip::tcp::acceptor silent(spool::io_context(), {asio::ip::address_v4::loopback(), 0});
    auto scope = spool::with_timeout(forever, 100ms);
    const std::string nobody = "host=127.0.0.1 user=postgres port=" + std::to_string(silent.local_endpoint().port());
    EXPECT_EQ(postgres::connect(scope.ctx(), nobody).error(), spool::errc::deadline_exceeded);
  });
}

TEST_P(Postgres, APoolServesManyFibersWithFewConnections) {
  run([] {
    postgres_pool pool(8, server());
    std::atomic<int> busy = 0;
    std::atomic<int> most = 0;
    spool::errgroup group;
    for (int i = 0; i < 100; ++i) {
      group.go([&, i]() -> spool::error {
        auto connection = pool.acquire(group.context());
        if (!connection) return connection.error();
        const int now = ++busy;
        for (int seen = most; now > seen && !most.compare_exchange_weak(seen, now);) {
        }
        const auto row =
            (*connection)->query(group.context(), "insert into t values ($1, pg_backend_pid())", {std::to_string(i)});
        --busy;
        return row ? spool::error() : row.error();
      });
    }
    EXPECT_EQ(group.wait().message(), "");
    EXPECT_LE(most, 8);
    EXPECT_LE(pool.idle(), 8U);
    auto connection = pool.acquire(forever).value();
    EXPECT_EQ(number(*connection, "select count(*) from t"), 100);
    EXPECT_LE(number(*connection, "select count(distinct n) from t"), 8);
  });
}

TEST_P(Postgres, APoolTakesNoOpenTransactionBack) {
  run([] {
    postgres_pool pool(1, server());
    {
      auto connection = pool.acquire(forever).value();
      ASSERT_FALSE(connection->exec(forever, "begin; insert into t values ('half', 1)"));
      EXPECT_FALSE(connection->reusable());
    }
    EXPECT_EQ(pool.idle(), 0U);
    auto connection = pool.acquire(forever).value();
    EXPECT_EQ(number(*connection, "select count(*) from t"), 0);
    ASSERT_FALSE(connection->exec(forever, "begin"));
    ASSERT_TRUE(connection->query(forever, "insert into t values ('whole', 1)"));
    ASSERT_FALSE(connection->exec(forever, "commit"));
    EXPECT_TRUE(connection->reusable());
    EXPECT_EQ(number(*connection, "select count(*) from t"), 1);
  });
}

TEST_P(Postgres, APoolReplacesAConnectionThatDiedIdle) {
  run([] {
    postgres_pool pool(1, server());
    const std::int64_t pid = number(*pool.acquire(forever).value(), "select pg_backend_pid()");
    EXPECT_EQ(pool.idle(), 1U);
    postgres killer = connected();
    ASSERT_TRUE(killer.query(forever, "select pg_terminate_backend($1, 60000)", {pid}));
    // Until what the server has sent has arrived here, the connection looks well and fails when it is used.
    for (;;) {
      auto connection = pool.acquire(forever).value();
      const auto row = connection->query(forever, "select pg_backend_pid()");
      if (row) {
        EXPECT_NE(row->integer(0, 0), pid);
        break;
      }
      EXPECT_EQ(row.error(), failure::connection_lost) << row.error().message();
    }
  });
}

TEST_P(Postgres, APoolSurvivesTheServersDeath) {
  run([] {
    postgres_pool pool(4, server());
    spool::wait_group victims;
    for (int i = 0; i < 3; ++i) {
      victims.go([&] {
        auto connection = pool.acquire(forever).value();
        const auto none = connection->query(forever, "select pg_sleep(4000)");
        ASSERT_FALSE(none);
        EXPECT_EQ(none.error(), failure::connection_lost) << none.error().message();
      });
    }
    {
      auto unused = pool.acquire(forever).value();
      ASSERT_TRUE(unused->query(forever, "insert into t values ('acknowledged', 1)"));
    }
    wait_for_queries("pg_sleep(4000)", 3);
    ASSERT_TRUE(control_server("crash"));
    victims.wait();
    EXPECT_EQ(pool.acquire(forever).error(), failure::connection_lost);
    EXPECT_EQ(pool.idle(), 0U);
    ASSERT_TRUE(control_server("restart"));
    std::vector<postgres_pool::handle> all;
    for (int i = 0; i < 4; ++i) all.push_back(pool.acquire(forever).value());
    for (auto& connection : all) EXPECT_EQ(number(*connection, "select count(*) from t"), 1);
  });
}

}  // namespace

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  if (std::getenv("POSTGRES_URL") == nullptr) {
    std::fputs("database_probe: run by tests/examples/database.sh, which starts a server for it\n", stderr);
    return 2;
  }
  return RUN_ALL_TESTS();
}
