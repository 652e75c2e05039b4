// A job of a worker pool: the closure, its place in the queue and, if somebody wants its result, the future's state, in
// one allocation. The template parts of worker_pool; the rest is src/pool.
#pragma once

#include <spool/base/error.hpp>
#include <spool/base/start_site.hpp>
#include <spool/context/context.hpp>
#include <spool/runtime/detail/node_memory.hpp>
#include <spool/sync/future.hpp>

#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <new>
#include <string>
#include <type_traits>
#include <utility>

namespace spool::detail {

enum class job_outcome : std::uint8_t { completed, failed, expired };

/// What a job sees of its pool.
struct job_host {
  context pool_context;                 // cancelled at shutdown
  std::function<void(error)> on_error;  // empty: log
  std::string name;
  /// An exception that left a posted job.
  void report_exception(std::exception_ptr thrown) const noexcept;
  /// A posted job did not run; not logged, shutdown's report and the statistics tell.
  void report_unrun(const error& why) const noexcept;

 private:
  static void report_broken_handler(const std::string& pool) noexcept;
};

/// Done when either is; the values of `given`. May allocate.
context join_contexts(const context& given, const context& pool);

class pool_core;
/// Lends the slot of a job that waits on the future of a job of its own pool; its argument is the pool_core.
extern const wait_hook lend_while_waiting;

/// run and settle are called once each, in this order, or drop alone, or neither: the job was refused.
class pool_job : public node_allocated {
 public:
  pool_job(const pool_job&) = delete;
  pool_job& operator=(const pool_job&) = delete;
  start_site where() const noexcept { return {file_, line_}; }

  /// Calls and destroys the closure. The result is not visible to anybody yet, so that the pool can count the job
  /// first.
  virtual job_outcome run(const job_host& host) noexcept = 0;
  /// Publishes the result; the job may be gone afterwards.
  virtual void settle() noexcept = 0;
  /// Destroys the closure without having called it, and publishes `why`; the job may be gone afterwards.
  virtual void drop(const job_host& host, const error& why) noexcept = 0;

  pool_job* next = nullptr;

 protected:
  explicit pool_job(start_site where) noexcept : file_(where.file), line_(where.line) {}
  ~pool_job() = default;

 private:
  const char* file_;
  std::uint32_t line_;
};

template <class F>
concept PlainJob = std::is_invocable_v < std::decay_t<F>
& > ;
template <class F>
concept ContextJob = !PlainJob<F> && std::is_invocable_v<std::decay_t<F>&, const context&>;
/// What a pool can run: a callable without arguments, or with a const context&. What takes both ways gets no context.
template <class F>
concept PoolJob = PlainJob<F> || ContextJob<F>;

template <class F>
struct job_result {};
template <PlainJob F>
struct job_result<F> {
  using type = std::invoke_result_t<std::decay_t<F>&>;
};
template <ContextJob F>
struct job_result<F> {
  using type = std::invoke_result_t<std::decay_t<F>&, const context&>;
};
/// What the job's future holds: an rvalue reference would dangle, its value does not.
template <class F>
using job_result_t =
    std::conditional_t<std::is_rvalue_reference_v<typename job_result<F>::type>,
                       std::remove_cvref_t<typename job_result<F>::type>, typename job_result<F>::type>;

/// Whether moving a job of type F into a node can be undone. A copy leaves the original alone, and so does a trivial
/// move.
template <class F, class Fn = std::decay_t<F>>
inline constexpr bool job_move_is_harmless = !std::is_same_v<F, Fn> || std::is_trivially_move_constructible_v<Fn>;
template <class F, class Fn = std::decay_t<F>>
inline constexpr bool can_be_handed_back = job_move_is_harmless<F> ||
                                           (std::is_nothrow_move_constructible_v<Fn> && !std::is_polymorphic_v<Fn>);

/// The closure, and the context given with it if there was one. The closure dies when it has run, not with the job:
/// a future keeps the job's memory, and must not keep what the closure holds.
template <class Fn, bool HasContext>
class job_closure {
 public:
  template <class F>
  job_closure(F&& f, const context* ctx) : closure_(std::forward<F>(f)) {
    if constexpr (HasContext) given_ = *ctx;
  }
  ~job_closure() {}  // see destroy()
  job_closure(const job_closure&) = delete;
  job_closure& operator=(const job_closure&) = delete;

