// A stage: what its workers share, and what they do. The last worker to end destroys it, and with it the stage's end of
// its output, which closes. Then the worker's fiber counts as ended: pipeline::wait finds no function and no channel
// end alive.
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
  stage_base(pipeline_core& core, std::string name) noexcept
      : core_(core), name_(std::move(name)), end_(*context_access::node(core.ctx())) {}
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
  /// ctx().done(), asked for every item and so with two loads less.
  bool over() const noexcept { return end_.done.load(std::memory_order_acquire); }
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
  const cancel_node& end_;
  std::atomic<std::size_t> active_{0};
};

/// A stage's hold on the channel that it reads.
template <class T>
class stage_input {
 public:
  stage_input(pipeline_core& core, receiver<T> from)
      : core_(core), from_(std::move(from)), channel_(channel_of(from_, "spool::pipeline")) {
    core_.add(channel_, pipeline_core::use::reads);
  }
  stage_input(const stage_input&) = delete;
  stage_input& operator=(const stage_input&) = delete;
  ~stage_input() {
    end();
    if (core_.ctx().done() && core_.made(channel_)) drop_rest();
  }

  /// Waits for the next item, in the place of the one before. False: closed and drained. An optional as the result
  /// would be copied as a whole right after its parts were written, which a CPU cannot do before it has finished its
  /// stores.
  bool recv(std::optional<T>& item) const {
    if constexpr (!std::is_trivially_destructible_v<T>) item.reset();
    return static_cast<channel_core<T>&>(channel_).recv(item, {}) == channel_status::ok;
  }

  /// Nothing more is wanted. By any worker, any number of times.
  void end() noexcept {
    if (!ended_.exchange(true, std::memory_order_relaxed)) core_.remove(channel_, pipeline_core::use::reads);
  }

 private:
  // Of a pipeline that was cancelled no item outlives wait(), whoever still holds a receiver.
  void drop_rest() noexcept {
    channel_.close();
    try {
      while (from_.recv()) {
      }
    } catch (...) {  // an item that cannot be moved stays until the channel goes
    }
  }

  pipeline_core& core_;
  const receiver<T> from_;
  channel_base& channel_;
  std::atomic<bool> ended_{false};
};

/// A stage's end of the channel that it writes.
template <class U>
class stage_output {
 public:
  explicit stage_output(sender<U> to) : to_(std::move(to)), channel_(channel_of(to_, "spool::pipeline")) {}

  /// False: nobody receives any more.
  bool send(U& value) const { return static_cast<channel_core<U>&>(channel_).send(value, {}) == channel_status::ok; }
  std::size_t size() const noexcept { return channel_.size(); }
  std::size_t capacity() const noexcept { return channel_.capacity(); }

 private:
  const sender<U> to_;
  channel_base& channel_;
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

  /// Whether the stage goes on. What handling an error throws is the pipeline's error.
  bool handle(T& item, error reason) noexcept {
    try {
      if (settled(item, reason)) return true;
    } catch (...) {
      reason = error(std::current_exception());
    }
    core_.fail(std::move(reason));
    return false;
  }

 private:
  /// Skipped, or sent elsewhere.
  bool settled(T& item, const error& reason) {
    if (!keeps_items()) return policy_.decide(reason) == on_error::skip;
    // Bounded by the context: only here may a worker wait for a channel that the core does not close.
    return policy_.letters()->send(core_.ctx(), dead_letter<T>{stage_, std::move(item), reason}) == channel_status::ok;
  }

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

  /// take(call, failed) uses what call() returns, the function's result for the item, or gives its error to
  /// failed(error). Both say whether to go on, and so does this. No error object is made for an item that has none;
  /// that is measurable.
  template <class Take>
  bool process(T& item, const Take& take) {
    const auto failed = [&](error reason) { return errors_.handle(item, std::move(reason)); };
    try {
      if (errors_.keeps_items()) {
        return take([&]() -> decltype(auto) { return function::keep(f_, ctx(), item); }, failed);
      }
      return take([&]() -> decltype(auto) { return function::consume(f_, ctx(), item); }, failed);
    } catch (...) {
      return failed(error(std::current_exception()));
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
    const auto emit = [this](U&& value) { return output_.send(value); };
    const auto take = [&](auto call, auto& failed) { return unwrap(call(), emit, failed); };
    std::optional<T> item;
    while (this->input_.recv(item)) {
      if (this->over()) return;
      if (!this->process(*item, take)) break;
    }
    this->input_.end();
  }

 private:
  const stage_output<U> output_;
};

/// Receives and calls.
template <class T, class F>
class sink_stage final : public item_stage<T, F> {
 public:
  template <class G>
  sink_stage(pipeline_core& core, std::string name, receiver<T> from, error_policy<T> policy, G&& f)
      : item_stage<T, F>(core, std::move(name), std::move(from), std::move(policy), std::forward<G>(f)) {}

  void work() {
    const auto take = [](auto call, auto& failed) { return call_for_nothing(call, failed); };
    std::optional<T> item;
    while (this->input_.recv(item)) {
      if (this->over() || !this->process(*item, take)) return;
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
