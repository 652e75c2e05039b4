// leak_check: a test's end finds the fibers that it has left behind.
#pragma once

#include <spool/runtime/detail/live_fibers.hpp>

#include <chrono>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <unordered_set>
#include <vector>

namespace spool {

class runtime;

namespace testing {

/// what() lists the fibers: name, start site, what each waits on.
class leak_error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Watches the fibers that are started while it lives: on a fiber those of its runtime, on a plain thread those of all
/// runtimes of the process. Its destructor throws leak_error if some are still there, unless leaks() or verify() has been
/// called or an exception is under way. Those that are about to end have `grace` (a bubble's time, in one).
/// Go: goleak.VerifyNone.
class [[nodiscard]] leak_check {
 public:
  explicit leak_check(std::chrono::milliseconds grace = std::chrono::seconds(1));
  explicit leak_check(runtime& watched, std::chrono::milliseconds grace = std::chrono::seconds(1));
  ~leak_check() noexcept(false);
  leak_check(const leak_check&) = delete;
  leak_check& operator=(const leak_check&) = delete;

  /// Waits until there are none, or for `grace`; then one line for each that is left.
  std::vector<std::string> leaks();
  /// As leaks(), but throws leak_error if there are any.
  void verify();

 private:
  leak_check(spool::detail::scheduler* watched, std::chrono::milliseconds grace);
  std::vector<std::string> look() const;

  spool::detail::scheduler* watched_;  // null: all
  std::chrono::milliseconds grace_;
  std::unordered_set<std::uint64_t> before_;
  std::size_t not_begun_before_ = 0;
  int exceptions_before_;
  bool asked_ = false;
};

}  // namespace testing
}  // namespace spool
