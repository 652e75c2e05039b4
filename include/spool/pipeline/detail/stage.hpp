// A stage: what its workers share, and what they do. The last worker to end destroys it, and with it the stage's end of its
// output, which closes. Then the worker's fiber counts as ended: pipeline::wait finds no function and no channel end alive.
#pragma once

#include <spool/pipeline/detail/input.hpp>
#include <spool/pipeline/detail/pipeline_core.hpp>
#include <spool/pipeline/detail/stage_function.hpp>
#include <spool/pipeline/on_error.hpp>

#include <atomic>
#include <cstddef>
#include <exception>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>

namespace spool::detail {

/// What every stage has. `Stage` derives from it and has work(), which may throw.
class stage_base {
 public:
  stage_base(pipeline_core& core, std::string name) noexcept : core_(core), name_(std::move(name)) {}
  stage_base(const stage_base&) = delete;
  stage_base& operator=(const stage_base&) = delete;

  template <class Stage>
  static void start(std::unique_ptr<Stage> made, std::size_t workers, start_site where) {
    Stage* const stage = made.release();
    pipeline_core& core = stage->core_;
    stage->active_.store(workers, std::memory_order_relaxed);
    core.add_fibers(workers);
    std::size_t started = 0;
    try {
      for (; started < workers; ++started) core.start(make_task([stage] { run(*stage); }, where));
    } catch (...) {
      core.fail(error(std::current_exception()));
      for (; started < workers; ++started) leave(*stage);
      throw;
    }
  }

 protected:
  ~stage_base() = default;

  const context& ctx() const noexcept { return core_.ctx(); }
  const std::string& name() const noexcept { return name_; }

  pipeline_core& core_;

 private:
  template <class Stage>
  static void run(Stage& stage) noexcept {
    pipeline_core& core = stage.core_;
    try {
      name_stage_fiber(core, stage.name_);
      stage.work();
    } catch (...) {
      core.fail(error(std::current_exception()));
    }
    if (core.ctx().done()) core.fail(core.ctx().err());  // it may have been cut short
    leave(stage);
  }

  template <class Stage>
  static void leave(Stage& stage) noexcept {
    pipeline_core& core = stage.core_;
    if (stage.active_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete &stage;
    core.fiber_ended();
  }

  const std::string name_;
  std::atomic<std::size_t> active_{0};
};

/// A stage's hold on the channel that it reads.
template <class T>
class stage_input {
 public:
  stage_input(pipeline_core& core, receiver<T> from) : core_(core), from_(std::move(from)) {
    core_.add(base(), pipeline_core::use::reads);
  }
  stage_input(const stage_input&) = delete;
  stage_input& operator=(const stage_input&) = delete;
  ~stage_input() {
    end();
    if (core_.ctx().done() && core_.made(base())) drop_rest();
  }

  std::optional<T> recv() const { return from_.recv(); }
  const receiver<T>& from() const noexcept { return from_; }

  /// Nothing more is wanted. By any worker, any number of times.
  void end() noexcept {
    if (!ended_.exchange(true, std::memory_order_relaxed)) core_.remove(base(), pipeline_core::use::reads);
  }

 private:
  channel_base& base() const { return channel_of(from_, "spool::pipeline"); }

  // Of a pipeline that was cancelled no item outlives wait(), whoever still holds a receiver.
  void drop_rest() noexcept {
    base().close();
    try {
      while (from_.recv()) {
      }
    } catch (...) {  // an item that cannot be moved stays until the channel goes
    }
  }

  pipeline_core& core_;
  const receiver<T> from_;
  std::atomic<bool> ended_{false};
};

/// What a stage does with the errors of its items.
template <class T>
class stage_errors {
 public:
  stage_errors(pipeline_core& core, const std::string& stage, error_policy<T> policy, bool can_keep)
      : core_(core), stage_(stage), policy_(std::move(policy)) {
    if (policy_.letters() == nullptr) return;
    if (!can_keep) {
      throw std::invalid_argument("spool::pipeline: dead letters of stage \"" + stage +
                                  "\" need the item; let its function take it by reference, or make it copyable");
    }
    core_.add(letters(), pipeline_core::use::writes);
  }
  stage_errors(const stage_errors&) = delete;
  stage_errors& operator=(const stage_errors&) = delete;
  ~stage_errors() {
    if (keeps_items()) core_.remove(letters(), pipeline_core::use::writes);
  }

  bool keeps_items() const noexcept { return policy_.letters() != nullptr; }

