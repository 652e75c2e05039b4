// Errors as values: errc, error, result<T>. Like Go's error, an `error` is nullable and cheap to copy.
#pragma once

#include <boost/system/result.hpp>

#include <exception>
#include <memory>
#include <string>
#include <system_error>
#include <utility>

namespace spool {

/// What went wrong, for errors that spool itself makes. Converts to std::error_code.
enum class errc {
  canceled = 1,       ///< a context was cancelled; equals std::errc::operation_canceled
  deadline_exceeded,  ///< a deadline passed; equals std::errc::timed_out
  closed,             ///< the channel, pool or pipeline takes nothing more
  full,               ///< no room just now
  empty,              ///< nothing there just now
  circuit_open,       ///< the circuit breaker refuses calls for now
  rate_limited,       ///< the limiter has no token
  exception,          ///< a task let out an exception that carries no code of its own
  abandoned,          ///< the job was given up before it ran
};

/// How a channel operation ended.
enum class [[nodiscard]] channel_status { ok, closed, full, empty, canceled, timeout };

namespace detail {
extern const std::error_category& spool_category;  // by its address, a refusal costs no call
}
inline const std::error_category& error_category() noexcept {
  return detail::spool_category;
}

inline std::error_code make_error_code(errc e) noexcept {
  return {static_cast<int>(e), error_category()};
}

/// A value that may hold an error: none, a code, a code with a message, or an exception.
/// Copies share one immutable description; safe to copy and read from several threads.
class error {
 public:
  error() noexcept = default;
  error(errc e) noexcept : code_(make_error_code(e)) {}
  error(std::error_code code) noexcept : code_(code) {}
  error(std::error_code code, std::string message);
  /// An exception that a task let out. A std::system_error keeps its code; null means no error.
  error(std::exception_ptr exception);
  /// Any status but ok; ok gives no error.
  error(channel_status status) noexcept;

  explicit operator bool() const noexcept { return detail_ != nullptr || static_cast<bool>(code_); }
  std::error_code code() const noexcept { return code_; }
  /// The given message, the exception's what(), or the code's own text; empty without an error.
  std::string message() const;
  /// The held exception, or null.
  std::exception_ptr exception() const noexcept;
  /// Throws the held exception, or std::system_error(code(), message()). Without an error: std::logic_error.
  [[noreturn]] void rethrow() const;

  /// The same code, and the same message.
  friend bool operator==(const error& a, const error& b) {
    return a.code_ == b.code_ && (a.detail_ == b.detail_ || a.message() == b.message());
  }
  friend bool operator==(const error& e, errc code) noexcept { return e.code_ == make_error_code(code); }
  friend bool operator==(const error& e, const std::error_condition& condition) noexcept {
    return e.code_ == condition;
  }
  friend bool operator==(const error& e, std::errc condition) noexcept {
    return e.code_ == std::make_error_condition(condition);
  }

 private:
  struct description;
  std::error_code code_;
  std::shared_ptr<const description> detail_;
};

/// Found by boost::system::result: value() on an error rethrows it.
[[noreturn]] void throw_exception_from_error(const error& e, const boost::source_location& where);

/// A value or an error; value() rethrows what the error holds.
template <class T>
using result = boost::system::result<T, error>;

}  // namespace spool

template <>
struct std::is_error_code_enum<spool::errc> : std::true_type {};
