#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <utility>

struct pg_result;

namespace db {

/// What a statement returned, all of it in memory. Rows and columns count from 0; another place: std::out_of_range.
class rows {
 public:
  std::size_t size() const noexcept;
  bool empty() const noexcept { return size() == 0; }
  std::size_t columns() const noexcept;

  bool is_null(std::size_t row, std::size_t column) const;
  /// As PostgreSQL writes it; null is "". Valid as long as this object and what it is moved to.
  std::string_view text(std::size_t row, std::size_t column) const;
  /// Null is 0; no integer, or one that does not fit: std::invalid_argument.
  std::int64_t integer(std::size_t row, std::size_t column) const;

  /// Rows that an insert, update or delete touched, or a select returned; 0 for other statements.
  std::int64_t affected() const noexcept;

 private:
  friend class postgres;
  struct clearer {
    void operator()(pg_result* result) const noexcept;
  };
  using handle = std::unique_ptr<pg_result, clearer>;
  explicit rows(handle result) noexcept : result_(std::move(result)) {}
  const char* field(std::size_t row, std::size_t column) const;

  handle result_;
};

}  // namespace db
