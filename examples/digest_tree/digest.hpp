#pragma once

#include "command/tree_walk.hpp"
#include "options.hpp"

namespace digest_tree {

// Prints the digests of what `walk` finds, in its order, and returns the exit status. On a fiber only.
//
//   walker --jobs--> worker pool (bounded queue)
//      \--futures--> order channel (bounded) --> printer
//
// The walker sends the future of each job into `order` as it submits the job, so order is restored without
// a reorder buffer: the printer waits for the futures one after the other. Both queues are bounded, and so
// is memory, whether the workers or the reader of our output is slow.
int digest(command::tree_walk& walk, const options& chosen);

}  // namespace digest_tree
