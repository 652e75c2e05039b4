#include <spool/runtime/this_fiber.hpp>

#include "scheduler.hpp"
#include "thread_state.hpp"

#include <stdexcept>
#include <thread>

namespace spool {
namespace this_fiber {

void yield() {
  detail::worker* w = detail::current_worker();
  if (w != nullptr && w->current() != nullptr) {
    w->yield();
  } else {
    std::this_thread::yield();
  }
}

void sleep_until(detail::time_point when) {
  if (when <= detail::clock::now()) {
    yield();
    return;
  }
  detail::waiter self;
  self.wait_until(when, {"sleep", nullptr});
}

fiber_id id() noexcept {
  detail::fiber* f = detail::current_fiber();
  return f != nullptr ? fiber_id(f->ensure_id()) : fiber_id();
}

void set_name(std::string_view name) {
  detail::fiber* f = detail::current_fiber();
  if (f == nullptr) throw std::logic_error("spool::this_fiber::set_name: not on a fiber; call it inside spool::run or go");
  f->owner.rename(*f, name);
}

std::string_view name() noexcept {
  detail::fiber* f = detail::current_fiber();
  return f != nullptr && f->name != nullptr ? std::string_view(*f->name) : std::string_view();
}

std::size_t stack_high_water() {
  detail::fiber* f = detail::current_fiber();
  return f != nullptr && f->stack ? detail::stack_depot::touched(f->stack) : 0;
}

pin::pin() noexcept {
  detail::fiber* f = detail::current_fiber();
  if (f != nullptr && f->pins++ == 0) f->pinned_to = detail::current_worker();
}

pin::~pin() {
  detail::fiber* f = detail::current_fiber();
  if (f != nullptr && --f->pins == 0) f->pinned_to = nullptr;
}

}  // namespace this_fiber

std::size_t fiber_count() noexcept {
  detail::scheduler* s = detail::current_scheduler();
  return s != nullptr ? s->live() : 0;
}

}  // namespace spool
