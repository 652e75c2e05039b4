// While mu_ is free: probes_ is empty unless half-open; half-open, successes_ + under_way_ <= half_open_probes; a probe
// in the list belongs to the present generation. Time brings changes about (open to half-open, a hung probe to open)
// that nobody announces: settle() makes up for them, as of the moment they were due, before anything else is decided.
#include <spool/resilience/circuit_breaker.hpp>
#include <spool/runtime/detail/waiter.hpp>

#include <algorithm>
#include <mutex>
#include <stdexcept>
#include <utility>

namespace spool {
namespace {

using detail::time_point;

circuit_breaker_options checked(circuit_breaker_options o) {
  if (o.failure_threshold < 1 || o.half_open_probes < 1) {
    throw std::invalid_argument("spool::circuit_breaker: failure_threshold and half_open_probes must be at least 1");
  }
  if (o.open_for.count() <= 0 || (o.probe_timeout && o.probe_timeout->count() <= 0)) {
    throw std::invalid_argument("spool::circuit_breaker: open_for and probe_timeout must be longer than nothing");
  }
  return o;
}

/// d > 0. A sum that the clock cannot hold is "never".
time_point later(time_point from, std::chrono::nanoseconds d) noexcept {
  const bool fits = from.time_since_epoch().count() <= 0 || d <= time_point::max() - from;
  return fits ? from + d : time_point::max();
}

}  // namespace

enum class circuit_breaker::verdict : bool { failure, success };

/// What one operation changed, to be told once the lock is free: at most a hung probe, the end of open_for, and its
/// own.
class circuit_breaker::changes {
 public:
  struct change {
    circuit_state from, to;
  };
  void add(circuit_state from, circuit_state to) noexcept { made_[count_++] = {from, to}; }
  const change* begin() const noexcept { return made_; }
  const change* end() const noexcept { return made_ + count_; }

 private:
  change made_[3];
  int count_ = 0;
};

circuit_breaker::circuit_breaker(circuit_breaker_options options)
    : options_(checked(std::move(options))), probe_timeout_(options_.probe_timeout.value_or(options_.open_for)) {}

time_point circuit_breaker::clock_now() const { return options_.now ? options_.now() : detail::clock::now(); }

/// When the oldest probe under way timed out, if it has.
std::optional<time_point> circuit_breaker::hung_since(time_point now) const noexcept {
  const probe* oldest = probes_.front();
  if (oldest == nullptr) return std::nullopt;
  const time_point expires = later(oldest->began, probe_timeout_);
  return expires <= now ? std::optional(expires) : std::nullopt;
}

void circuit_breaker::enter(circuit_state next, changes& made) noexcept {
  made.add(state_, next);
  state_ = next;
  ++generation_;
  failures_ = successes_ = under_way_ = 0;
  while (probes_.pop_front() != nullptr) {
  }
}

void circuit_breaker::settle(time_point now, changes& made) noexcept {
  latest_ = std::max(latest_, now);
  if (const auto hung = hung_since(latest_)) {
    enter(circuit_state::open, made);
    open_until_ = later(*hung, options_.open_for);
  }
  if (state_ == circuit_state::open && open_until_ <= latest_) enter(circuit_state::half_open, made);
}

circuit_state circuit_breaker::state() const {
  const time_point read = clock_now();
  const std::lock_guard guard(mu_);
  const time_point now = std::max(latest_, read);
  circuit_state seen = state_;
  time_point until = open_until_;
  if (const auto hung = hung_since(now)) {
    seen = circuit_state::open;
    until = later(*hung, options_.open_for);
  }
  return seen == circuit_state::open && until <= now ? circuit_state::half_open : seen;
}

bool circuit_breaker::admit(attempt& a) {
  detail::spend_budget();
  const time_point now = clock_now();
  changes made;
  bool admitted = false;
  {
    const std::lock_guard guard(mu_);
    settle(now, made);
    admitted = state_ == circuit_state::closed;
    if (state_ == circuit_state::half_open && successes_ + under_way_ < options_.half_open_probes) {
      a.probe_.began = latest_;
      probes_.push_back(a.probe_);
      ++under_way_;
      admitted = true;
    }
    a.generation_ = generation_;
  }
  notify(made);
  return admitted;
}

void circuit_breaker::conclude(attempt& a, std::optional<verdict> v) {
  const time_point now = clock_now();
  changes made;
  {
    const std::lock_guard guard(mu_);
    settle(now, made);
    if (a.generation_ == generation_) {
      if (a.probe_.linked()) {
        detail::intrusive_list<probe>::erase(a.probe_);
        --under_way_;
      }
      const bool probing = state_ == circuit_state::half_open;
      if (v == verdict::success) {
        failures_ = 0;
        if (probing && ++successes_ == options_.half_open_probes) enter(circuit_state::closed, made);
      } else if (v == verdict::failure && (probing || ++failures_ == options_.failure_threshold)) {
        enter(circuit_state::open, made);
        open_until_ = later(latest_, options_.open_for);
      }
    }
  }
  notify(made);
}

void circuit_breaker::notify(const changes& made) const noexcept {
  if (!options_.on_state_change) return;
  for (const auto& [from, to] : made) options_.on_state_change(from, to);
}

circuit_breaker::attempt::~attempt() {
  if (pending_) breaker_.conclude(*this, std::nullopt);
}

void circuit_breaker::attempt::finish(const error& outcome) {
  if (!pending_) {
    throw std::logic_error(
        "spool::circuit_breaker::attempt::finish: it was refused or is finished; test it with `if (attempt)` first");
  }
  const bool canceled = outcome == std::errc::operation_canceled;
  const bool failed = outcome && (breaker_.options_.is_failure ? breaker_.options_.is_failure(outcome) : !canceled);
  std::optional<verdict> v;
  if (failed) {
    v = verdict::failure;
  } else if (!canceled) {
    v = verdict::success;
  }
  pending_ = false;
  breaker_.conclude(*this, v);
}

}  // namespace spool
