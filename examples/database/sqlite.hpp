#pragma once

#include "failure.hpp"

#include <spool/base/error.hpp>

#include <concepts>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

struct sqlite3;
struct sqlite3_stmt;

namespace db {

/// A connection to an SQLite database. Its calls block the thread, on the disk and on other connections' locks, so a
/// fiber makes them in `spool::blocking([&] { ... })`: a whole transaction in one call, since nothing in there may wait
/// for a fiber. A connection with its statements and transactions is used by one thread at a time; which one may
/// change, so a spool::mutex or a resource_pool may guard it. Errors are values with a code of sqlite_category().
class sqlite {
 public:
  class statement;
  class transaction;

  /// Opens or creates the file; ":memory:" is a database of this connection alone.
  [[nodiscard]] static spool::result<sqlite> open(const std::string& path);

  /// What is committed is on the disk when commit returns, and survives a crash of the process or the machine: a
  /// write-ahead log (readers and the writer do not hold each other up), synced at every commit. A database in memory:
  /// an error.
  [[nodiscard]] spool::error durable();

  /// Runs any number of statements; rows are dropped.
  [[nodiscard]] spool::error exec(const std::string& sql);
  /// Compiles one statement. It may outlive the connection's handle, and keeps the connection open meanwhile.
  [[nodiscard]] spool::result<statement> prepare(std::string_view sql);
  /// Begins a transaction that may write: waits for other connections' writers now, not later when that could deadlock.
  [[nodiscard]] spool::result<transaction> begin();

  /// Rows that the last insert, update or delete touched.
  std::int64_t changes() const noexcept;

 private:
  struct closer {
    void operator()(sqlite3* connection) const noexcept;
  };
  using handle = std::unique_ptr<sqlite3, closer>;
  explicit sqlite(handle connection) noexcept : connection_(std::move(connection)) {}

  handle connection_;
};

/// A compiled statement:
///   insert.bind(1, id).bind(2, amount);
///   if (spool::error e = insert.run()) return e;
class sqlite::statement {
 public:
  /// Parameters count from 1. Text is copied. What goes wrong here is reported by the next step or run.
  statement& bind(int parameter, std::integral auto value) {
    return bind_integer(parameter, static_cast<std::int64_t>(value));
  }
  statement& bind(int parameter, std::floating_point auto value) {
    return bind_real(parameter, static_cast<double>(value));
  }
  statement& bind(int parameter, std::string_view text);
  statement& bind_null(int parameter);

  /// True: there is a row, for the getters. False: done; the statement is reset.
  [[nodiscard]] spool::result<bool> step();
  /// Steps to the end and resets.
  [[nodiscard]] spool::error run();
  /// Makes it ready to be bound and stepped again; all parameters are null then.
  void reset() noexcept;

  /// Columns count from 0. SQLite converts what has another type; null is 0 and "".
  std::int64_t integer(int column) const noexcept;
  double real(int column) const noexcept;
  std::string_view text(int column) const noexcept;  ///< valid until the next step or reset
  bool is_null(int column) const noexcept;

 private:
  friend class sqlite;
  struct finalizer {
    void operator()(sqlite3_stmt* compiled) const noexcept;
  };
  explicit statement(sqlite3_stmt* compiled) noexcept : compiled_(compiled) {}
  statement& bind_integer(int parameter, std::int64_t value);
  statement& bind_real(int parameter, double value);
  statement& note(int status);
  spool::error failed();

  std::unique_ptr<sqlite3_stmt, finalizer> compiled_;
  spool::error bind_error_;
};

/// Rolls back when destroyed, unless commit has succeeded.
class [[nodiscard]] sqlite::transaction {
 public:
  transaction(transaction&&) noexcept = default;
  transaction& operator=(transaction&&) noexcept = default;

  [[nodiscard]] spool::error commit();

 private:
  friend class sqlite;
  struct rollback {
    void operator()(sqlite3* connection) const noexcept;
  };
  explicit transaction(sqlite3* connection) noexcept : open_on_(connection) {}

  std::unique_ptr<sqlite3, rollback> open_on_;  // not owned: the deleter only rolls back
};

}  // namespace db
