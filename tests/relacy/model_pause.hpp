// In a source that is included after this, who spins lets another thread of the model go on.
#pragma once

#include "model_std.hpp"

#include "runtime/pause.hpp"

#include <sched.h>

namespace spool::detail {
inline void pause_in_model() { rl::yield(1, RL_INFO); }
inline void look_again_in_model() {}  // for a wait that ends by itself: nobody has to go on
}  // namespace spool::detail
inline void yield_in_model() { rl::yield(1, RL_INFO); }

#define cpu_pause pause_in_model
#define sched_yield yield_in_model
