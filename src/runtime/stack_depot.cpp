#include "stack_depot.hpp"

#include "asan_stacks.hpp"
#include "base/log.hpp"

#include <linux/mman.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <string_view>
#include <utility>

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#endif

namespace spool::detail {
namespace {

constexpr std::size_t page_bytes = 4096;
constexpr std::size_t most_slab_stacks = 16384;
constexpr std::size_t warm_stacks = 256;            // these keep their upper pages
constexpr std::size_t warm_bytes = 2 * page_bytes;  // of each
constexpr unsigned colors = 8;
constexpr std::size_t most_unguarded = 4096;

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

std::byte* guard_of(const stack_memory& stack) noexcept { return stack.low - stack_depot::guard_bytes; }

/// In one call for all. False: this kernel cannot, or some were refused.
bool install_guards(std::span<const stack_memory> stacks) noexcept {
#ifdef SYS_process_madvise
  std::array<iovec, stack_depot::most_at_once> guards;
  for (std::size_t i = 0; i < stacks.size(); ++i) guards[i] = {guard_of(stacks[i]), stack_depot::guard_bytes};
  static constexpr int self = -10000;  // PIDFD_SELF_PROCESS, Linux 6.14+
  const long done = ::syscall(SYS_process_madvise, self, guards.data(), stacks.size(), MADV_GUARD_INSTALL, 0);
  return done == static_cast<long>(stacks.size() * stack_depot::guard_bytes);
#else
  return false;
#endif
}

void* map(std::size_t bytes) noexcept {
  return ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
}

/// Returns how many of the stacks, from the first, have their guard.
std::size_t guard(std::span<const stack_memory> stacks) noexcept {
  if (stacks.empty() || mode() == guard_mode::none) return stacks.size();
  if (mode() == guard_mode::madvise && install_guards(stacks)) return stacks.size();
  for (std::size_t i = 0; i < stacks.size(); ++i) {
    const int failed = mode() == guard_mode::madvise
                           ? ::madvise(guard_of(stacks[i]), stack_depot::guard_bytes, MADV_GUARD_INSTALL)
                           : ::mprotect(guard_of(stacks[i]), stack_depot::guard_bytes, PROT_NONE);
    if (failed != 0) return i;
  }
  return stacks.size();
}

}  // namespace

// Slabs are never unmapped, so a signal handler may walk this list at any time. Who comes upon a slab that another thread
// adds meanwhile may still see it empty.
struct stack_depot::slab {
  std::atomic<std::byte*> base{nullptr};
  std::atomic<std::size_t> count{0};
  std::atomic<std::size_t> stack_bytes{0};
  std::atomic<slab*> next{nullptr};

  std::size_t size() const noexcept { return count.load(std::memory_order_relaxed); }
  stack_memory stack(std::size_t i) const noexcept {
    const std::size_t bytes = stack_bytes.load(std::memory_order_relaxed);
    std::byte* const lowest = base.load(std::memory_order_relaxed) + i * (bytes + guard_bytes);
    return {lowest + guard_bytes, bytes, static_cast<unsigned>(i) % colors};
  }

