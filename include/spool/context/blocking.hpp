// blocking with a context: gives up waiting for a helper thread.
#pragma once

#include <spool/context/context.hpp>
#include <spool/context/detail/done_hook.hpp>
#include <spool/runtime/blocking.hpp>
#include <spool/runtime/this_fiber.hpp>

#include <atomic>
#include <type_traits>

namespace spool {
namespace detail {

/// A blocking frame whose wait for a thread can be given up. The helper claims the waiter before it calls f and wakes
/// it after: from the claim on the context comes too late, and a helper that comes second leaves f alone.
template <class F>
struct blocking_frame_with_context : blocking_frame<F> {
  explicit blocking_frame_with_context(F& function) : blocking_frame<F>(function) {
    this->caller = nullptr;  // invoke ends the wait
    this->invoke = [](blocking_call& base) noexcept {
      auto& frame = static_cast<blocking_frame_with_context&>(base);
      if (!frame.self.claim(waiter::done)) return frame.refused.store(true, std::memory_order_release);
      frame.outcome.capture(frame.f);
      frame.self.wake();
    };
  }
  std::atomic<bool> refused{false};  // the helper's last access when it came second
};

}  // namespace detail

/// As blocking(f), but returns ctx's err() without having run f when ctx is done before a helper thread has begun it.
/// What has begun is waited for, whatever ctx says. An exception from f is rethrown. On a plain thread f runs in place.
template <class F>
auto blocking(const context& ctx, F&& f) -> result<std::invoke_result_t<F&>> {
  using value_type = std::invoke_result_t<F&>;
  static_assert(!std::is_reference_v<value_type>, "return a pointer or a std::reference_wrapper");
  // Spelt out: an error also converts to a bool value, which makes `return error` ambiguous for result<bool>.
  const auto refuse = [&ctx] { return result<value_type>(boost::system::in_place_error, ctx.err()); };
  if (ctx.done()) return refuse();
  const auto finish = [](auto&& take) -> result<value_type> {
    if constexpr (std::is_void_v<value_type>) {
      take();
      return {};
    } else {
      return result<value_type>(boost::system::in_place_value, take());
    }
  };
  detail::scheduler* s = detail::current_scheduler();
  if (s == nullptr) return finish(f);
  detail::blocking_frame_with_context<std::remove_reference_t<F>> frame(f);
  detail::submit_blocking(*s, frame);
  detail::waiter::outcome how;
  {
    const detail::done_hook stop(ctx, frame.self);
    how = frame.self.wait({"blocking", &frame});
  }
  if (how == detail::waiter::canceled) {
    // Not in the queue any more: a helper is about to find that it came second.
    if (!detail::withdraw_blocking(*s, frame)) {
      while (!frame.refused.load(std::memory_order_acquire)) this_fiber::yield();
    }
    return refuse();
  }
  return finish([&frame]() -> value_type { return frame.outcome.take(); });
}

}  // namespace spool
