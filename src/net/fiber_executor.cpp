#include <spool/net/fiber_executor.hpp>

#include <stdexcept>

namespace spool {

runtime* fiber_executor::require_runtime() {
  runtime* rt = runtime::current();
  if (rt == nullptr) {
    throw std::logic_error("spool::fiber_executor: not on a fiber. Give it the runtime: fiber_executor(rt)");
  }
  return rt;
}

}  // namespace spool
