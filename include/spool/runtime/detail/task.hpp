// A task: a closure that waits for a runner fiber. 64 bytes for closures of up to 32 bytes, one allocation more beyond.
#pragma once

#include <spool/base/start_site.hpp>
#include <spool/runtime/detail/node_memory.hpp>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>

namespace spool::detail {

class scheduler;

/// What a run queue holds: a task that has not begun, or a fiber that may go on.
struct runnable {
  enum class kind : std::uint8_t { task, fiber };
  explicit runnable(kind k) noexcept : what(k) {}
  runnable* next = nullptr;  // the link of the one queue that holds it
  const kind what;

 protected:
  std::uint16_t boxed_bytes_ = 0;  // a task's, as the next: here because they fill the padding
  std::uint32_t line_ = 0;
};

class task : public runnable {
 public:
  static constexpr std::size_t inline_bytes = 32;

  task(const task&) = delete;
  task& operator=(const task&) = delete;

  /// Runs the closure, then destroys it. An exception passes through, with the closure destroyed.
  void run() { invoke_(*this, action::run); }
  /// Destroys the closure without running it.
  void discard() noexcept { invoke_(*this, action::discard); }
  start_site where() const noexcept { return {file_, line_}; }
  /// Of a closure that lies elsewhere: its size, the largest that can be told at most; 0: it lies in the node.
  std::size_t boxed_bytes() const noexcept { return boxed_bytes_; }
  const void* box() const noexcept { return *reinterpret_cast<void* const*>(storage_); }

 private:
  template <class F>
  friend task* make_task(F&& f, start_site where);
  friend class task_cache;

  enum class action : bool { run, discard };
  using invoke_fn = void (*)(task&, action);

  task(invoke_fn invoke, start_site where) noexcept : runnable(kind::task), invoke_(invoke), file_(where.file) {
    line_ = where.line;
  }

  template <class F>
  static void invoke_inline(task& t, action what) {
    F* f = std::launder(reinterpret_cast<F*>(t.storage_));
    struct destroy {
      F* f;
      ~destroy() { f->~F(); }
    } guard{f};
    if (what == action::run) (*f)();
  }

  template <class F>
  static void invoke_boxed(task& t, action what) {
    std::unique_ptr<F> f(*std::launder(reinterpret_cast<F**>(t.storage_)));
    if (what == action::run) (*f)();
  }

  invoke_fn invoke_;
  const char* file_;
  alignas(8) std::byte storage_[inline_bytes];
};

static_assert(sizeof(task) == 64);

/// A task that holds `f`. On an exception (allocation, f's move) nothing is kept and f is as its move left it.
template <class F>
task* make_task(F&& f, start_site where) {
  using Closure = std::decay_t<F>;
  static_assert(std::is_invocable_v<Closure&>, "what starts a fiber must be callable without arguments");
  constexpr bool fits = sizeof(Closure) <= task::inline_bytes && alignof(Closure) <= 8;
  struct release {
    void operator()(void* node) const noexcept { free_node(node, sizeof(task)); }
  };
  if constexpr (fits) {
    std::unique_ptr<void, release> node(allocate_node(sizeof(task)));
    auto* t = ::new (node.get()) task(&task::invoke_inline<Closure>, where);
    ::new (static_cast<void*>(t->storage_)) Closure(std::forward<F>(f));
    node.release();
    return t;
  } else {
    std::unique_ptr<void, release> node(allocate_node(sizeof(task)));
    auto* box = new Closure(std::forward<F>(f));
    auto* t = ::new (node.release()) task(&task::invoke_boxed<Closure>, where);
    ::new (static_cast<void*>(t->storage_)) Closure*(box);
    constexpr std::size_t most = std::numeric_limits<std::uint16_t>::max();
    t->boxed_bytes_ = static_cast<std::uint16_t>(sizeof(Closure) < most ? sizeof(Closure) : most);
    return t;
  }
}

/// The runtime of the calling fiber. On a plain thread throws std::logic_error that names `operation`.
scheduler& require_scheduler(const char* operation);
/// The same, or null on a plain thread.
scheduler* current_scheduler() noexcept;

/// Queues `t` on `s`; from any thread, never waits. Takes ownership.
void spawn(scheduler& s, task* t) noexcept;

/// Starts a fiber of `s` for f. Never waits.
template <class F>
void spawn(scheduler& s, F&& f, start_site where) {
  spawn(s, make_task(std::forward<F>(f), where));
}

/// Names the calling fiber's start for reports; used by what wraps a user's closure in one of its own.
void set_start_site(start_site where) noexcept;

/// Something of a layer above that lives as long as the runtime (the root context). `end` is called when the runtime is
/// asked to end, before it waits for its fibers; `release` when it is destroyed.
struct attachment {
  void* object = nullptr;
  void (*end)(void*) noexcept = nullptr;
  void (*release)(void*) noexcept = nullptr;
};
/// The attachment of `s`, made by `make` at the first call. Made after the end was asked for, it is ended at once.
void* attach_once(scheduler& s, attachment (*make)());

/// The number of worker threads of `s`.
std::size_t worker_count(const scheduler& s) noexcept;

/// Keeps count of sources that spool cannot see through (signals, I/O, foreign threads): while one exists, no fiber is
/// *proven* unable to wake.
void add_outside_source() noexcept;
void remove_outside_source() noexcept;

}  // namespace spool::detail
