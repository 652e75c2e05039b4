// Who holds a lock that readers share: for reports, and the count of readers for the lock itself.
//
// Changed under the lock's own lock, by plain stores; reports copy it without that lock, see wait_graph. `writer` alone
// says that a writer holds it and who: it is set with the lock, or by who hands the lock over, and cleared with it.
#pragma once

#include <spool/runtime/detail/waiter.hpp>

#include <cstddef>

namespace spool::detail {

/// First member of the lock: see shared_mutex_wait.
struct shared_holders {
  static constexpr std::size_t most_noted = 4;

  const fiber* writer = nullptr;  // null also: a plain thread
  std::size_t readers = 0;
  // As many of them as there are readers. Null: a plain thread, or a reader that found no place when it came.
  const fiber* noted[most_noted] = {};

  void add_reader(const fiber* who) noexcept {
    const std::size_t before = readers++;
    if (before < most_noted) [[likely]] {
      noted[before] = who;
    } else {
      find_place(who);
    }
  }

  /// By the reader that leaves; it is asked who it is only if others stay, so that a lone reader does not pay for it.
  void remove_reader() noexcept {
    if (--readers == 0) return;
    const fiber* who = current_fiber();
    if (readers >= most_noted || noted[readers] != who) forget(who);
  }

 private:
  void find_place(const fiber* who) noexcept;
  void forget(const fiber* who) noexcept;
};

}  // namespace spool::detail