  /// The list only grows, at its end, and the mutex orders its slabs: who took a stack sees that stack's slab and all before it.
  static void append(slab* added) noexcept {
    const std::lock_guard lock(mutex);
    std::exchange(end, &added->next)->store(added, std::memory_order_release);
  }
  static inline std::atomic<slab*> first{nullptr};
  static inline std::mutex mutex;
  static inline std::atomic<slab*>* end = &first;  // guarded by the mutex
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

std::size_t stack_depot::take(std::span<stack_memory> wanted) noexcept {
  std::size_t have = 0;
  std::size_t unguarded_from = 0;
  {
    const std::lock_guard lock(mutex_);
    for (; have < wanted.size() && !free_.empty(); free_.pop_back()) wanted[have++] = free_.back();
    unguarded_from = have;
    for (; have < wanted.size() && !unguarded_.empty(); unguarded_.pop_back()) wanted[have++] = unguarded_.back();
    while (have < wanted.size() && ((fresh_ != nullptr && fresh_used_ < fresh_->size()) || add_slab())) {
      wanted[have++] = fresh_->stack(fresh_used_++);
    }
  }
  const auto unguarded = wanted.subspan(unguarded_from, have - unguarded_from);
  const std::size_t guarded = guard(unguarded);
  if (guarded < unguarded.size()) {
    const std::lock_guard lock(mutex_);
    report_exhausted("setting stack guards");
    for (const stack_memory& refused : unguarded.subspan(guarded)) {
      if (unguarded_.size() < unguarded_.capacity()) unguarded_.push_back(refused);  // else its addresses are lost
    }
    have = unguarded_from + guarded;
  }
  return have;
}

void stack_depot::give_back(stack_memory stack) noexcept {
  forget_variables(stack);
  const std::lock_guard lock(mutex_);
  if (watched_) [[unlikely]] high_water_ = std::max(high_water_, touched(stack));
  const std::size_t kept = free_.size() < warm_stacks ? std::min(warm_bytes, stack.bytes) : 0;
  ::madvise(stack.low, stack.bytes - kept, MADV_DONTNEED);
  free_.push_back(stack);  // capacity was reserved with the slab
}

bool stack_depot::add_slab() noexcept try {
  const std::size_t stride = stack_bytes_ + guard_bytes;
  std::size_t stacks = next_slab_stacks_;
  auto made = std::make_unique<slab>();
  free_.reserve(free_.capacity() + stacks);
  unguarded_.reserve(most_unguarded);
  void* memory = map(stride * stacks);
  while (memory == MAP_FAILED && stacks > 1) memory = map(stride * (stacks /= 2));
  if (memory == MAP_FAILED) {
    report_exhausted("mmap");
    return false;
  }
  // A huge page would commit 2 MiB at the first touch of one stack.
  ::madvise(memory, stride * stacks, MADV_NOHUGEPAGE);
  made->base.store(static_cast<std::byte*>(memory), std::memory_order_relaxed);
  made->stack_bytes.store(stack_bytes_, std::memory_order_relaxed);
  made->count.store(stacks, std::memory_order_relaxed);
  slab::append(made.get());
  fresh_ = made.release();
  fresh_used_ = 0;
  next_slab_stacks_ = std::min(stacks * 2, most_slab_stacks);
  return true;
} catch (...) {
  report_exhausted("memory");
  return false;
}

void stack_depot::report_exhausted(const char* what) noexcept {
  if (std::exchange(reported_, true)) return;
  const int reason = errno;
  log()->error(
      "spool: no further fiber stacks of {} bytes: {} failed ({}). Fibers that need one stay queued until another ends. "
      "Lower stack_bytes, raise vm.max_map_count, or set SPOOL_STACK_GUARDS=none.",
      stack_bytes_, what, std::strerror(reason));
}

stack_depot::location stack_depot::find(const void* address, std::memory_order order) noexcept {
  const auto* at = static_cast<const std::byte*>(address);
  for (const slab* s = slab::first.load(order); s != nullptr; s = s->next.load(order)) {
    const std::byte* const base = s->base.load(std::memory_order_relaxed);
    const std::size_t stride = s->stack_bytes.load(std::memory_order_relaxed) + guard_bytes;
    if (at < base || at >= base + s->size() * stride) continue;
    const auto offset = static_cast<std::size_t>(at - base);
    return {offset % stride < guard_bytes, s->stack(offset / stride)};
  }
  return {};
}

std::size_t stack_depot::touched(const stack_memory& stack) noexcept {
  std::array<unsigned char, 256> resident;
  for (std::size_t offset = 0; offset < stack.bytes;) {
    const std::size_t bytes = std::min(stack.bytes - offset, resident.size() * page_bytes);
    if (::mincore(stack.low + offset, bytes, resident.data()) != 0) return 0;
    const unsigned char* end = resident.data() + bytes / page_bytes;
    const auto* first = static_cast<const unsigned char*>(resident.data());
    const auto* lowest = std::find_if(first, end, [](unsigned char page) { return (page & 1) != 0; });
    if (lowest != end) return stack.bytes - offset - static_cast<std::size_t>(lowest - first) * page_bytes;
    offset += bytes;
  }
  return 0;
}

std::size_t stack_depot::watch_high_water() noexcept {
  const std::lock_guard lock(mutex_);
  watched_ = true;
  return high_water_;
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
