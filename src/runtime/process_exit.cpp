// std::exit on a fiber. It first destroys the thread-locals of its thread, and among them Boost's contexts, which waits for
// every fiber of the thread to end: for the one that calls it, too, that is for ever. So the fiber that calls it takes the
// thread over before: to Boost it is the thread's main context from then on, and there are no others.
#include "process_exit.hpp"

#include "scheduler.hpp"
#include "thread_state.hpp"
#include "worker.hpp"

#include <boost/context/fiber.hpp>
#include <boost/fiber/context.hpp>

#include <utility>

extern "C" {
int __cxa_thread_atexit(void (*destroy)(void*), void* object, void* dso) noexcept;
extern void* __dso_handle [[gnu::visibility("hidden")]];
}

namespace spool::detail {
namespace {

// An explicit instantiation may name a private member; that is the whole trick.
auto& continuation(boost::fibers::context& ctx);
template <auto Member>
struct open_continuation {
  friend auto& continuation(boost::fibers::context& ctx) { return ctx.*Member; }
};
template struct open_continuation<&boost::fibers::context::c_>;

}  // namespace

void watch_for_exit(worker& w) {
  __cxa_thread_atexit([](void* at) { static_cast<worker*>(at)->leave_thread_to_exit(); }, &w, &__dso_handle);
}

void worker::leave_thread_to_exit() noexcept {
  if (current_worker() != this) return;  // the thread ends as it should
  owner.note_process_exit();
  unlink_all_from_boost();
  set_current_worker(nullptr);
  if (current_ == nullptr) return;  // on the thread's own stack
  left_ = current_;
  after_ = after::exit;
  home_->resume();  // whose first thing is to come back here
}

void worker::hand_thread_over(fiber& exiting) noexcept {
  auto* never_resumed = new boost::context::fiber;
  (void)std::move(continuation(*exiting.context())).resume_with([=](boost::context::fiber&& home) {
    *never_resumed = std::move(home);
    return boost::context::fiber();
  });
}

}  // namespace spool::detail
