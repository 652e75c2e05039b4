// pipeline: stages on fibers with bounded channels between them; the first error ends all of it.
#pragma once

#include <spool/pipeline/detail/ordered_stage.hpp>
#include <spool/pipeline/detail/stage.hpp>
#include <spool/pipeline/stage_options.hpp>

#include <memory>
#include <type_traits>
#include <utility>

namespace spool {

/// Stages run from the moment they are added, on fibers of the runtime the pipeline was made on.
///
///   pipeline p(ctx, {.name = "etl"});
///   auto in = p.source<event>({.name = "read", .capacity = 1000},
///                             [&](const context& ctx, sender<event> out) -> error { return read_all(ctx, out); });
///   auto rows = p.stage(in, {.name = "enrich", .workers = 8, .ordered = true},
///                       [](const context& ctx, event e) -> result<row> { return enrich(ctx, e); });
///   p.sink(rows, {.name = "write"}, [&](const context& ctx, row r) -> error { return store(ctx, r); });
///   if (error e = p.wait()) return e;
///
/// Every function may go without the context, which is the pipeline's. A stage's function is called by all its workers
/// at once. An error or exception of a source ends the pipeline, one of an item does what the stage's on_error says.
/// The end of the pipeline by an error, or by the context it was made with: its context is done, its channels and
/// inputs are closed, items that are left are dropped, and senders see `closed`.
///
/// What a stage receives from, receiver or channel, is handed over to the pipeline: it closes it when it ends early,
/// and when the last of its stages that read from it has ended, which happens before the input's end when nobody
/// receives the stage's results any more (a stage without receivers ends at its next result, and is no error). That
/// takes effect from wait on.
///
/// Thread safe, but for the destructor. Go: goroutines, channels and an errgroup.
class pipeline {
 public:
  /// On a plain thread: std::logic_error.
  explicit pipeline(const spool::context& parent = spool::context::background(), pipeline_options options = {})
      : core_(parent, std::move(options.name)) {}
  /// Cancels, then waits.
  ~pipeline() = default;
  pipeline(const pipeline&) = delete;
  pipeline& operator=(const pipeline&) = delete;

  /// Derived from the parent; done at the first error, and when wait returns. As long as the pipeline lives.
  const spool::context& context() const noexcept { return core_.ctx(); }

  /// Runs f(ctx, sender<T>) on one fiber; it returns void, error, std::error_code or a result. The stream ends when f
  /// does, even if copies of the sender are left. errc::closed from an f whose receivers are gone is no error.
  /// After wait: std::logic_error; a capacity beyond 2^32 - 1: std::invalid_argument. Never waits.
  template <class T, class F>
  [[nodiscard]] receiver<T> source(source_options options, F&& f,
                                   detail::start_site where = detail::start_site::current()) {
    using Function = std::decay_t<F>;
    static_assert(detail::StageFunction<Function, sender<T>>,
                  "a source's function takes (const context&, sender<T>) or (sender<T>)");
    static_assert(detail::GroupResult<detail::stage_result_t<Function, sender<T>>>,
                  "a source's function returns void, error, std::error_code or a result");
    core_.check_open("source", options.name);
    auto [to, results] = make_output<T>(options.capacity, options.name);
    using Stage = detail::source_stage<T, Function>;
    detail::stage_base::start(
        std::make_unique<Stage>(core_, std::move(options.name), std::move(to), std::forward<F>(f)), 1, where);
    return std::move(results);
  }

  /// Runs f(ctx, item) on every item of `in`, on options.workers fibers. f returns U; std::optional<U>, none to drop
  /// the item; or a result of either. Results leave in any order, or with options.ordered in the items' order.
  /// Move-only items are moved into f. With dead letters f is given a const reference if it takes one, else a reference
  /// or a copy; a move-only item that f insists on owning cannot be kept: std::invalid_argument.
  /// After wait: std::logic_error; bad options, a nil channel: std::invalid_argument. Never waits.
  template <detail::Input In, class F>
  [[nodiscard]] auto stage(In&& in, stage_options<detail::item_t<In>> options, F&& f,
                           detail::start_site where = detail::start_site::current()) {
    using T = detail::item_t<In>;
    using Function = std::decay_t<F>;
    static_assert(detail::ItemFunction<Function, T>, "a stage's function takes (const context&, T) or (T)");
    using U = detail::yield_t<typename detail::item_function<Function, T>::raw_result>;
    static_assert(std::is_object_v<U> && !std::is_same_v<U, error> && !std::is_same_v<U, std::error_code>,
                  "a stage's function returns U, std::optional<U> or result<U>; for one that yields nothing use sink");
    core_.check_open("stage", options.name);
    core_.check_workers(options.workers, options.name);
    auto from = detail::take_over(std::forward<In>(in), "spool::pipeline::stage");
    auto [to, results] = make_output<U>(options.capacity, options.name);
    if (options.ordered && options.workers > 1) {
      using Stage = detail::ordered_stage<T, U, Function>;
      detail::stage_base::start(
          std::make_unique<Stage>(core_, std::move(options.name), std::move(from), std::move(to), options.workers,
                                  std::move(options.on_error), std::forward<F>(f)),
          options.workers, where);
    } else {
      using Stage = detail::plain_stage<T, U, Function>;
      detail::stage_base::start(std::make_unique<Stage>(core_, std::move(options.name), std::move(from), std::move(to),
                                                        std::move(options.on_error), std::forward<F>(f)),
                                options.workers, where);
    }
    return receiver<U>(std::move(results));
  }

  /// Runs f(ctx, item) on every item of `in`; f returns void, error, std::error_code or a result. Otherwise as stage.
  template <detail::Input In, class F>
  void sink(In&& in, sink_options<detail::item_t<In>> options, F&& f,
            detail::start_site where = detail::start_site::current()) {
    using T = detail::item_t<In>;
    using Function = std::decay_t<F>;
    static_assert(detail::ItemFunction<Function, T>, "a sink's function takes (const context&, T) or (T)");
    static_assert(detail::GroupResult<typename detail::item_function<Function, T>::raw_result>,
                  "a sink's function returns void, error, std::error_code or a result");
    core_.check_open("sink", options.name);
    core_.check_workers(options.workers, options.name);
    auto from = detail::take_over(std::forward<In>(in), "spool::pipeline::sink");
    using Stage = detail::sink_stage<T, Function>;
    detail::stage_base::start(std::make_unique<Stage>(core_, std::move(options.name), std::move(from),
                                                      std::move(options.on_error), std::forward<F>(f)),
                              options.workers, where);
  }

  /// Waits until every stage has ended; no fiber of the pipeline is left then, and nothing that its functions held. The
  /// first error; the error of the context it was made with if that ended it; or none. Any number of times, from any
  /// thread, not from one of its own functions. Somebody must receive the results of a stage without a successor.
  [[nodiscard]] error wait() { return core_.wait(); }

 private:
  template <class T>
  std::pair<sender<T>, receiver<T>> make_output(std::size_t capacity, const std::string& stage) {
    detail::pipeline_core::check_capacity(capacity, stage);
    auto ends = make_channel<T>(capacity);
    core_.add(detail::channel_of(ends.second, "spool::pipeline"), detail::pipeline_core::use::makes);
    return ends;
  }

  detail::pipeline_core core_;
};

}  // namespace spool