  void destroy() noexcept {
    closure_.~Fn();
    given_ = {};
  }

  /// The error of the job's context if that is done: the job must not start.
  error expired(const job_host& host) const {
    if constexpr (HasContext) {
      if (given_.done()) return given_.err();
    }
    if constexpr (HasContext || ContextJob<Fn>) {
      if (host.pool_context.done()) return host.pool_context.err();
    }
    return {};
  }

  decltype(auto) call(const job_host& host) {
    if constexpr (PlainJob<Fn>) {
      return closure_();
    } else if constexpr (HasContext) {
      const context both = join_contexts(given_, host.pool_context);
      return closure_(both);
    } else {
      return closure_(host.pool_context);
    }
  }

  /// The job was refused: gives the closure back to whom it was moved from, if it can be, and destroys it here.
  template <class F>
  void hand_back(std::remove_reference_t<F>& original) noexcept {
    if constexpr (can_be_handed_back<F> && !job_move_is_harmless<F>) {
      // A lambda cannot be assigned to.
      std::destroy_at(std::addressof(original));
      ::new (static_cast<void*>(std::addressof(original))) Fn(std::move(closure_));
    }
    destroy();
  }

 private:
  struct nothing {};
  union {
    Fn closure_;
  };
  [[no_unique_address]] std::conditional_t<HasContext, context, nothing> given_;
};

/// A job without a future. Owned by the pool once accepted.
template <class Fn, bool HasContext>
class posted_job final : public pool_job {
 public:
  template <class F>
  posted_job(F&& f, const context* ctx, start_site where) : pool_job(where), body(std::forward<F>(f), ctx) {}

  job_outcome run(const job_host& host) noexcept override {
    job_outcome outcome = job_outcome::completed;
    if (error why = body.expired(host)) {
      host.report_unrun(why);
      outcome = job_outcome::expired;
    } else {
      std::exception_ptr thrown;
      try {
        static_cast<void>(body.call(host));
      } catch (...) {
        thrown = std::current_exception();
      }
      if (thrown) {
        host.report_exception(std::move(thrown));
        outcome = job_outcome::failed;
      }
    }
    body.destroy();
    return outcome;
  }
  void settle() noexcept override { delete this; }
  void drop(const job_host& host, const error& why) noexcept override {
    body.destroy();
    host.report_unrun(why);
    delete this;
  }

  job_closure<Fn, HasContext> body;
};

/// A job with a future: the job is the future's state. The pool holds one reference, the future the other.
template <class Fn, bool HasContext, class R>
class submitted_job final : public future_state<R>, public pool_job {
 public:
  template <class F>
  submitted_job(F&& f, const context* ctx, start_site where, pool_core& pool)
      : pool_job(where), body(std::forward<F>(f), ctx) {
    this->set_wait_hook(lend_while_waiting, &pool);
  }

  job_outcome run(const job_host& host) noexcept override {
    job_outcome outcome = job_outcome::completed;
    if (error why = body.expired(host)) {
      this->fail(std::move(why));
      outcome = job_outcome::expired;
    } else {
      auto call = [&]() -> decltype(auto) { return body.call(host); };
      this->capture(call);
      if (this->failed()) outcome = job_outcome::failed;
    }
    body.destroy();
    return outcome;
  }
  void settle() noexcept override {
    this->publish();
    this->release();
  }
  void drop(const job_host&, const error& why) noexcept override {
    body.destroy();
    refuse(why);
  }
  /// The closure was handed back.
  void refuse(const error& why) noexcept {
    this->fail(why);
    settle();
  }

  job_closure<Fn, HasContext> body;
};

}  // namespace spool::detail
