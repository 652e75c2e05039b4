#include "overflow.hpp"

#include "fiber.hpp"
#include "stack_depot.hpp"
#include "thread_state.hpp"
#include "worker.hpp"

#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <mutex>

namespace spool::detail {
namespace {

struct sigaction previous;

// What names a fiber runs in a signal handler, and in a build with ThreadSanitizer the stack may have ended inside the sanitizer,
// with a lock that it takes for an acquire, a release, write(2) and sigaction(2), too: system calls by their number, reads of
// memory and relaxed atomics only.

void say(const char* text) noexcept {
  [[maybe_unused]] const auto written = ::syscall(SYS_write, STDERR_FILENO, text, std::strlen(text));
}

void say(std::uint64_t number) noexcept {
  char digits[21] = {};
  char* p = digits + sizeof(digits) - 1;
  do {
    *--p = static_cast<char>('0' + number % 10);
    number /= 10;
  } while (number != 0);
  say(p);
}

std::byte* stack_pointer(const void* context) noexcept {
  const mcontext_t& registers = static_cast<const ucontext_t*>(context)->uc_mcontext;
#if defined(__x86_64__)
  return reinterpret_cast<std::byte*>(registers.gregs[REG_RSP]);
#elif defined(__aarch64__)
  return reinterpret_cast<std::byte*>(registers.sp);
#else
  return nullptr;
#endif
}

/// The fiber that ran out of `stack`; null: who faulted only hit its guard. It is the one whose stack the thread is on. In the
/// middle of a switch that is not the worker's current fiber, and a frame larger than the guard is not on that stack either.
fiber* who_overflowed(const stack_memory& stack, const void* context) noexcept {
  const std::byte* sp = stack_pointer(context);
  if (sp >= stack.low - stack_depot::guard_bytes && sp < stack.low + stack.bytes) return fiber::runner_on(stack);
  const worker* w = current_worker();
  fiber* f = w != nullptr ? w->current() : nullptr;
  return f != nullptr && f->stack.low == stack.low ? f : nullptr;
}

void name_the_fiber(fiber* f, const stack_memory& stack) noexcept {
  say("\nspool: stack overflow in fiber ");
  if (f->busy()) {
    say(f->ensure_id());
    say(" \"");
    say(f->name != nullptr ? f->name->c_str() : "");
    say("\", started at ");
    say(f->start_file.load(std::memory_order_relaxed));
    say(":");
    say(f->start_line.load(std::memory_order_relaxed));
  } else {
    say("(none: between two tasks)");
  }
  say(", stack size ");
  say(stack.bytes);
  say(" bytes. Raise runtime_options::stack_bytes, or move large objects to the heap.\n");
}

void on_fault(int signal, siginfo_t* info, void* context) {
  const stack_depot::location at = stack_depot::find(info->si_addr, std::memory_order_relaxed);
  if (fiber* overflowed = at.in_guard ? who_overflowed(at.stack, context) : nullptr) {
    name_the_fiber(overflowed, at.stack);
    sigaddset(&static_cast<ucontext_t*>(context)->uc_sigmask, SIGSEGV);
    return;  // the access faults again, and Linux ends a process that has blocked the signal of its fault
  }
  if ((static_cast<unsigned>(previous.sa_flags) & SA_RESETHAND) != 0) {
    struct sigaction standard {};
    standard.sa_handler = SIG_DFL;
    ::sigaction(SIGSEGV, &standard, nullptr);
  }
  if ((previous.sa_flags & SA_SIGINFO) != 0 && previous.sa_sigaction != nullptr) {
    previous.sa_sigaction(signal, info, context);
    return;
  }
  if (previous.sa_handler != SIG_DFL && previous.sa_handler != SIG_IGN && previous.sa_handler != nullptr) {
    previous.sa_handler(signal);
    return;
  }
  ::sigaction(SIGSEGV, &previous, nullptr);
}

}  // namespace

void install_overflow_handler() noexcept {
  static std::once_flag once;
  std::call_once(once, [] {
    struct sigaction ours {};
    ours.sa_sigaction = on_fault;
    ours.sa_flags = SA_SIGINFO | SA_ONSTACK;
    sigemptyset(&ours.sa_mask);
    ::sigaction(SIGSEGV, nullptr, &previous);
    ::sigaction(SIGSEGV, &ours, nullptr);
  });
}

signal_stack::signal_stack() noexcept : bytes_(64 * 1024) {
  memory_ = ::mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory_ == MAP_FAILED) return;  // an overflow will die without a word, as it does without spool
  stack_t stack{};
  stack.ss_sp = memory_;
  stack.ss_size = bytes_;
  ::sigaltstack(&stack, nullptr);
}

signal_stack::~signal_stack() {
  if (memory_ == MAP_FAILED) return;
  stack_t off{};
  off.ss_flags = SS_DISABLE;
  ::sigaltstack(&off, nullptr);
  ::munmap(memory_, bytes_);
}

}  // namespace spool::detail
