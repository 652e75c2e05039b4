#pragma once

#include <cstddef>
#include <spool/spool.hpp>

#include "command/job_report.hpp"
#include "command/tree_walk.hpp"
#include "hash_shop.hpp"
#include "job.hpp"
#include "progress.hpp"

namespace digest_tree {

// The walker fiber: cuts the walk into jobs, gives them to the pool and their futures to `order`, which it
// closes at the end. Waits whenever one of the two is full.
class job_feed {
 public:
  job_feed(command::tree_walk& walk, spool::worker_pool& pool, hash_shop& shop, command::order_channel order,
           tally& counts, std::size_t files_per_job);

  spool::error run(const spool::context& ctx);

  bool found_any() const noexcept { return found_any_; }

 private:
  spool::error hand_over(const spool::context& ctx);

  command::tree_walk& walk_;
  spool::worker_pool& pool_;
  hash_shop& shop_;
  command::order_channel order_;
  tally& counts_;
  std::size_t files_per_job_;
  job next_;
  bool found_any_ = false;
};

}  // namespace digest_tree
