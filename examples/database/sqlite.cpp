#include "sqlite.hpp"

#include <sqlite3.h>

#include <utility>

namespace db {
namespace {

constexpr int busy_timeout_ms = 5000;

spool::error last_error(sqlite3* connection) {
  return spool::error({sqlite3_extended_errcode(connection), sqlite_category()}, sqlite3_errmsg(connection));
}

spool::error run_script(sqlite3* connection, const char* sql) {
  if (sqlite3_exec(connection, sql, nullptr, nullptr, nullptr) == SQLITE_OK) return {};
  return last_error(connection);
}

}  // namespace

void sqlite::closer::operator()(sqlite3* connection) const noexcept { sqlite3_close_v2(connection); }

spool::result<sqlite> sqlite::open(const std::string& path) {
  sqlite3* opened = nullptr;
  const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
  const int status = sqlite3_open_v2(path.c_str(), &opened, flags, nullptr);
  handle connection(opened);
  if (status != SQLITE_OK) {
    // The connection, if there is one, knows more than the code.
    return opened == nullptr ? spool::error(std::error_code(status, sqlite_category())) : last_error(opened);
  }
  sqlite3_busy_timeout(opened, busy_timeout_ms);
  return sqlite(std::move(connection));
}

spool::error sqlite::durable() {
  // The pragma answers with the mode that is in force now, and does not fail where WAL cannot be.
  auto mode = prepare("pragma journal_mode = wal");
  if (!mode) return mode.error();
  const spool::result<bool> row = mode->step();
  if (!row) return row.error();
  if (!*row || mode->text(0) != "wal") {
    return spool::error({SQLITE_MISUSE, sqlite_category()},
                        "this database cannot keep a write-ahead log; it needs a file");
  }
  mode->reset();
  return exec("pragma synchronous = full");
}

spool::error sqlite::exec(const std::string& sql) { return run_script(connection_.get(), sql.c_str()); }

spool::result<sqlite::statement> sqlite::prepare(std::string_view sql) {
  sqlite3_stmt* compiled = nullptr;
  if (sqlite3_prepare_v3(connection_.get(), sql.data(), static_cast<int>(sql.size()), SQLITE_PREPARE_PERSISTENT,
                         &compiled, nullptr) != SQLITE_OK) {
    return last_error(connection_.get());
  }
  if (compiled == nullptr) return spool::error({SQLITE_MISUSE, sqlite_category()}, "there is no statement to prepare");
  return statement(compiled);
}

spool::result<sqlite::transaction> sqlite::begin() {
  if (spool::error e = run_script(connection_.get(), "begin immediate")) return e;
  return transaction(connection_.get());
}

std::int64_t sqlite::changes() const noexcept { return sqlite3_changes64(connection_.get()); }

void sqlite::statement::finalizer::operator()(sqlite3_stmt* compiled) const noexcept { sqlite3_finalize(compiled); }

sqlite::statement& sqlite::statement::bind_integer(int parameter, std::int64_t value) {
  return note(sqlite3_bind_int64(compiled_.get(), parameter, value));
}

sqlite::statement& sqlite::statement::bind_real(int parameter, double value) {
  return note(sqlite3_bind_double(compiled_.get(), parameter, value));
}

sqlite::statement& sqlite::statement::bind(int parameter, std::string_view text) {
  // A null pointer would bind null, also for an empty text.
  return note(sqlite3_bind_text64(compiled_.get(), parameter, text.data() == nullptr ? "" : text.data(), text.size(),
                                  SQLITE_TRANSIENT, SQLITE_UTF8));
}

sqlite::statement& sqlite::statement::bind_null(int parameter) {
  return note(sqlite3_bind_null(compiled_.get(), parameter));
}

sqlite::statement& sqlite::statement::note(int status) {
  if (status != SQLITE_OK && !bind_error_) bind_error_ = last_error(sqlite3_db_handle(compiled_.get()));
  return *this;
}

spool::result<bool> sqlite::statement::step() {
  if (bind_error_) return {boost::system::in_place_error, failed()};
  switch (sqlite3_step(compiled_.get())) {
    case SQLITE_ROW: return true;
    case SQLITE_DONE: reset(); return false;
    default: return {boost::system::in_place_error, failed()};
  }
}

spool::error sqlite::statement::run() {
  for (;;) {
    const spool::result<bool> row = step();
    if (!row) return row.error();
    if (!*row) return {};
  }
}

// The message is taken before the reset, which may replace it.
spool::error sqlite::statement::failed() {
  spool::error e = bind_error_ ? bind_error_ : last_error(sqlite3_db_handle(compiled_.get()));
  reset();
  return e;
}

void sqlite::statement::reset() noexcept {
  sqlite3_reset(compiled_.get());
  sqlite3_clear_bindings(compiled_.get());
  bind_error_ = {};
}

std::int64_t sqlite::statement::integer(int column) const noexcept {
  return sqlite3_column_int64(compiled_.get(), column);
}

double sqlite::statement::real(int column) const noexcept { return sqlite3_column_double(compiled_.get(), column); }

std::string_view sqlite::statement::text(int column) const noexcept {
  const auto* data = reinterpret_cast<const char*>(sqlite3_column_text(compiled_.get(), column));
  if (data == nullptr) return {};
  return {data, static_cast<std::size_t>(sqlite3_column_bytes(compiled_.get(), column))};
}

bool sqlite::statement::is_null(int column) const noexcept {
  return sqlite3_column_type(compiled_.get(), column) == SQLITE_NULL;
}

spool::error sqlite::transaction::commit() {
  if (open_on_ == nullptr) {
    return spool::error({SQLITE_MISUSE, sqlite_category()}, "the transaction has been committed, or moved from");
  }
  if (spool::error e = run_script(open_on_.get(), "commit")) return e;
  static_cast<void>(open_on_.release());
  return {};
}

void sqlite::transaction::rollback::operator()(sqlite3* connection) const noexcept {
  // Some errors roll back by themselves; another rollback would only leave a misleading message behind.
  if (sqlite3_get_autocommit(connection) == 0) sqlite3_exec(connection, "rollback", nullptr, nullptr, nullptr);
}

}  // namespace db
