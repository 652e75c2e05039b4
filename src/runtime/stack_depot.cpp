#include "stack_depot.hpp"

#include "base/log.hpp"

#include <linux/mman.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <string_view>

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#endif

namespace spool::detail {
namespace {

constexpr std::size_t page_bytes = 4096;
constexpr std::size_t most_slab_stacks = 1024;
constexpr std::size_t warm_stacks = 256;            // these keep their upper pages
constexpr std::size_t warm_bytes = 2 * page_bytes;  // of each
constexpr unsigned colors = 8;

guard_mode chosen_guard_mode() noexcept {
#ifdef SPOOL_WITHOUT_GUARDS
  return guard_mode::none;
#else
  const char* wish = std::getenv("SPOOL_STACK_GUARDS");
  if (wish != nullptr && std::string_view(wish) == "none") return guard_mode::none;
  if (wish != nullptr && std::string_view(wish) == "mprotect") return guard_mode::mprotect;
  void* probe = ::mmap(nullptr, page_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (probe == MAP_FAILED) return guard_mode::mprotect;
  const bool works = ::madvise(probe, page_bytes, MADV_GUARD_INSTALL) == 0;
  ::munmap(probe, page_bytes);
  return works ? guard_mode::madvise : guard_mode::mprotect;
#endif
}

guard_mode mode() noexcept {
  static const guard_mode chosen = chosen_guard_mode();
  return chosen;
}

}  // namespace

// Slabs are never unmapped, so a signal handler may walk this list at any time.
struct stack_depot::slab {
  std::byte* base;
  std::size_t count;
  std::size_t stack_bytes;
  slab* next;

  std::size_t stride() const noexcept { return stack_bytes + guard_bytes; }
  stack_memory stack(std::size_t i) const noexcept {
    return {base + i * stride() + guard_bytes, stack_bytes, static_cast<unsigned>(i) % colors};
  }
  static inline std::atomic<slab*> all{nullptr};
};

stack_depot& stack_depot::of_size(std::size_t stack_bytes) {
  static std::mutex mutex;
  static auto* depots = new std::map<std::size_t, std::unique_ptr<stack_depot>>;  // outlives every static object
  const std::size_t rounded = (stack_bytes + page_bytes - 1) / page_bytes * page_bytes;
  const std::lock_guard lock(mutex);
  auto& slot = (*depots)[rounded];
  if (!slot) slot.reset(new stack_depot(rounded));
  return *slot;
}

stack_memory stack_depot::take() noexcept {
  const std::lock_guard lock(mutex_);
  if (free_.empty() && !add_slab()) return {};
  const stack_memory stack = free_.back();
  free_.pop_back();
  return stack;
}

void stack_depot::give_back(stack_memory stack) noexcept {
  const std::lock_guard lock(mutex_);
  const std::size_t kept = free_.size() < warm_stacks ? std::min(warm_bytes, stack.bytes) : 0;
  ::madvise(stack.low, stack.bytes - kept, MADV_DONTNEED);
  free_.push_back(stack);  // capacity was reserved with the slab
}

bool stack_depot::add_slab() noexcept try {
  const std::size_t stride = stack_bytes_ + guard_bytes;
  auto made = std::make_unique<slab>();
  free_.reserve(free_.capacity() + next_slab_stacks_);
  void* memory = ::mmap(nullptr, stride * next_slab_stacks_, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) {
    report_exhausted("mmap");
    return false;
  }
  // A huge page would commit 2 MiB at the first touch of one stack.
  ::madvise(memory, stride * next_slab_stacks_, MADV_NOHUGEPAGE);
  const std::size_t guarded_stacks = guard_all(static_cast<std::byte*>(memory), next_slab_stacks_);
  if (guarded_stacks < next_slab_stacks_) report_exhausted("setting stack guards");
  if (guarded_stacks == 0) {
    ::munmap(memory, stride * next_slab_stacks_);
    return false;
  }
  *made = {static_cast<std::byte*>(memory), guarded_stacks, stack_bytes_, slab::all.load(std::memory_order_relaxed)};
  while (!slab::all.compare_exchange_weak(made->next, made.get(), std::memory_order_release)) {
  }
  const slab& added = *made.release();
  for (std::size_t i = guarded_stacks; i-- > 0;) free_.push_back(added.stack(i));
  next_slab_stacks_ = std::min(next_slab_stacks_ * 2, most_slab_stacks);
  return true;
} catch (...) {
  report_exhausted("memory");
  return false;
}

/// Returns how many stacks, from the first, have their guard.
std::size_t stack_depot::guard_all(std::byte* base, std::size_t count) noexcept {
  const std::size_t stride = stack_bytes_ + guard_bytes;
  if (mode() == guard_mode::none) return count;
  if (mode() == guard_mode::mprotect) {
    for (std::size_t i = 0; i < count; ++i) {
      if (::mprotect(base + i * stride, guard_bytes, PROT_NONE) != 0) return i;
    }
    return count;
  }
#ifdef SYS_process_madvise
  std::vector<iovec> guards(count);
  for (std::size_t i = 0; i < count; ++i) guards[i] = {base + i * stride, guard_bytes};
  static constexpr int self = -10000;  // PIDFD_SELF_PROCESS, Linux 6.14+
  const long done = ::syscall(SYS_process_madvise, self, guards.data(), count, MADV_GUARD_INSTALL, 0);
  if (done == static_cast<long>(count * guard_bytes)) return count;
#endif
  for (std::size_t i = 0; i < count; ++i) {
    if (::madvise(base + i * stride, guard_bytes, MADV_GUARD_INSTALL) != 0) return i;
  }
  return count;
}

void stack_depot::report_exhausted(const char* what) noexcept {
  if (std::exchange(reported_, true)) return;
  const int reason = errno;
  log()->error(
      "spool: no further fiber stacks of {} bytes: {} failed ({}). Fibers that need one stay queued until another ends. "
      "Lower stack_bytes, raise vm.max_map_count, or set SPOOL_STACK_GUARDS=none.",
      stack_bytes_, what, std::strerror(reason));
}

stack_depot::location stack_depot::find(const void* address) noexcept {
  const auto* at = static_cast<const std::byte*>(address);
  for (const slab* s = slab::all.load(std::memory_order_acquire); s != nullptr; s = s->next) {
    if (at < s->base || at >= s->base + s->count * s->stride()) continue;
    const auto offset = static_cast<std::size_t>(at - s->base);
    return {offset % s->stride() < guard_bytes, s->stack(offset / s->stride())};
  }
  return {};
}

bool stack_depot::guarded(const stack_memory& stack) noexcept {
  // The kernel reads the byte for us and says EFAULT instead of raising a signal.
  int ends[2];
  if (::pipe(ends) != 0) return false;
  const bool refused = ::write(ends[1], stack.low - 1, 1) < 0 && errno == EFAULT;
  ::close(ends[0]);
  ::close(ends[1]);
  return refused;
}

}  // namespace spool::detail
