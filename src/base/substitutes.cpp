#include <spool/base/substitutes.hpp>

namespace spool::detail {

constinit std::atomic<const substitutes*> substituted{nullptr};

}  // namespace spool::detail
