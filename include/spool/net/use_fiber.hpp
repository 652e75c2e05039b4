// use_fiber: a completion token that makes any Boost.Asio operation wait as spool's own operations do.
#pragma once

#include <spool/context/context.hpp>
#include <spool/net/detail/fiber_operation.hpp>

#include <boost/asio/async_result.hpp>
#include <boost/system/error_code.hpp>

#include <type_traits>
#include <utility>

namespace spool {

namespace detail {
struct use_fiber_access;
}

/// The type of use_fiber; immutable, cheap to copy. It refers to the context and the error code it was given.
class use_fiber_t {
 public:
  constexpr use_fiber_t() noexcept = default;

  /// The operation ends with `boost::asio::error::operation_aborted` when ctx is done, through Asio's cancellation
  /// slots: with whatever support the operation has for them. It is not begun when ctx is done already. ctx.err() says
  /// why.
  [[nodiscard]] constexpr use_fiber_t operator()(const context& ctx) const noexcept {
    use_fiber_t token = *this;
    token.ctx_ = &ctx;
    return token;
  }
  use_fiber_t operator()(context&&) const = delete;

  /// Stores the operation's error in `ec` instead of throwing it.
  [[nodiscard]] constexpr use_fiber_t operator[](boost::system::error_code& ec) const noexcept {
    use_fiber_t token = *this;
    token.ec_ = &ec;
    return token;
  }

 private:
  friend struct detail::use_fiber_access;
  const context* ctx_ = nullptr;
  boost::system::error_code* ec_ = nullptr;
};

/// Starts a Boost.Asio operation, parks the fiber until it completes (a plain thread blocks, and some other thread must
/// serve the I/O object's execution context), and returns what the operation yields without its error_code: nothing, a
/// value, or a std::tuple. The error is thrown as boost::system::system_error; an exception_ptr is rethrown.
///
///   std::size_t n = socket.async_read_some(buffer, use_fiber);
///   std::size_t n = socket.async_read_some(buffer, use_fiber[ec]);
///   std::size_t n = socket.async_read_some(buffer, use_fiber(ctx));        // ends when ctx is done
///   std::size_t n = socket.async_read_some(buffer, use_fiber(ctx)[ec]);
///
/// Works with any execution context: spool::io_context(), or a service's own with threads of its own. Costs no
/// allocation for plain socket and timer operations. A cancellation is emitted on the I/O object's executor; where
/// several threads serve that, composed operations need a strand, as everywhere in Asio. Go: what conn.Read does by
/// itself.
inline constexpr use_fiber_t use_fiber{};

struct detail::use_fiber_access {
  static const context* ctx(use_fiber_t token) noexcept { return token.ctx_; }
  static boost::system::error_code* ec(use_fiber_t token) noexcept { return token.ec_; }
};

}  // namespace spool

template <class R, class... Args>
class boost::asio::async_result<spool::use_fiber_t, R(Args...)> {
  using operation = spool::detail::fiber_operation<std::decay_t<Args>...>;

 public:
  using return_type = typename operation::value_type;

  template <class Initiation, class... InitArgs>
  static return_type initiate(Initiation&& initiation, spool::use_fiber_t token, InitArgs&&... args) {
    operation op(spool::detail::use_fiber_access::ctx(token));
    if (op.may_begin()) {
      const spool::detail::operation_executor where = spool::detail::operation_executor::of(initiation, args...);
      begin(op, std::forward<Initiation>(initiation), std::forward<InitArgs>(args)...);
      op.wait(where);
    }
    return op.take(spool::detail::use_fiber_access::ec(token));
  }

 private:
  // Asio looks into thread-local storage. Out of line, so that no address of it is kept across the wait, after which
  // the fiber may be on another thread.
  template <class Initiation, class... InitArgs>
  [[gnu::noinline]] static void begin(operation& op, Initiation&& initiation, InitArgs&&... args) {
    try {
      std::forward<Initiation>(initiation)(typename operation::handler(op), std::forward<InitArgs>(args)...);
    } catch (...) {
      op.initiation_failed();
      throw;
    }
  }
};
