// The engine of shutdown_sequence. It outlives the sequence only while a signal is being delivered to it.
//
// wait() alone decides what happens next; everybody else cancels one of three contexts and is done with it. mu_ is
// innermost and guards what a step's fiber and wait() both touch: the states of the steps.
#pragma once

#include "group/signal_watch.hpp"

#include <spool/context/cancel_scope.hpp>
#include <spool/pool/shutdown_sequence.hpp>
#include <spool/sync/wait_group.hpp>

#include <array>
#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace spool::detail {

class shutdown_core final : private signal_listener, public std::enable_shared_from_this<shutdown_core> {
 public:
  shutdown_core(scheduler& s, const context& parent, shutdown_options options);

  void watch_signals();
  void ignore_signals() noexcept;
  void add_step(shutdown_phase phase, std::string name, step_function f, start_site where);
  void add_pool(std::string name, worker_pool& pool, start_site where);
  const context& stopping() const noexcept { return stopping_.ctx(); }
  const context& work() const noexcept { return work_.ctx(); }
  void request(error cause) const { stopping_.cancel(std::move(cause)); }
  void force(const error& cause) const;
  shutdown_summary wait();
  void end() noexcept;  // the sequence goes

 private:

  struct step {
    step(std::string n, step_function f, start_site w) : name(std::move(n)), function(std::move(f)), where(w) {}
    const std::string name;
    step_function function;  // none any more once end() has returned
    const start_site where;
    wait_group running;
    bool begun = false;   // by wait() only, as the next one
    bool needed = true;
    bool ended = false;   // guarded by mu_, as all that follows
    bool given_up = false;
    clock::time_point start{};
    clock::duration took{};
    error outcome;
  };
  using phase_steps = std::vector<std::unique_ptr<step>>;
  struct named_pool {
    std::string name;
    worker_pool* pool;
  };

  bool acquire() noexcept override;
  void signal_came(int signal) noexcept override;

  phase_steps& steps_of(shutdown_phase phase) noexcept { return steps_[static_cast<std::size_t>(phase)]; }
  void require_open() const;
  void begin(step& s, const context& ctx);  // without memory for its fiber the step has failed
  void perform(step& s, const context& ctx) noexcept;
  void conclude(step& s, error outcome) noexcept;
  bool wait_for(step& s, const context& limit);  // true: it has ended in time; its outcome may still be an error
  bool stop_and_drain(const context& limit);
  void cancel_rest(const context& limit);
  bool needs_cancel(const step& cancel);
  void summarize(shutdown_summary& into);
  shutdown_step describe(step& s, shutdown_phase phase);

  scheduler& scheduler_;
  const shutdown_options options_;
  const cancel_scope stopping_;
  const cancel_scope forced_;
  const cancel_scope work_;
  std::atomic<bool> waiting_{false};  // wait() was called
  std::atomic<bool> over_{false};     // it has returned: a signal finds nothing to end any more

  std::array<phase_steps, 3> steps_;  // complete once wait() was called, as pools_
  std::vector<named_pool> pools_;
  std::mutex mu_;

  // Of the thread that delivers signals.
  std::shared_ptr<shutdown_core> kept_;
  unsigned signals_ = 0;
  int last_signal_ = 0;
  clock::time_point last_at_{};
};

}  // namespace spool::detail
