#include "peek.hpp"

#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

namespace spool::detail {

bool peek(const void* from, void* to, std::size_t bytes) noexcept {
  const iovec there{const_cast<void*>(from), bytes};
  const iovec here{to, bytes};
  // By number: sanitizers have their own opinion of the wrapper.
  return ::syscall(SYS_process_vm_readv, ::getpid(), &here, 1UL, &there, 1UL, 0UL) == static_cast<long>(bytes);
}

}  // namespace spool::detail
