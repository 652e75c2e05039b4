#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>
#include <variant>

namespace db {

/// A value for $1, $2 ... of a statement for PostgreSQL, which converts it to the type that stands there. It refers to
/// text, which must stay until the call that takes the parameter returns.
class parameter {
 public:
  parameter(std::nullptr_t) noexcept : value_(nullptr) {}
  parameter(std::string_view text) noexcept : value_(text) {}
  parameter(const char* text) noexcept : value_(std::string_view(text)) {}
  parameter(const std::string& text) noexcept : value_(std::string_view(text)) {}
  template <std::integral I>
  requires(std::is_signed_v<I> || sizeof(I) < sizeof(std::int64_t)) parameter(I number)
  noexcept : value_(static_cast<std::int64_t>(number)) {}
  parameter(std::floating_point auto number) noexcept : value_(static_cast<double>(number)) {}

  bool is_null() const noexcept { return std::holds_alternative<std::nullptr_t>(value_); }
  /// The text that it refers to; empty for others.
  std::string_view text() const noexcept {
    const auto* text = std::get_if<std::string_view>(&value_);
    return text == nullptr ? std::string_view() : *text;
  }
  /// Appends it as PostgreSQL reads it; nothing for null.
  void append_to(std::string& out) const;

 private:
  std::variant<std::nullptr_t, std::string_view, std::int64_t, double> value_;
};

}  // namespace db
