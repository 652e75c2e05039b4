#pragma once

#include "failure.hpp"
#include "parameter.hpp"
#include "rows.hpp"

#include <spool/base/error.hpp>
#include <spool/context/context.hpp>

#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace db {

/// A connection to a PostgreSQL server, through libpq's asynchronous calls on the runtime's reactor: who waits for the
/// server is a parked fiber, no thread is held. For fibers of one runtime, which must outlive the connection; one call
/// at a time, another meanwhile is a std::logic_error.
///
/// Errors carry the server's SQLSTATE (see sqlstate() and failure) and its message. When ctx is done before a call has
/// begun its error is returned and nothing has happened. When it is done in mid-call, the server is asked to cancel, in
/// the background; whether the statement took effect is unknown, and the connection is broken. A broken connection only
/// returns failure::connection_lost and is to be replaced, which postgres_pool does.
class postgres {
 public:
  /// A statement with its parameters, for batch.
  struct command {
    std::string_view sql;
    std::vector<parameter> parameters;
  };

  /// `conninfo` is a postgresql:// URI or "host=... dbname=...", as libpq defines them. Its connect_timeout is not
  /// heeded: ctx's deadline is. No connection, for whatever reason: failure::connection_lost.
  [[nodiscard]] static spool::result<postgres> connect(const spool::context& ctx, const std::string& conninfo);

  postgres(postgres&&) noexcept;
  postgres& operator=(postgres&&) noexcept;
  /// Closes the connection, without waiting; an open transaction is rolled back by the server.
  ~postgres();

  /// Runs one statement, with $1, $2 ... for parameters. It is prepared when its text is first seen, in the same round
  /// trip.
  [[nodiscard]] spool::result<rows> query(const spool::context& ctx, std::string_view sql,
                                          std::span<const parameter> parameters = {});
  [[nodiscard]] spool::result<rows> query(const spool::context& ctx, std::string_view sql,
                                          std::initializer_list<parameter> parameters) {
    return query(ctx, sql, std::span<const parameter>(parameters.begin(), parameters.size()));
  }

  /// Runs the commands in order and pipelined: one round trip for 256 of them. All or nothing, as one transaction (or
  /// part of the one that is open): the first that fails undoes the others and is what is returned. For commands that
  /// return few rows or none.
  [[nodiscard]] spool::result<std::vector<rows>> batch(const spool::context& ctx, std::span<const command> commands);

  /// Runs any number of statements separated by semicolons, as one transaction unless they say otherwise; rows are
  /// dropped.
  [[nodiscard]] spool::error exec(const spool::context& ctx, const std::string& script);

  /// False: broken, or the server has closed the connection meanwhile. Does not wait: a server that has just gone may
  /// not have been heard of.
  bool alive() noexcept;
  /// False: broken, or in a transaction that somebody has left open.
  bool reusable() const noexcept;

 private:
  class session;
  explicit postgres(std::unique_ptr<session> s) noexcept;

  std::unique_ptr<session> session_;
};

}  // namespace db
