#include "rows.hpp"

#include <libpq-fe.h>

#include <charconv>
#include <stdexcept>
#include <string>
#include <system_error>

namespace db {

void rows::clearer::operator()(pg_result* result) const noexcept { PQclear(result); }

std::size_t rows::size() const noexcept { return static_cast<std::size_t>(PQntuples(result_.get())); }

std::size_t rows::columns() const noexcept { return static_cast<std::size_t>(PQnfields(result_.get())); }

// Null for a null value.
const char* rows::field(std::size_t row, std::size_t column) const {
  if (row >= size() || column >= columns()) {
    throw std::out_of_range("db::rows: row " + std::to_string(row) + ", column " + std::to_string(column) + " of " +
                            std::to_string(size()) + " rows with " + std::to_string(columns()) + " columns");
  }
  const int r = static_cast<int>(row);
  const int c = static_cast<int>(column);
  return PQgetisnull(result_.get(), r, c) != 0 ? nullptr : PQgetvalue(result_.get(), r, c);
}

bool rows::is_null(std::size_t row, std::size_t column) const { return field(row, column) == nullptr; }

std::string_view rows::text(std::size_t row, std::size_t column) const {
  const char* value = field(row, column);
  if (value == nullptr) return {};
  return {value, static_cast<std::size_t>(PQgetlength(result_.get(), static_cast<int>(row), static_cast<int>(column)))};
}

std::int64_t rows::integer(std::size_t row, std::size_t column) const {
  const std::string_view digits = text(row, column);
  std::int64_t value = 0;
  if (digits.empty() && is_null(row, column)) return value;
  const auto [end, problem] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (problem != std::errc() || end != digits.data() + digits.size()) {
    throw std::invalid_argument("db::rows: '" + std::string(digits) + "' is no 64-bit integer; read it with text()");
  }
  return value;
}

std::int64_t rows::affected() const noexcept {
  const std::string_view digits = PQcmdTuples(result_.get());
  std::int64_t value = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), value);
  return value;
}

}  // namespace db
