#pragma once

#include <spool/runtime/runtime.hpp>

namespace spool::detail {

/// `options` with defaults filled in. Anything that cannot work: std::invalid_argument that says what to do instead.
runtime_options checked(runtime_options options);

/// CPUs that this process may use: affinity, and the cgroup's quota rounded up.
std::size_t usable_cpus();

}  // namespace spool::detail
