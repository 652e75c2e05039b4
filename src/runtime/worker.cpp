#include "worker.hpp"

#include "blocked_signals.hpp"
#include "boost_algorithm.hpp"
#include "futex.hpp"
#include "overflow.hpp"
#include "plain_threads.hpp"
#include "scheduler.hpp"
#include "thread_state.hpp"

#include <boost/fiber/operations.hpp>
#include <boost/fiber/scheduler.hpp>

#include <pthread.h>
#include <sys/prctl.h>

namespace spool::detail {
namespace {

// An explicit instantiation may name a private member; that is the whole trick.
// Boost clears a context's fiber-specific data at termination only, which our runners put off to the end of the runtime.
auto& fiber_specific_data(boost::fibers::context& ctx);
template <auto Member>
struct open_data {
  friend auto& fiber_specific_data(boost::fibers::context& ctx) { return ctx.*Member; }
};
template struct open_data<&boost::fibers::context::fss_data_>;

// The thread's scheduler, which a running context must know. attach() would also link it into the thread's list of
// contexts, at each switch; only one that waits in Boost's own code has to be there.
auto& boost_scheduler(boost::fibers::context& ctx);
template <auto Member>
struct open_scheduler {
  friend auto& boost_scheduler(boost::fibers::context& ctx) { return ctx.*Member; }
};
template struct open_scheduler<&boost::fibers::context::scheduler_>;
auto& contexts_of(boost::fibers::scheduler& s);
template <auto Member>
struct open_contexts {
  friend auto& contexts_of(boost::fibers::scheduler& s) { return s.*Member; }
};
template struct open_contexts<&boost::fibers::scheduler::worker_queue_>;

}  // namespace

worker::worker(scheduler& s, unsigned i)
    : owner(s),
      index(i),
      timers(timer_queue::acquire()),
      idle_runners_(s.spare_runners()),
      new_stacks_(s.stacks()),
      random_state_(0x9E3779B97F4A7C15u * (i + 1)) {}

worker::~worker() {
  while (void* node = take_node()) ::operator delete(node);
}

void worker::start() {
  const blocked_signals inherited;
  thread_ = std::thread([this] { run(); });
}

void worker::join() {
  if (thread_.joinable()) thread_.join();
}

void worker::run() noexcept {
  const own_thread counted;
  ::prctl(PR_SET_TIMERSLACK, 1UL);  // naps and timers would be late by 50 us otherwise
  ::pthread_setname_np(::pthread_self(), (owner.options().name.substr(0, 10) + "-" + std::to_string(index)).c_str());
  const signal_stack alternate;
  exceptions_ = thread_exception_state();
  set_current_worker(this);
  home_ = boost::fibers::context::active();
  boost::fibers::use_scheduling_algorithm<boost_algorithm>(*this);
  boost_scheduler_ = home_->get_scheduler();
  loop();
  runnable_chain idle;
  while (fiber* f = idle_runners_.get()) idle.push_back(f);
  end_runners(idle);
  set_current_worker(nullptr);
}

void worker::loop() noexcept {
  while (runnable* r = find_runnable()) resume_from_home(r);
}

void worker::resume_from_home(runnable* r) noexcept {
  fiber* to = r->what == runnable::kind::task ? runner_for(static_cast<task&>(*r)) : static_cast<fiber*>(r);
  if (to == nullptr) return;
  prepare(*to);
  resume(*to);
  arrive();
}

void worker::prepare(fiber& to) noexcept {
  current_ = &to;
  renew_budget();
  switches_.store(switches_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  if constexpr (switches_exceptions) *exceptions_ = to.exceptions;
  if (to.guest) {
    home_->attach(to.context());
  } else {
    boost_scheduler(*to.context()) = boost_scheduler_;
  }
}

void worker::link_into_boost(fiber& f) noexcept {
  if (f.guest || std::exchange(f.linked_in_boost, true)) return;
  f.context()->worker_link(contexts_of(*boost_scheduler_));
}

void worker::resume(fiber& to) noexcept {
  const bool calls_arrive = !std::exchange(to.inside_boost, false);
  if (calls_arrive || after_ == after::nothing) {
    to.context()->resume();
  } else {
    link_into_boost(*left_);  // awakened() takes it out again
    to.context()->resume(left_->context());
  }
}

void worker::switch_to(fiber& to, after what) noexcept {
  left_ = current_;
  after_ = what;
  if constexpr (switches_exceptions) left_->exceptions = *exceptions_;
  prepare(to);
  resume(to);
  current_worker()->arrive();
}

void worker::switch_home(after what) noexcept {
  left_ = current_;
  after_ = what;
  if constexpr (switches_exceptions) left_->exceptions = *exceptions_;
  current_ = nullptr;
  if constexpr (switches_exceptions) *exceptions_ = {};
  home_->resume();
  current_worker()->arrive();
}

void worker::finish_switch() noexcept {
  fiber& left = *left_;
  const after what = std::exchange(after_, after::nothing);
  if (left.guest) left.context()->detach();
  switch (what) {
    case after::publish:
      if (left.state_.exchange(fiber::parked, std::memory_order_acq_rel) == fiber::notified) push_next(left);
      break;
    case after::requeue:
      push(left);
      break;
    case after::retire:
      idle_runners_.put(left);
      break;
    case after::move:
      destination_->receive(left);
      break;
    case after::nothing:
      break;
  }
}

fiber* worker::runner_for(task& t) noexcept {
  fiber* runner = idle_runners_.get();
  if (runner == nullptr) {
    const stack_memory stack = new_stacks_.take();
    if (!stack) {
      owner.starve(t);
      return nullptr;
    }
    runner = fiber::make_runner(owner, stack);
  }
  runner->job = &t;
  return runner;
}

runnable* worker::pick_local() noexcept {
  if (--picks_left_ == 0 || attention_.load(std::memory_order_relaxed)) {
    picks_left_ = 1;  // every further pick goes home too, until home has polled
    return nullptr;
  }
  if (pinned_.first != nullptr) [[unlikely]] {
    pinned_turn_ = !pinned_turn_;
    runnable* r = pinned_turn_ ? nullptr : queue.pop();  // whether there is one, only the pop can tell: there are thieves
    return r != nullptr ? r : pinned_.pop_front();
  }
  return queue.pop();
}

void worker::leave_for(runnable* next, after what) noexcept {
  if (next != nullptr && next->what == runnable::kind::task) next = runner_for(static_cast<task&>(*next));
  if (next != nullptr) {
    switch_to(static_cast<fiber&>(*next), what);
  } else {
    switch_home(what);
  }
}

void worker::park() noexcept {
  leave_for(pick_local(), after::publish);
}

void worker::yield() noexcept {
  renew_budget();
  runnable* next = pick_local();
  if (next == nullptr && picks_left_ > 1) return;  // nobody else wants to run
  leave_for(next, after::requeue);
}

void worker::retire(fiber* next) noexcept {
  leave_for(next, after::retire);
}

void worker::push(runnable& r) noexcept {
  if (r.what == runnable::kind::fiber) {
    auto& f = static_cast<fiber&>(r);
    if (f.pinned_to != nullptr) [[unlikely]] {
      f.pinned_to->push_pinned(f);
      return;
    }
  }
  queue.push(&r);
  owner.idle().notice_local_push();
}

void worker::push_at_home(runnable& r) noexcept {
  if (serving_reactor_ && static_cast<fiber&>(r).pinned_to == nullptr) {
    queue.push(&r);  // whether another worker is to be woken is decided once all is served
  } else {
    push(r);
  }
}

void worker::push_next(runnable& r) noexcept {
  if (static_cast<fiber&>(r).pinned_to != nullptr) [[unlikely]] {
    push(r);
    return;
  }
  queue.push_next(&r);
  owner.idle().notice_local_push();
}

void worker::push_pinned(fiber& f) noexcept {
  if (current_worker() == this) {
    pinned_.push_back(&f);
    return;
  }
  runnable* head = pinned_inbox_.load(std::memory_order_relaxed);
  do {
    f.next = head;
  } while (!pinned_inbox_.compare_exchange_weak(head, &f, std::memory_order_release, std::memory_order_relaxed));
  attention_.store(true, std::memory_order_seq_cst);
  wake_thread();
}

void worker::clear_fiber_specific_data(fiber& f) noexcept {
  auto& data = fiber_specific_data(*f.context());
  if (data.empty()) return;
  auto old = std::exchange(data, {});
  for (auto& entry : old) entry.second.do_cleanup();
}

std::uint64_t worker::random() noexcept {
  random_state_ ^= random_state_ << 13;
  random_state_ ^= random_state_ >> 7;
  random_state_ ^= random_state_ << 17;
  return random_state_;
}

}  // namespace spool::detail
