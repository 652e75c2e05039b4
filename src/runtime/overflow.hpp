// A fiber that runs out of stack: a SIGSEGV handler on an alternate stack names the fiber, then lets the process die of
// the fault, as it would have.
#pragma once

#include <cstddef>

namespace spool::detail {

/// Installs the handler, once per process, in front of the one that is there.
void install_overflow_handler() noexcept;

/// The calling thread's alternate signal stack while it lives.
class signal_stack {
 public:
  signal_stack() noexcept;
  ~signal_stack();
  signal_stack(const signal_stack&) = delete;
  signal_stack& operator=(const signal_stack&) = delete;

 private:
  void* memory_;
  std::size_t bytes_;
};

}  // namespace spool::detail
