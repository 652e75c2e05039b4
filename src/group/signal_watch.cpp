#include "signal_watch.hpp"

#include "runtime/raised_signals.hpp"

#include <spool/runtime/detail/task.hpp>

#include <pthread.h>
#include <semaphore.h>

#include <atomic>
#include <cctype>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <string>
#include <utility>

namespace spool::detail {
namespace {

// What the handler touches. seq_cst on the flags: the handler sets one, then posts; the thread waits, then takes them.
sem_t bell;
std::array<std::atomic<bool>, 65> pending{};

std::atomic<std::uint64_t> watched{0};  // bit n: signal n + 1

std::uint64_t bit_of(int signal) noexcept { return std::uint64_t{1} << (signal - 1); }

void ring() noexcept {
  ::sem_post(&bell);  // fails only when the thread has two thousand million rings before it
}

// Of what a handler may post to, a semaphore, as ThreadSanitizer runs handlers at once in sem_wait only: in poll or
// read it may put off for ever the one that would end them.
void wait_for_ring() noexcept {
  while (::sem_wait(&bell) != 0) {
  }
  while (::sem_trywait(&bell) == 0) {
  }
}

void handle(int signal) noexcept {
  const int saved = errno;
  pending[static_cast<std::size_t>(signal)].store(true);
  ring();
  errno = saved;
}

/// glibc fills in 64 signals; what follows them is left from the stack of who asked, and would pass for references into it.
void forget_what_lay_there(sigset_t& mask) noexcept {
  sigset_t clean{};  // sigemptyset empties no more than 64
  for (int signal = 1; signal <= 64; ++signal) {
    if (sigismember(&mask, signal) == 1) sigaddset(&clean, signal);
  }
  mask = clean;
}

/// On a thread that blocks them. What waits for the process is watched by us alone: who takes it makes no difference.
void take_raised() noexcept {
  sigset_t ours;
  sigemptyset(&ours);
  const std::uint64_t bits = watched.load();
  for (int signal = 1; signal <= 64; ++signal) {
    if ((bits & bit_of(signal)) != 0) sigaddset(&ours, signal);
  }
  const timespec at_once{};
  for (int signal = ::sigtimedwait(&ours, nullptr, &at_once); signal > 0; signal = ::sigtimedwait(&ours, nullptr, &at_once)) {
    pending[static_cast<std::size_t>(signal)].store(true);
    ring();
  }
}

}  // namespace

error signal_error(int signal) {
  const char* known = ::sigdescr_np(signal);
  std::string name = known != nullptr ? known : std::to_string(signal);
  for (char& c : name) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return {make_error_code(errc::canceled), "signal: " + name};
}

signal_watch& signal_watch::instance() {
  // Never destroyed, nor is the bell: handlers and the thread may outlive main's statics.
  static auto* watch = [] {
    ::sem_init(&bell, 0, 0);
    return new signal_watch;
  }();
  return *watch;
}

void signal_watch::install(int signal) {
  handling& h = handling_[static_cast<std::size_t>(signal)];
  if (h.listeners == 0) {
    pending[static_cast<std::size_t>(signal)].store(false);
    struct sigaction ours {};
    ours.sa_handler = &handle;
    ours.sa_flags = SA_RESTART | SA_ONSTACK;
    sigfillset(&ours.sa_mask);
    if (::sigaction(signal, &ours, &h.before) != 0) {
      throw std::invalid_argument("spool: signal " + std::to_string(signal) + " cannot be caught");
    }
    forget_what_lay_there(h.before.sa_mask);
    h.before.sa_restorer = nullptr;
    watched.fetch_or(bit_of(signal));
    give_raised_signals_to(&take_raised);
  }
  ++h.listeners;
}

void signal_watch::restore(int signal) noexcept {
  handling& h = handling_[static_cast<std::size_t>(signal)];
  if (--h.listeners > 0) return;
  if ((watched.fetch_and(~bit_of(signal)) & ~bit_of(signal)) == 0) give_raised_signals_to(nullptr);
  struct sigaction current {};
  // Somebody may have put a handler of their own over ours; it is not ours to take away.
  if (::sigaction(signal, nullptr, &current) == 0 && current.sa_handler == &handle) {
    ::sigaction(signal, &h.before, nullptr);
  }
}

void signal_watch::release_signals(const sigset_t& signals, int before) noexcept {
  for (int signal = 1; signal < before; ++signal) {
    if (sigismember(&signals, signal) == 1) restore(signal);
  }
}

void signal_watch::add(signal_listener& listener, std::span<const int> signals) {
  sigemptyset(&listener.wanted_);
  for (const int signal : signals) {
    if (signal < 1 || signal >= signal_limit || sigaddset(&listener.wanted_, signal) != 0) {
      throw std::invalid_argument("spool: there is no signal " + std::to_string(signal));
    }
    if (signal == SIGSEGV || signal == SIGBUS || signal == SIGFPE || signal == SIGILL) {
      throw std::invalid_argument("spool: signal " + std::to_string(signal) +
                                  " is raised by a fault, which comes again when it has been taken; watch others");
    }
  }
  std::unique_lock lock(mu_);
  int signal = 1;
  try {
    start_thread();
    for (; signal < signal_limit; ++signal) {
      if (sigismember(&listener.wanted_, signal) == 1) install(signal);
    }
  } catch (...) {
    release_signals(listener.wanted_, signal);
    if (listeners_.empty()) stop_thread(lock);
    throw;
  }
  listeners_.push_back(listener);
  add_outside_source();
  ended_.notify_all();  // who waits for the thread to end need not any more
  ring();               // the thread opens itself to the signals, which every other may have blocked
}

void signal_watch::remove(signal_listener& listener) noexcept {
  std::unique_lock lock(mu_);
  if (!listener.linked()) return;
  listeners_.erase(listener);
  release_signals(listener.wanted_, signal_limit);
  remove_outside_source();
  if (listeners_.empty()) stop_thread(lock);
}

void signal_watch::start_thread() {
  if (running_) return;
  if (thread_.joinable()) thread_.join();  // it ended for a joiner that has not come to it yet
  // Born with all signals blocked; it opens itself to those that are watched.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  try {
    thread_ = std::thread([this] { listen(); });
    running_ = true;
  } catch (...) {
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    throw;
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

void signal_watch::stop_thread(std::unique_lock<std::mutex>& lock) noexcept {
  if (!running_) return;
  ring();
  ++joiners_;
  // A thread that is calling listeners may run the code of whoever is here; it ends by itself when it gets back.
  ended_.wait(lock, [this] { return !running_ || delivering_ || !listeners_.empty(); });
  --joiners_;
  if (!running_ && thread_.joinable()) thread_.join();
}

void signal_watch::deliver(std::unique_lock<std::mutex>& lock) noexcept {
  std::array<bool, signal_limit> came{};
  for (std::size_t signal = 1; signal < came.size(); ++signal) came[signal] = pending[signal].exchange(false);
  signal_listener* called = nullptr;
  for (signal_listener* l = listeners_.front(); l != nullptr; l = listeners_.next(*l)) {
    int signal = 1;
    while (signal < signal_limit &&
           !(came[static_cast<std::size_t>(signal)] && sigismember(&l->wanted_, signal) == 1)) {
      ++signal;
    }
    if (signal == signal_limit || !l->acquire()) continue;
    l->signal_ = signal;
    l->next_called_ = std::exchange(called, l);
  }
  if (called == nullptr) return;
  delivering_ = true;
  ended_.notify_all();
  lock.unlock();
  while (called != nullptr) {
    signal_listener* l = std::exchange(called, called->next_called_);
    l->signal_came(l->signal_);
  }
  lock.lock();
  delivering_ = false;
}

// It waits before it opens itself to a signal: add() rings for the first time. ThreadSanitizer of gcc 12 loses a signal that
// comes during a thread's first wait, in which it makes its record of the thread's signals.
void signal_watch::listen() noexcept {
  ::pthread_setname_np(::pthread_self(), "spool-signals");
  std::unique_lock lock(mu_, std::defer_lock);
  for (;;) {
    wait_for_ring();
    lock.lock();
    deliver(lock);
    if (listeners_.empty()) break;
    sigset_t blocked;
    sigfillset(&blocked);
    for (int signal = 1; signal < signal_limit; ++signal) {
      if (handling_[static_cast<std::size_t>(signal)].listeners > 0) sigdelset(&blocked, signal);
    }
    lock.unlock();
    pthread_sigmask(SIG_SETMASK, &blocked, nullptr);
  }
  // The next thread may be there before this one is gone, and ThreadSanitizer loses a signal that a dying one takes.
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, nullptr);
  running_ = false;
  if (joiners_ == 0) thread_.detach();
  ended_.notify_all();
}

}  // namespace spool::detail