  /// Whether the stage goes on.
  bool handle(T& item, error reason) {
    if (keeps_items()) {
      // Bounded by the context: only here may a worker wait for a channel that the core does not close.
      const channel_status sent = policy_.letters()->send(core_.ctx(), dead_letter<T>{stage_, std::move(item), reason});
      if (sent == channel_status::ok) return true;
    } else if (policy_.decide(reason) == on_error::skip) {
      return true;
    }
    core_.fail(std::move(reason));
    return false;
  }

 private:
  channel_base& letters() const { return channel_of(*policy_.letters(), "spool::pipeline: dead letters"); }

  pipeline_core& core_;
  const std::string& stage_;
  const error_policy<T> policy_;
};

/// A function, its input, and what is done about errors: what stage and sink share.
template <class T, class F>
class item_stage : public stage_base {
 protected:
  using function = item_function<F, T>;

  template <class G>
  item_stage(pipeline_core& core, std::string name, receiver<T> from, error_policy<T> policy, G&& f)
      : stage_base(core, std::move(name)),
        input_(core, std::move(from)),
        errors_(core, this->name(), std::move(policy), function::can_keep),
        f_(std::forward<G>(f)) {}
  ~item_stage() = default;

  /// Calls the function and gives its result to take(result), which returns an error or none. Whether to go on. Throws
  /// nothing: what handling an error throws is the pipeline's error.
  template <class Take>
  bool process(T& item, Take&& take) {
    error reason;
    try {
      reason = errors_.keeps_items() ? take([&]() -> decltype(auto) { return function::keep(f_, ctx(), item); })
                                     : take([&]() -> decltype(auto) { return function::consume(f_, ctx(), item); });
    } catch (...) {
      reason = error(std::current_exception());
    }
    if (!reason) return true;
    try {
      return errors_.handle(item, std::move(reason));
    } catch (...) {
      core_.fail(error(std::current_exception()));
      return false;
    }
  }

  stage_input<T> input_;
  stage_errors<T> errors_;
  F f_;
};

/// Receives, calls, sends. One worker, or several that don't keep the order.
template <class T, class U, class F>
class plain_stage final : public item_stage<T, F> {
 public:
  template <class G>
  plain_stage(pipeline_core& core, std::string name, receiver<T> from, sender<U> to, error_policy<T> policy, G&& f)
      : item_stage<T, F>(core, std::move(name), std::move(from), std::move(policy), std::forward<G>(f)),
        output_(std::move(to)) {}

  void work() {
    bool open = true;
    const auto emit = [&](U&& value) -> error {
      open = output_.send(std::move(value));
      return {};
    };
    const auto take = [&](auto call) -> error { return unwrap(call(), emit); };
    while (open) {
      std::optional<T> item = this->input_.recv();
      if (!item || this->ctx().done()) return;
      if (!this->process(*item, take)) return;
    }
    this->input_.end();
  }

 private:
  const sender<U> output_;
};

/// Receives and calls.
template <class T, class F>
class sink_stage final : public item_stage<T, F> {
 public:
  template <class G>
  sink_stage(pipeline_core& core, std::string name, receiver<T> from, error_policy<T> policy, G&& f)
      : item_stage<T, F>(core, std::move(name), std::move(from), std::move(policy), std::forward<G>(f)) {}

  void work() {
    const auto take = [](auto call) -> error { return error_of(call); };
    for (;;) {
      std::optional<T> item = this->input_.recv();
      if (!item || this->ctx().done()) return;
      if (!this->process(*item, take)) return;
    }
  }

 private:
  template <class Call>
  static error error_of(Call& call) {
    using R = decltype(call());
    if constexpr (std::is_void_v<R>) {
      call();
      return {};
    } else if constexpr (is_result<std::remove_cvref_t<R>>::value) {
      auto&& outcome = call();
      return outcome.has_error() ? outcome.error() : error();
    } else {
      return call();
    }
  }
};

/// One function that sends what it likes.
template <class T, class F>
class source_stage final : public stage_base {
 public:
  template <class G>
  source_stage(pipeline_core& core, std::string name, sender<T> to, G&& f)
      : stage_base(core, std::move(name)), output_(std::move(to)), f_(std::forward<G>(f)) {}
  // Whoever else has a copy of the sender: the function has ended, and so has the stream.
  ~source_stage() { output_.close(); }

  void work() {
    auto call = [this] { return call_stage_function<sender<T>>(f_, this->ctx(), sender<T>(output_)); };
    const error outcome = call_for_error(call);
    // Told that nobody receives, it may say so; that is no failure.
    if (outcome && !(outcome == errc::closed && output_.closed())) this->core_.fail(outcome);
  }

 private:
  const sender<T> output_;
  F f_;
};

}  // namespace spool::detail
