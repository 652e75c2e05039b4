#include "leak_finder.hpp"

#include "coarse_clock.hpp"
#include "peek.hpp"
#include "scheduler.hpp"

#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cinttypes>
#include <cstdio>
#include <cstring>
#include <mutex>
#include <span>
#include <type_traits>
#include <unordered_map>

namespace spool::detail {

bool still_waits(const waiter* w) noexcept;

waiter::needs needs_of(const waiter* w) noexcept {
  std::uint32_t word = 0;
  return peek(&w->thread_word_, word) ? static_cast<waiter::needs>(word) : waiter::needs::unknown;
}

namespace {

using address = std::uintptr_t;

constexpr std::size_t chunk_bytes = 64 * 1024;
constexpr std::size_t most_searched = std::size_t{8} << 30;
constexpr std::size_t object_bytes = 256;   // into which a reference to an object with a handle may be off
constexpr std::size_t most_objects = 8;     // that a candidate may wait on
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

  /// n of T, all of whose bytes are 0: pages that are not used are never made.
  template <class T>
  std::span<T> take(std::size_t n) noexcept {
    static_assert(std::is_trivially_copyable_v<T>);
    used_ = (used_ + alignof(T) - 1) / alignof(T) * alignof(T);
    T* first = reinterpret_cast<T*>(static_cast<std::byte*>(memory_) + used_);
    used_ += n * sizeof(T);
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
  address frames = 0;  // where those of the code that waits begin; lower ones are the wait's own
  range closure;  // its task's node, and what the node does not have room for:
  range boxed;
  std::array<address, most_objects> objects{};  // one of which it waits for; none: not a candidate
  std::size_t object_count = 0;
  std::size_t head_bytes = 0;  // of each object, which hold all that refers to who waits
  bool on_stack = false;       // the object lies on a fiber's stack
  bool live = false;

  std::span<const address> waited_on() const noexcept { return {objects.data(), object_count}; }
  bool candidate() const noexcept { return object_count != 0; }
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

/// Between which and fibers' stacks switches go: those of workers' threads, and what is in use of Boost's dispatchers'.
std::vector<range> stacks_of_workers() {
  constexpr std::size_t dispatchers_bytes = 16 * 1024;
  std::vector<range> stacks;
  scheduler_registry::all_of([&](scheduler& s) {
    for (const auto& w : s.workers()) {
      if (!w->started()) continue;
      stacks.push_back(stack_of(w->thread()));
      const address dispatcher = number(w->dispatcher());  // at the top of its stack
      stacks.push_back({(dispatcher - dispatchers_bytes) & ~address{4095}, dispatcher});
    }
    return true;
  });
  return stacks;
}

/// They know the fibers that ran last, and what those did.
std::vector<range> workers_themselves() {
  std::vector<range> workers;
  scheduler_registry::all_of([&](scheduler& s) {
    for (const auto& w : s.workers()) workers.push_back({number(w.get()), number(w.get() + 1)});
    return true;
  });
  return workers;
}

enum class kind_of_memory : bool { root, live };

struct waits_on {
  address object = 0;
  std::size_t who = 0;
};

class search {
 public:
  search(workspace& space, std::span<party> parties, const std::function<bool()>& goes_on) noexcept
      : parties_(parties),
        goes_on_(goes_on),
        own_(space.all()),
        work_(space.take<std::size_t>(parties.size())),
        objects_(space.take<waits_on>(parties.size() * most_objects)),
        kept_(space.take<range>(parties.size() * (most_objects + 2))),
        buffer_(space.take<std::byte>(chunk_bytes)) {}

  static constexpr std::size_t room_for(std::size_t n) noexcept {
    constexpr std::size_t each =
        sizeof(party) + sizeof(std::size_t) + most_objects * sizeof(waits_on) + (most_objects + 2) * sizeof(range);
    return n * each + chunk_bytes + 4096;
  }

  bool run() {
    // All by address, as references are looked up by it.
    std::sort(parties_.begin(), parties_.end(),
              [](const party& a, const party& b) { return a.stack.low < b.stack.low; });
    std::size_t objects = 0, kept = 0;
    const auto keep = [&](range r) {
      if (r.low != r.high) kept_[kept++] = r;
    };
    for (std::size_t i = 0; i < parties_.size(); ++i) {
      const party& p = parties_[i];
      lowest_ = std::min(lowest_, p.stack.low);
      highest_ = std::max(highest_, p.stack.high);
      if (!p.candidate()) revive(i);
      for (const address object : p.waited_on()) {
        objects_[objects++] = {object, i};
        lowest_ = std::min(lowest_, object);
        highest_ = std::max(highest_, object);
        keep({object, object + p.head_bytes});
      }
      keep(p.closure);
      keep(p.boxed);
    }
    objects_ = objects_.first(objects);
    kept_ = kept_.first(kept);
    std::sort(objects_.begin(), objects_.end(), [](const waits_on& x, const waits_on& y) { return x.object < y.object; });
    std::sort(kept_.begin(), kept_.end(), [](const range& x, const range& y) { return x.low < y.low; });
    for (const waits_on& w : objects_) {
      if (parties_[w.who].on_stack && party_at(w.object) == parties_.size()) revive(w.who);  // whose it is, is not known
    }
    if (!search_roots()) return false;
    while (pending_ > 0) {
      const party& p = parties_[work_[--pending_]];
      on_switching_stack_ = true;  // the wait's own frames hold what switches left
      search_range({p.stack.low, std::max(p.stack.low, p.frames)});
      on_switching_stack_ = false;
      search_range({std::max(p.stack.low, p.frames), p.stack.high});
      search_range(p.closure);
      search_range(p.boxed);
      for (const address object : p.waited_on()) search_range({object, object + p.head_bytes});
      revive_those_who_need(p.stack);  // it reaches them without a pointer
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
    const auto in_a_wait = [&] { return kind == kind_of_memory::root && is_kept(where); };
    const std::size_t at = party_at(word);
    if (at != parties_.size() && word >= parties_[at].frames) {
      const party& p = parties_[at];
      if (!p.live && leads_to_handle(word, p) && !in_a_wait()) revive(at);
      // What lies in these frames may be a part of what is pointed to, however large that is.
      if (!on_switching_stack_ && !in_a_wait()) revive_those_who_need({p.frames, p.stack.high});
    }
    for (auto on = first_object(word); on != objects_.end() && on->object == word; ++on) {
      if (!in_a_wait()) revive(on->who);
    }
  }

  /// An object on the stack of another.
  void revive_those_who_need(range frames) noexcept {
    for (auto on = first_object(frames.low); on != objects_.end() && on->object < frames.high; ++on) revive(on->who);
  }

  /// On whose stack it lies; parties_.size(): on nobody's.
  std::size_t party_at(address a) const noexcept {
    const auto above = std::upper_bound(parties_.begin(), parties_.end(), a,
                                        [](address x, const party& p) { return x < p.stack.low; });
    if (above == parties_.begin() || !(above - 1)->stack.holds(a)) return parties_.size();
    return static_cast<std::size_t>(above - parties_.begin()) - 1;
  }

  std::span<waits_on>::iterator first_object(address from) const noexcept {
    return std::lower_bound(objects_.begin(), objects_.end(), from,
                            [](const waits_on& w, address a) { return w.object < a; });
  }

  /// Stale pointers into stacks are everywhere. One that means something points to a handle there, or to an object that has
  /// one near its beginning; on stacks between which switches go, and leave each other's stack pointer, to a handle.
  bool leads_to_handle(address word, const party& p) const noexcept {
    address near[object_bytes / sizeof(address)];
    const std::size_t most = on_switching_stack_ ? sizeof(address) : sizeof near;
    const std::size_t bytes = std::min<std::size_t>(most, p.stack.high - word) / sizeof(address) * sizeof(address);
    if (!p.candidate() || word % sizeof(address) != 0) return false;
    if (!peek(reinterpret_cast<const void*>(word), near, bytes)) return true;
    const auto wanted = p.waited_on();
    return std::find_first_of(near, near + bytes / sizeof(address), wanted.begin(), wanted.end()) !=
           near + bytes / sizeof(address);
  }

  bool is_kept(address where) const noexcept {
    const auto there = [&](const range& r) { return r.holds(where); };
    if (std::any_of(workers_.begin(), workers_.end(), there)) return true;
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
    while (total < most_searched && !given_up_ && std::fgets(line, sizeof line, maps) != nullptr) {
      range r;
      char rights[5] = {};
      if (std::sscanf(line, "%" SCNxPTR "-%" SCNxPTR " %4s", &r.low, &r.high, rights) != 3) continue;
      if (rights[0] != 'r' || rights[1] != 'w') continue;
      if (std::strstr(line, "[vvar") != nullptr || is_note(r.low)) continue;
      total += search_pages(r);
    }
    std::fclose(maps);
    return total < most_searched && !given_up_;
  }

  /// Pages that were never touched hold nothing, and reading them would make them.
  std::size_t search_pages(range r) {
    constexpr std::size_t page = 4096;
    constexpr std::size_t at_once = 256;
    unsigned char resident[at_once];
    std::size_t searched = 0;
    for (address at = r.low; at < r.high && searched < most_searched;) {
      given_up_ = given_up_ || !goes_on_();
      if (given_up_) break;
      const std::size_t pages = std::min<std::size_t>(at_once, (r.high - at) / page);
      if (::mincore(reinterpret_cast<void*>(at), pages * page, resident) == 0) {
        for (std::size_t i = 0; i < pages; ++i) {
          const address low = at + i * page;
          const bool fetchable = (resident[i] & 1) == 0 && is_swapped_out(low);
          if (fetchable && !stack_depot::find(reinterpret_cast<void*>(low)).stack) given_up_ = true;  // others need that memory
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

  /// What was never touched is not; a stack's guard looks as if. Of many pages in a row one look tells.
  bool is_swapped_out(address page) noexcept {
    constexpr std::uint64_t swapped = std::uint64_t{1} << 62;
    if (page < noted_.low || page >= noted_.high) {
      page_notes_.fill(0);
      const auto at = static_cast<off_t>(page / 4096 * sizeof(std::uint64_t));
      if (pagemap_ >= 0) (void)!::pread(pagemap_, page_notes_.data(), sizeof page_notes_, at);
      noted_ = {page, page + page_notes_.size() * 4096};
    }
    return (page_notes_[(page - noted_.low) / 4096] & swapped) != 0;
  }

  struct descriptor {
    int number = ::open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
    operator int() const noexcept { return number; }
    descriptor() = default;
    descriptor(const descriptor&) = delete;
    descriptor& operator=(const descriptor&) = delete;
    ~descriptor() {
      if (number >= 0) ::close(number);
    }
  };

  const descriptor pagemap_;
  range noted_;  // of which page_notes_ tells
  std::array<std::uint64_t, 256> page_notes_{};
  std::span<party> parties_;
  const std::function<bool()>& goes_on_;
  bool given_up_ = false;
  const range own_;
  const range own_stack_ = stack_of(::pthread_self());  // has copies of what is looked at
  const std::vector<range> worker_stacks_ = stacks_of_workers();
  const std::vector<range> workers_ = workers_themselves();
  bool on_switching_stack_ = false;
  std::span<std::size_t> work_;  // live, and not yet searched
  std::size_t pending_ = 0;
  std::span<waits_on> objects_;
  std::span<range> kept_;
  std::span<std::byte> buffer_;
  address lowest_ = ~address{0};
  address highest_ = 0;
};

/// What the fiber waits on, if nothing but a reference to it leads to the end of that wait.
void note_objects(const fiber& f, const waiter* w, party& p) noexcept {
  if (!still_waits(w)) return;
  const char* what = f.wait_what.load(std::memory_order_relaxed);
  p.objects[0] = number(f.wait_object.load(std::memory_order_relaxed));
  if (what == channel_send_wait || what == channel_recv_wait) {
    p.head_bytes = channel_head_bytes;
    p.object_count = 1;
    return;
  }
  switch (needs_of(w)) {
    case waiter::needs::unknown: return;
    case waiter::needs::future:
      p.head_bytes = future_head_bytes;
      p.object_count = 1;
      return;
    case waiter::needs::surroundings:  // of an object on the heap nobody knows where they begin
      p.on_stack = bool(stack_depot::find(reinterpret_cast<const void*>(p.objects[0])).stack);
      p.object_count = p.on_stack;
      return;
    case waiter::needs::one_of_several: break;
  }
  alignas(waiter_on_several) std::byte copy[sizeof(waiter_on_several)];
  if (!peek(w, copy, sizeof copy)) return;
  const auto* seen = reinterpret_cast<const waiter_on_several*>(copy);
  if (seen->count > most_objects || !peek(seen->objects, p.objects.data(), seen->count * sizeof(address))) return;
  p.head_bytes = channel_head_bytes;
  p.object_count = seen->count;
}

/// Fills in what is known of `f`; under its registry's lock.
party describe(fiber& f, bool may_be_candidate) noexcept {
  party p;
  p.id = f.ensure_id();
  p.stack = {number(f.stack.low), number(fiber::runner_on(f.stack))};
  const waiter* w = f.waiting.load(std::memory_order_relaxed);
  if (w == nullptr || !p.stack.holds(number(w))) return p;
  p.frames = number(w) + sizeof(waiter);
  p.stack.low = std::max(p.stack.low, number(w) - below_waiter);
  if (!may_be_candidate) return p;
  note_objects(f, w, p);
  const task* t = f.at_work.load(std::memory_order_relaxed);
  alignas(task) std::byte copy[sizeof(task)];  // the fiber may go on just now, and end
  if (!p.candidate() || t == nullptr || !peek(t, copy, sizeof copy)) return p;
  p.closure = {number(t), number(t) + sizeof(task)};
  const auto* node = reinterpret_cast<const task*>(copy);
  if (const std::size_t bytes = node->boxed_bytes()) p.boxed = {number(node->box()), number(node->box()) + bytes};
  return p;
}

template <class F>
void for_each_task(F f) {
  scheduler_registry::for_each_busy_fiber([&](fiber& each) {
    if (each.stack) f(each);  // a guest's stack is memory like any other
  });
}

}  // namespace

[[gnu::noinline]] std::optional<std::vector<std::uint64_t>> find_unreachable(std::chrono::milliseconds waited,
                                                                                 const std::function<bool()>& goes_on) {
  static std::mutex one_at_a_time;  // another's notes would pass for references
  const std::lock_guard lock(one_at_a_time);
  if (!can_find || !goes_on()) return {};
  std::size_t most = 0;
  for_each_task([&](fiber&) { ++most; });
  most += 64;
  workspace space(search::room_for(most));
  if (!space) return {};
  const std::span<party> all = space.take<party>(most);
  const time_point now = clock::now();
  std::size_t n = 0;
  bool candidates = false;
  for_each_task([&](fiber& f) {
    if (n == most) return;
    const bool long_enough = coarse_clock::since(f.wait_since.load(std::memory_order_relaxed), now) >= waited;
    all[n] = describe(f, long_enough);
    candidates = candidates || all[n].candidate();
    ++n;
  });
  if (!candidates || n == most || !search(space, all.first(n), goes_on).run()) return {};
  std::vector<std::uint64_t> found;
  for (const party& p : all.first(n)) {
    if (!p.live) found.push_back(p.id);
  }
  return found;
}

void forget(std::span<fiber_info> fibers) noexcept {
  for (fiber_info& f : fibers) *const_cast<const void* volatile*>(&f.object) = nullptr;
}

}  // namespace spool::detail
