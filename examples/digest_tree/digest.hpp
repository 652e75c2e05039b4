#pragma once

#include "options.hpp"
#include "tree_walk.hpp"

namespace digest_tree {

namespace exit_status {
inline constexpr int all_hashed = 0;
inline constexpr int some_failed = 1;
inline constexpr int bad_usage = 2;
inline constexpr int interrupted = 128 + 2;  // as a shell reports SIGINT, SIGPIPE, SIGTERM
inline constexpr int reader_gone = 128 + 13;
inline constexpr int terminated = 128 + 15;
}  // namespace exit_status

// Prints the digests of what `walk` finds, in its order, and returns the exit status. On a fiber only.
//
//   walker --jobs--> worker pool (bounded queue)
//      \--futures--> order channel (bounded) --> printer
//
// The walker sends the future of each job into `order` as it submits the job, so order is restored without
// a reorder buffer: the printer waits for the futures one after the other. Both queues are bounded, and so
// is memory, whether the workers or the reader of our output is slow.
int digest(tree_walk& walk, const options& chosen);

}  // namespace digest_tree
