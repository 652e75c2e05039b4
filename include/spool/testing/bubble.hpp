// run_in_bubble: a runtime for the length of a call, on one thread, with a clock of its own.
//
// In a bubble time stands while a fiber can run and jumps to the next timer when all of them wait: an hour's sleep ends
// at once, after an hour. All of spool's waits and timers go by it, and this_fiber::now() reads it. It begins at the steady
// clock's time. A timer, ticker or context with a deadline that outlives it has no clock any more: its time never
// comes, unless it is reset.
//
// A thread or runtime that was begun inside and is still at work may act on the bubble: until it has ended or waits in
// something of spool's itself, the clock goes as the real one, and nothing is called a deadlock for 10 s. blocking(f)
// holds the bubble up while f runs (after a second, the other fibers go on). io_context() throws. Boost.Fiber's own
// primitives work, by the real clock.
#pragma once

#include <spool/testing/schedule_failure.hpp>

#include <spool/runtime/runtime.hpp>
#include <spool/runtime/this_fiber.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <type_traits>
#include <utility>

namespace spool::testing {

struct bubble_options {
  testing::schedule schedule = testing::schedule::fifo;
  std::uint64_t seed = 1;                  ///< for schedules other than fifo, and for select's choices
  std::uint64_t longest = 100'000'000;     ///< switches that a run may take; more are called endless
  std::size_t stack_bytes = 128 * 1024;    ///< of each fiber
};

namespace detail {

using namespace spool::detail;
void run_in_bubble(const bubble_options& options, std::function<void()> f, start_site where);

}  // namespace detail

/// Runs f as a fiber in a bubble of its own and waits for all its fibers, as run does; returns or rethrows what f did.
/// A deadlock, a leaked fiber, an exception that leaves another fiber: schedule_failure. On a fiber of another bubble:
/// std::logic_error. Go: testing/synctest.Test.
template <class F>
auto run_in_bubble(const bubble_options& options, F&& f,
                   detail::start_site where = detail::start_site::current()) -> std::invoke_result_t<std::decay_t<F>&> {
  spool::detail::run_outcome<std::invoke_result_t<std::decay_t<F>&>> outcome;
  std::decay_t<F> body(std::forward<F>(f));
  detail::run_in_bubble(options, [&] { outcome.capture(body); }, where);
  return outcome.take();
}
template <class F>
auto run_in_bubble(F&& f, detail::start_site where = detail::start_site::current()) {
  return run_in_bubble(bubble_options{}, std::forward<F>(f), where);
}

/// Waits until every other fiber of the bubble waits; time does not move meanwhile. What these fibers did before happens
/// before it returns. Not in a bubble: std::logic_error. Go: synctest.Wait.
inline void settle() { detail::wait_until_settled(); }

/// The seed of the run that the calling fiber belongs to; what a test draws itself can come from it. Not in a bubble:
/// std::logic_error.
inline std::uint64_t seed() { return detail::seed_of_run(); }

}  // namespace spool::testing
