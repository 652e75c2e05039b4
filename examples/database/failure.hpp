#pragma once

#include <spool/base/error.hpp>

#include <string>
#include <string_view>
#include <system_error>

namespace db {

/// What a caller decides by, whichever database reported it: `if (error == db::failure::unique_violation) ...`.
enum class failure {
  connection_lost =
      1,             ///< the server could not be reached, or is gone: what was under way may or may not have been done
  unique_violation,  ///< a row with this key is there already
  constraint_violation,  ///< the row breaks another rule of the schema
  contended,             ///< locked, deadlocked or not serializable just now: the transaction may be tried again
};

std::error_condition make_error_condition(failure f) noexcept;

/// Codes of errors from SQLite: its extended result codes.
const std::error_category& sqlite_category() noexcept;

/// Codes of errors from PostgreSQL: a SQLSTATE read as a number in base 36. Where libpq knows none, 08001 (no
/// connection came about) or 08006 (it was lost) stands for it.
const std::error_category& postgres_category() noexcept;

/// `state` has five characters, digits and capitals.
std::error_code sqlstate_code(std::string_view state) noexcept;

/// The five characters ("23505"); empty for an error that is not PostgreSQL's.
std::string sqlstate(const spool::error& e);

}  // namespace db

template <>
struct std::is_error_condition_enum<db::failure> : std::true_type {};
