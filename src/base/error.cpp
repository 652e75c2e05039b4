#include <spool/base/error.hpp>

#include <stdexcept>

namespace spool {
namespace {

class category final : public std::error_category {
 public:
  const char* name() const noexcept override { return "spool"; }

  std::string message(int code) const override {
    switch (static_cast<errc>(code)) {
      case errc::canceled: return "canceled";
      case errc::deadline_exceeded: return "deadline exceeded";
      case errc::closed: return "closed";
      case errc::full: return "full";
      case errc::empty: return "empty";
      case errc::circuit_open: return "circuit open";
      case errc::rate_limited: return "rate limited";
      case errc::exception: return "exception";
      case errc::abandoned: return "abandoned";
    }
    return "unknown spool error " + std::to_string(code);
  }

  std::error_condition default_error_condition(int code) const noexcept override {
    switch (static_cast<errc>(code)) {
      case errc::canceled: return std::errc::operation_canceled;
      case errc::deadline_exceeded: return std::errc::timed_out;
      default: return {code, *this};
    }
  }
};

/// Never destroyed, so that errors may be used until the very end, and made without a look at whether it exists.
union lasting_category {
  constexpr lasting_category() noexcept : value() {}
  ~lasting_category() {}
  const category value;
};
constinit const lasting_category instance;

errc code_of(channel_status status) noexcept {
  switch (status) {
    case channel_status::closed: return errc::closed;
    case channel_status::full: return errc::full;
    case channel_status::empty: return errc::empty;
    case channel_status::timeout: return errc::deadline_exceeded;
    case channel_status::canceled:
    case channel_status::ok: break;
  }
  return errc::canceled;
}

}  // namespace

struct error::description {
  std::string message;
  std::exception_ptr exception;
};

namespace detail {
constinit const std::error_category& spool_category = instance.value;
}

error::error(std::error_code code, std::string message)
    : code_(code), detail_(std::make_shared<description>(description{std::move(message), nullptr})) {}

error::error(std::exception_ptr exception) {
  if (!exception) return;
  code_ = errc::exception;
  std::string message = "unknown exception";
  try {
    std::rethrow_exception(exception);
  } catch (const std::system_error& e) {
    code_ = e.code() ? e.code() : code_;
    message = e.what();
  } catch (const std::exception& e) {
    message = e.what();
  } catch (...) {
  }
  detail_ = std::make_shared<description>(description{std::move(message), std::move(exception)});
}

error::error(channel_status status) noexcept {
  if (status != channel_status::ok) code_ = code_of(status);
}

std::string error::message() const {
  if (detail_) return detail_->message;
  return code_ ? code_.message() : std::string{};
}

std::exception_ptr error::exception() const noexcept {
  return detail_ ? detail_->exception : nullptr;
}

void error::rethrow() const {
  if (detail_ && detail_->exception) std::rethrow_exception(detail_->exception);
  if (!*this) throw std::logic_error("spool::error::rethrow: there is no error; test it with `if (err)` first");
  throw std::system_error(code_, message());
}

void throw_exception_from_error(const error& e, const boost::source_location&) {
  e.rethrow();
}

}  // namespace spool
