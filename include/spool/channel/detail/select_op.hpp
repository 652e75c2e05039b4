// One case of a select as the engine sees it, and the engine's entry. The typed cases are in select_cases.hpp.
#pragma once

#include <spool/channel/detail/channel_base.hpp>

#include <cstddef>
#include <cstdint>
#include <span>

namespace spool::detail {

class select_op {
 public:
  enum class kind : std::uint8_t { recv, send, done, ready, timeout, otherwise };
  friend constexpr bool is_on_channel(kind k) noexcept { return k <= kind::send; }

  kind what() const noexcept { return what_; }
  bool on_channel() const noexcept { return is_on_channel(what_); }
  bool has_to_prepare() const noexcept { return prepares_; }

  /// Of recv and send; null: a nil channel, never chosen.
  channel_base* channel = nullptr;
  /// Of timeout, set by start_timeout(); min() from the beginning: over at once.
  time_point deadline = time_point::max();

  /// If it has to: once at the start of every select, with no lock held. Copies what commit() must not.
  virtual void prepare() {}
  /// Of timeout: once the select has to wait.
  virtual void start_timeout() {}
  /// Of recv and send, under the channel's lock: does the operation if that is possible now.
  virtual channel_step commit(channel_node*&) { return channel_step::blocked; }
  /// Of recv and send: what a peer fills or takes from, as channel_node::slot.
  virtual void* slot() noexcept { return nullptr; }
  /// Of done: the context.
  virtual const context* bounding_context() const noexcept { return nullptr; }
  /// Of done and ready: never false again once true.
  virtual bool ready() { return false; }
  /// Of ready: what surrounds a wait, with nothing registered before and after.
  virtual void begin_wait() {}
  virtual void end_wait() {}
  /// Of ready. False: ready already, nothing was registered.
  virtual bool add_waiter(wait_node&) noexcept { return true; }
  virtual void remove_waiter(wait_node&) noexcept {}
  /// The handler. `taken` is false if the case was chosen because its channel is closed.
  virtual void run(bool taken) = 0;

 protected:
  select_op(kind what, bool has_to_prepare) noexcept : what_(what), prepares_(has_to_prepare) {}
  select_op(const select_op&) = default;
  select_op(select_op&&) = default;
  select_op& operator=(const select_op&) = delete;
  virtual ~select_op() = default;

 private:
  kind what_;
  bool prepares_;
};

struct selection {
  std::size_t index = 0;
  bool taken = true;
};

inline constexpr std::size_t no_case = ~std::size_t{0};

/// Of a typed case: its kind, and whether it has to prepare, are known without looking at it.
template <select_op::kind Kind>
class select_op_of : public select_op {
 public:
  static constexpr kind made_as = Kind;
  static constexpr bool prepares = false;

 protected:
  explicit select_op_of(bool has_to_prepare = false) noexcept : select_op(Kind, has_to_prepare) {}
};

/// Waits until a case is ready (or takes the case `otherwise`) and commits exactly one. Does not run its handler.
selection choose(std::span<select_op* const> cases);

}  // namespace spool::detail
