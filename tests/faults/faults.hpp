// Makes the n-th call of one kind fail, process-wide, and knows how much memory is in use.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <ostream>
#include <string_view>

namespace faults {

enum class kind : std::uint8_t {
  allocation,      // operator new
  mapping,         // mmap
  protection,      // mprotect
  advice,          // madvise
  event_fd,        // eventfd
  thread_creation  // pthread_create
};

std::string_view name_of(kind what) noexcept;
inline void PrintTo(kind what, std::ostream* out) { *out << name_of(what); }

/// While it lives, the n-th call of this kind on any thread fails, once, as it does when the kernel has no more to give;
/// `meanwhile` is called first, on that thread.
class injection {
 public:
  injection(kind what, std::int64_t nth, std::function<void()> meanwhile = {});
  ~injection();
  injection(const injection&) = delete;
  injection& operator=(const injection&) = delete;
  /// Fewer calls than that were made so far: nothing has failed.
  bool pending() const noexcept;

 private:
  const std::function<void()> meanwhile_;
};

/// Blocks from operator new that were not deleted yet.
std::int64_t live_allocations() noexcept;

}  // namespace faults
