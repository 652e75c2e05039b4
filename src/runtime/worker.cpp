#include "worker.hpp"

#include "blocked_signals.hpp"
#include "boost_algorithm.hpp"
#include "futex.hpp"
#include "overflow.hpp"
#include "plain_threads.hpp"
#include "process_exit.hpp"
#include "scheduler.hpp"
#include "thread_state.hpp"

#include <boost/fiber/context.hpp>
#include <boost/fiber/scheduler.hpp>

#include <pthread.h>
#include <sys/prctl.h>
#include <unistd.h>

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

}  // namespace

worker::worker(scheduler& s, unsigned i)
    : owner(s),
      index(i),
      timers(timer_queue::acquire()),
      idle_runners_(s.spare_runners()),
      new_stacks_(s.stacks()),
      random_state_(0x9E3779B97F4A7C15u * (i + 1)) {}

void worker::start() {
  const blocked_signals inherited;
  thread_ = std::thread([this] { run(); });
}

void worker::join() {
  if (thread_.joinable()) thread_.join();
}

void worker::await_start() {
  started_.wait();
  if (start_failure_) std::rethrow_exception(start_failure_);
  known_.store(true, std::memory_order_release);
}

void worker::run() noexcept {
  const own_thread counted;
  ::prctl(PR_SET_TIMERSLACK, 1UL);  // naps and timers would be late by 50 us otherwise
  const signal_stack alternate;
  thread_number_ = ::gettid();
  try {
    set_up();
  } catch (...) {
    start_failure_ = std::current_exception();
    started_.count_down();
    return;
  }
  started_.count_down();
  owner.driver() == nullptr ? loop() : loop_seeded();
  runnable_chain idle;
  while (fiber* f = idle_runners_.get()) idle.push_back(f);
  end_runners(idle);
  set_current_worker(nullptr);
}

void worker::set_up() {
  // Makes the contexts of this thread. It is noexcept: without memory for three small objects Boost ends the process.
  home_ = boost::fibers::context::active();
  exceptions_ = thread_exception_state();
  ::pthread_setname_np(::pthread_self(), (owner.options().name.substr(0, 10) + "-" + std::to_string(index)).c_str());
  boost_scheduler_ = home_->get_scheduler();
  boost_scheduler_->set_algo(new boost_algorithm(*this));  // use_scheduling_algorithm is noexcept
  set_current_worker(this);
  watch_for_exit(*this);
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
