#include "leak_finder.hpp"

#include "peek.hpp"
#include "scheduler.hpp"

#include <pthread.h>
#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <cinttypes>
#include <cstdio>
#include <cstring>
#include <mutex>
#include <new>
#include <unordered_map>

namespace spool::detail {

bool still_waits(const waiter* w) noexcept;

namespace {

using address = std::uintptr_t;

constexpr std::size_t chunk_bytes = 64 * 1024;
constexpr std::size_t most_searched = std::size_t{8} << 30;
constexpr std::size_t object_bytes = 256;   // into which a reference to an object with a handle may be off
constexpr std::size_t below_waiter = 1024;  // what belongs to the wait may lie below its waiter in the frame

address number(const void* p) noexcept { return reinterpret_cast<address>(p); }

struct range {
  address low = 0, high = 0;
  bool holds(address a) const noexcept { return a >= low && a < high; }
};

// A sanitizer's notes of all other memory, to look through whose terabytes would take hours. They hold no references.
// Elsewhere ThreadSanitizer has the addresses of atomics: none is that of a channel (see biased_lock), but those that lay
// on a stack pass for references into it, so that fewer are found.
#if defined(BOOST_USE_ASAN) && defined(__x86_64__)
constexpr std::array<range, 1> notes{{{0x7fff'7000, 0x1000'7fff'8000}}};
#elif defined(BOOST_USE_TSAN) && defined(__x86_64__)
constexpr std::array<range, 2> notes{{{0x100'0000'0000, 0x4000'0000'0000}, {0x6000'0000'0000, 0x6200'0000'0000}}};
#else
constexpr std::array<range, 0> notes;
#endif
#if defined(BOOST_USE_TSAN) && !defined(__x86_64__)
constexpr bool can_find = false;
#else
constexpr bool can_find = true;
#endif

bool is_note(address a) noexcept {
  return std::any_of(notes.begin(), notes.end(), [=](const range& r) { return r.holds(a); });
}

/// Everything that the search notes about references lies in one mapping, which is not searched.
class workspace {
 public:
  explicit workspace(std::size_t bytes) noexcept
      : memory_(::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)),
        bytes_(bytes) {}
  ~workspace() {
    if (*this) ::munmap(memory_, bytes_);
  }
  workspace(const workspace&) = delete;
  workspace& operator=(const workspace&) = delete;
  explicit operator bool() const noexcept { return memory_ != MAP_FAILED; }
  range all() const noexcept { return {number(memory_), number(memory_) + bytes_}; }

  template <class T>
  std::span<T> take(std::size_t n) noexcept {
    used_ = (used_ + alignof(T) - 1) / alignof(T) * alignof(T);
    T* first = reinterpret_cast<T*>(static_cast<std::byte*>(memory_) + used_);
    used_ += n * sizeof(T);
    std::uninitialized_value_construct_n(first, n);
    return {first, n};
  }

 private:
  void* memory_;
  std::size_t bytes_;
  std::size_t used_ = 0;
};

struct party {
  std::uint64_t id = 0;
  range stack;    // what is in use of it
  range closure;  // its task's node, and what the node does not have room for:
  range boxed;
  address channel = 0;  // 0: not a candidate
  bool live = false;
};

range stack_of(pthread_t thread) noexcept {
  pthread_attr_t attributes;
  void* low = nullptr;
  std::size_t bytes = 0;
  if (::pthread_getattr_np(thread, &attributes) != 0) return {};
  ::pthread_attr_getstack(&attributes, &low, &bytes);
  ::pthread_attr_destroy(&attributes);
  return {number(low), number(low) + bytes};
}

std::vector<range> stacks_of_workers() {
  std::vector<range> stacks;
  scheduler_registry::all_of([&](scheduler& s) {
    for (const auto& w : s.workers()) stacks.push_back(stack_of(w->thread()));
    return true;
  });
  return stacks;
}

enum class kind_of_memory : bool { root, live };

struct waits_on {
  address channel = 0;
  std::size_t who = 0;
};

class search {
 public:
  search(workspace& space, std::span<party> parties) noexcept
      : parties_(parties),
        own_(space.all()),
        work_(space.take<std::size_t>(parties.size())),
        channels_(space.take<waits_on>(parties.size())),
        kept_(space.take<range>(parties.size() * 3)),
        buffer_(space.take<std::byte>(chunk_bytes)) {}

  static constexpr std::size_t room_for(std::size_t n) noexcept {
    return n * (sizeof(party) + sizeof(std::size_t) + sizeof(waits_on) + 3 * sizeof(range)) + chunk_bytes + 4096;
  }

  bool run() {
    // All by address, as references are looked up by it.
    std::sort(parties_.begin(), parties_.end(),
              [](const party& a, const party& b) { return a.stack.low < b.stack.low; });
    std::size_t channels = 0, kept = 0;
    for (std::size_t i = 0; i < parties_.size(); ++i) {
      const party& p = parties_[i];
      lowest_ = std::min(lowest_, p.stack.low);
      highest_ = std::max(highest_, p.stack.high);
      if (p.channel == 0) {
        revive(i);
        continue;
      }
      lowest_ = std::min(lowest_, p.channel);
      highest_ = std::max(highest_, p.channel);
      channels_[channels++] = {p.channel, i};
      for (const range r : {p.closure, p.boxed, range{p.channel, p.channel + channel_head_bytes}}) {
        if (r.low != r.high) kept_[kept++] = r;
      }
    }
    channels_ = channels_.first(channels);
    kept_ = kept_.first(kept);
    std::sort(channels_.begin(), channels_.end(),
              [](const waits_on& a, const waits_on& b) { return a.channel < b.channel; });
    std::sort(kept_.begin(), kept_.end(), [](const range& a, const range& b) { return a.low < b.low; });
    if (!search_roots()) return false;
    while (pending_ > 0) {
      const party& p = parties_[work_[--pending_]];
      on_switching_stack_ = true;
      search_range(p.stack);
      on_switching_stack_ = false;
      search_range(p.closure);
      search_range(p.boxed);
      if (p.channel != 0) search_range({p.channel, p.channel + channel_head_bytes});
    }
    return true;
  }

 private:
  void revive(std::size_t i) noexcept {
    if (std::exchange(parties_[i].live, true)) return;
    work_[pending_++] = i;
  }

  /// What does the word at `where` refer to? In the roots, words in what is a candidate's own wait for that to be live.
  void look_at(address word, address where, kind_of_memory kind) noexcept {
    const bool roots = kind == kind_of_memory::root;
    const auto above = std::upper_bound(parties_.begin(), parties_.end(), word,
                                        [](address a, const party& p) { return a < p.stack.low; });
    if (above != parties_.begin()) {
      const auto at = static_cast<std::size_t>(above - parties_.begin()) - 1;
      const party& p = parties_[at];
      if (p.stack.holds(word) && !p.live && !(roots && is_kept(where)) && leads_to_handle(word, p)) {
        revive(at);
      }
    }
    auto on = std::lower_bound(channels_.begin(), channels_.end(), word,
                               [](const waits_on& w, address a) { return w.channel < a; });
    if (on == channels_.end() || on->channel != word || (roots && is_kept(where))) return;
    for (; on != channels_.end() && on->channel == word; ++on) revive(on->who);
  }

  /// Stale pointers into stacks are everywhere. One that means something points to a handle there, or to an object that has
  /// one near its beginning; on stacks between which switches go, and leave each other's stack pointer, to a handle.
  bool leads_to_handle(address word, const party& p) const noexcept {
    address near[object_bytes / sizeof(address)];
    const std::size_t most = on_switching_stack_ ? sizeof(address) : sizeof near;
    const std::size_t bytes = std::min<std::size_t>(most, p.stack.high - word) / sizeof(address) * sizeof(address);
    if (p.channel == 0 || word % sizeof(address) != 0) return false;
    if (!peek(reinterpret_cast<const void*>(word), near, bytes)) return true;
    return std::find(near, near + bytes / sizeof(address), p.channel) != near + bytes / sizeof(address);
  }

  bool is_kept(address where) const noexcept {
    const auto above =
        std::upper_bound(kept_.begin(), kept_.end(), where, [](address a, const range& r) { return a < r.low; });
    return above != kept_.begin() && (above - 1)->holds(where);
  }

  void search_range(range r, kind_of_memory kind = kind_of_memory::live) noexcept {
    for (address at = r.low & ~address{7}; at < r.high;) {
      const std::size_t bytes = std::min<std::size_t>(chunk_bytes - at % chunk_bytes, r.high - at);
      if (!peek(reinterpret_cast<const void*>(at), buffer_.data(), bytes)) {
        at += bytes;
        continue;
      }
      for (std::size_t i = 0; i + sizeof(address) <= bytes; i += sizeof(address)) {
        address word;
        std::memcpy(&word, buffer_.data() + i, sizeof word);
        if (word >= lowest_ && word <= highest_) look_at(word, at + i, kind);
      }
      at += bytes;
    }
  }

  /// All writable mappings but fibers' stacks, our own notes or a sanitizer's, and this thread's stack.
  bool search_roots() {
    std::FILE* maps = std::fopen("/proc/self/maps", "re");
    if (maps == nullptr) return false;
    std::size_t total = 0;
    char line[512];
    while (total < most_searched && std::fgets(line, sizeof line, maps) != nullptr) {
      range r;
      char rights[5] = {};
      if (std::sscanf(line, "%" SCNxPTR "-%" SCNxPTR " %4s", &r.low, &r.high, rights) != 3) continue;
      if (rights[0] != 'r' || rights[1] != 'w') continue;
      if (std::strstr(line, "[vvar") != nullptr || is_note(r.low)) continue;
      total += search_pages(r);
    }
    std::fclose(maps);
    return total < most_searched;
  }

  /// Pages that were never touched hold nothing, and reading them would make them.
  std::size_t search_pages(range r) {
    constexpr std::size_t page = 4096;
    constexpr std::size_t at_once = 256;
    unsigned char resident[at_once];
    std::size_t searched = 0;
    for (address at = r.low; at < r.high;) {
      const std::size_t pages = std::min<std::size_t>(at_once, (r.high - at) / page);
      if (::mincore(reinterpret_cast<void*>(at), pages * page, resident) == 0) {
        for (std::size_t i = 0; i < pages; ++i) {
          const address low = at + i * page;
          if ((resident[i] & 1) == 0 || own_.holds(low) || own_stack_.holds(low)) continue;
          if (stack_depot::find(reinterpret_cast<void*>(low)).stack) continue;
          on_switching_stack_ =
              std::any_of(worker_stacks_.begin(), worker_stacks_.end(), [&](const range& s) { return s.holds(low); });
          search_range({low, low + page}, kind_of_memory::root);
          on_switching_stack_ = false;
          searched += page;
        }
      }
      at += pages * page;
    }
    return searched;
  }

  std::span<party> parties_;
  const range own_;
  const range own_stack_ = stack_of(::pthread_self());  // has copies of what is looked at
  const std::vector<range> worker_stacks_ = stacks_of_workers();
  bool on_switching_stack_ = false;
  std::span<std::size_t> work_;  // live, and not yet searched
  std::size_t pending_ = 0;
  std::span<waits_on> channels_;
  std::span<range> kept_;
  std::span<std::byte> buffer_;
  address lowest_ = ~address{0};
  address highest_ = 0;
};

/// Fills in what is known of `f`; under its registry's lock.
party describe(fiber& f) noexcept {
  party p;
  p.id = f.ensure_id();
  p.stack = {number(f.stack.low), number(fiber::runner_on(f.stack))};
  const waiter* w = f.waiting.load(std::memory_order_relaxed);
  if (w == nullptr || !p.stack.holds(number(w))) return p;
  p.stack.low = std::max(p.stack.low, number(w) - below_waiter);
  const char* what = f.wait_what.load(std::memory_order_relaxed);
  if ((what == channel_send_wait || what == channel_recv_wait) && still_waits(w)) {
    p.channel = number(f.wait_object.load(std::memory_order_relaxed));
    const task* t = f.at_work.load(std::memory_order_relaxed);
    alignas(task) std::byte copy[sizeof(task)];  // the fiber may go on just now, and end
    if (t == nullptr || !peek(t, copy, sizeof copy)) return p;
    p.closure = {number(t), number(t) + sizeof(task)};
    const auto* node = reinterpret_cast<const task*>(copy);
    if (const std::size_t bytes = node->boxed_bytes()) p.boxed = {number(node->box()), number(node->box()) + bytes};
  }
  return p;
}

template <class F>
void for_each_task(F f) {
  scheduler_registry::for_each_busy_fiber([&](fiber& each) {
    if (each.stack) f(each);  // a guest's stack is memory like any other
  });
}

}  // namespace

[[gnu::noinline]] std::vector<std::uint64_t> find_unreachable() {
  std::vector<std::uint64_t> found;
  if (!can_find) return found;
  std::size_t most = 0;
  for_each_task([&](fiber&) { ++most; });
  most += 64;
  workspace space(search::room_for(most));
  if (!space) return found;
  const std::span<party> all = space.take<party>(most);
  std::size_t n = 0;
  bool candidates = false;
  for_each_task([&](fiber& f) {
    if (n == most) return;
    all[n] = describe(f);
    candidates = candidates || all[n].channel != 0;
    ++n;
  });
  if (!candidates || n == most || !search(space, all.first(n)).run()) return found;
  for (const party& p : all.first(n)) {
    if (!p.live) found.push_back(p.id);
  }
  return found;
}

void forget(std::span<fiber_info> fibers) noexcept {
  for (fiber_info& f : fibers) *const_cast<const void* volatile*>(&f.object) = nullptr;
}

}  // namespace spool::detail
