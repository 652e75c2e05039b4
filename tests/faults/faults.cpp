#include "faults.hpp"

#include <support/sanitized.hpp>

#include <dlfcn.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/mman.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstdarg>
#include <cstdlib>
#include <new>
#include <utility>

namespace faults {
namespace {

constexpr std::size_t kinds = 6;

constinit std::array<std::atomic<std::int64_t>, kinds> calls_left{};  // 0: none fails
constinit std::atomic<const std::function<void()>*> first{nullptr};  // called before the one that fails
constinit std::atomic<std::int64_t> live{0};

// Boost.Fiber makes a thread's main context, scheduler and algorithm in a function that is noexcept; a worker's thread
// begins with it. Whether these three can be had is not ours to handle; nor the thread's own context of the flavor of
// Boost.Context that sanitizers understand.
constexpr int made_by_boost = spool_test::sanitized ? 4 : 3;
thread_local int spared_allocations = 0;

bool fails_now(kind what) noexcept {
  if (what == kind::allocation && spared_allocations > 0) {
    --spared_allocations;
    return false;
  }
  std::atomic<std::int64_t>& left = calls_left[static_cast<std::size_t>(what)];
  if (left.load(std::memory_order_relaxed) <= 0 || left.fetch_sub(1, std::memory_order_relaxed) != 1) return false;
  if (const auto* meanwhile = first.load(std::memory_order_acquire)) (*meanwhile)();
  return true;
}

/// The function that ours stands before. `known` is constinit: the guard of a static is a sanitizer's affair, which calls
/// mmap while it sets itself up.
template <class F>
F* next(std::atomic<void*>& known, const char* name) noexcept {
  if (known.load(std::memory_order_relaxed) == nullptr) known.store(::dlsym(RTLD_NEXT, name), std::memory_order_relaxed);
  return reinterpret_cast<F*>(known.load(std::memory_order_relaxed));
}

void* allocate(std::size_t bytes, std::size_t alignment) noexcept {
  if (fails_now(kind::allocation)) return nullptr;
  bytes = bytes == 0 ? 1 : bytes;
  void* p = alignment <= __STDCPP_DEFAULT_NEW_ALIGNMENT__
                ? std::malloc(bytes)
                : std::aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
  if (p != nullptr) live.fetch_add(1, std::memory_order_relaxed);
  return p;
}

void release(void* p) noexcept {
  if (p == nullptr) return;
  live.fetch_sub(1, std::memory_order_relaxed);
  std::free(p);
}

void* allocate_or_throw(std::size_t bytes, std::size_t alignment) {
  if (void* p = allocate(bytes, alignment)) return p;
  throw std::bad_alloc();
}

struct thread_start {
  void* (*run)(void*);
  void* argument;
};

void* run_spared(void* start) {
  const thread_start what = *static_cast<thread_start*>(start);
  std::free(start);
  spared_allocations = made_by_boost;
  return what.run(what.argument);
}

}  // namespace

std::string_view name_of(kind what) noexcept {
  constexpr std::array<std::string_view, kinds> names{"allocation", "mmap", "mprotect", "madvise", "eventfd",
                                                      "pthread_create"};
  return names[static_cast<std::size_t>(what)];
}

injection::injection(kind what, std::int64_t nth, std::function<void()> meanwhile) : meanwhile_(std::move(meanwhile)) {
  first.store(meanwhile_ ? &meanwhile_ : nullptr, std::memory_order_release);
  calls_left[static_cast<std::size_t>(what)].store(nth, std::memory_order_relaxed);
}

injection::~injection() {
  for (auto& left : calls_left) left.store(0, std::memory_order_relaxed);
  first.store(nullptr, std::memory_order_relaxed);
}

bool injection::pending() const noexcept {
  for (const auto& left : calls_left) {
    if (left.load(std::memory_order_relaxed) > 0) return true;
  }
  return false;
}

std::int64_t live_allocations() noexcept { return live.load(std::memory_order_relaxed); }

}  // namespace faults

using faults::fails_now;
using faults::kind;

void* operator new(std::size_t n) { return faults::allocate_or_throw(n, 0); }
void* operator new[](std::size_t n) { return faults::allocate_or_throw(n, 0); }
void* operator new(std::size_t n, std::align_val_t a) { return faults::allocate_or_throw(n, static_cast<std::size_t>(a)); }
void* operator new[](std::size_t n, std::align_val_t a) {
  return faults::allocate_or_throw(n, static_cast<std::size_t>(a));
}
void* operator new(std::size_t n, const std::nothrow_t&) noexcept { return faults::allocate(n, 0); }
void* operator new[](std::size_t n, const std::nothrow_t&) noexcept { return faults::allocate(n, 0); }
void operator delete(void* p) noexcept { faults::release(p); }
void operator delete[](void* p) noexcept { faults::release(p); }
void operator delete(void* p, std::size_t) noexcept { faults::release(p); }
void operator delete[](void* p, std::size_t) noexcept { faults::release(p); }
void operator delete(void* p, std::align_val_t) noexcept { faults::release(p); }
void operator delete[](void* p, std::align_val_t) noexcept { faults::release(p); }
void operator delete(void* p, std::size_t, std::align_val_t) noexcept { faults::release(p); }
void operator delete[](void* p, std::size_t, std::align_val_t) noexcept { faults::release(p); }
void operator delete(void* p, const std::nothrow_t&) noexcept { faults::release(p); }
void operator delete[](void* p, const std::nothrow_t&) noexcept { faults::release(p); }

// The program's own definitions come before the C library's, also for the shared libraries that it uses.
extern "C" {

void* mmap(void* where, std::size_t bytes, int protection, int flags, int fd, off_t offset) noexcept {
  if (fails_now(kind::mapping)) {
    errno = ENOMEM;
    return MAP_FAILED;
  }
  static constinit std::atomic<void*> real{nullptr};
  return faults::next<decltype(::mmap)>(real, "mmap")(where, bytes, protection, flags, fd, offset);
}

int mprotect(void* where, std::size_t bytes, int protection) noexcept {
  if (fails_now(kind::protection)) {
    errno = ENOMEM;
    return -1;
  }
  static constinit std::atomic<void*> real{nullptr};
  return faults::next<decltype(::mprotect)>(real, "mprotect")(where, bytes, protection);
}

int madvise(void* where, std::size_t bytes, int advice) noexcept {
  if (fails_now(kind::advice)) {
    errno = ENOMEM;
    return -1;
  }
  static constinit std::atomic<void*> real{nullptr};
  return faults::next<decltype(::madvise)>(real, "madvise")(where, bytes, advice);
}

int eventfd(unsigned int count, int flags) noexcept {
  if (fails_now(kind::event_fd)) {
    errno = EMFILE;
    return -1;
  }
  static constinit std::atomic<void*> real{nullptr};
  return faults::next<decltype(::eventfd)>(real, "eventfd")(count, flags);
}

int pthread_create(pthread_t* thread, const pthread_attr_t* attributes, void* (*run)(void*), void* argument) noexcept {
  if (fails_now(kind::thread_creation)) return EAGAIN;
  static constinit std::atomic<void*> real{nullptr};
  auto* start = static_cast<faults::thread_start*>(std::malloc(sizeof(faults::thread_start)));
  if (start == nullptr) return EAGAIN;
  *start = {run, argument};
  auto* create = faults::next<decltype(::pthread_create)>(real, "pthread_create");
  const int refused = create(thread, attributes, &faults::run_spared, start);
  if (refused != 0) std::free(start);
  return refused;
}

}  // extern "C"
