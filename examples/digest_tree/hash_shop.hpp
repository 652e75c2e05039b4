#pragma once

#include <spool/spool.hpp>

#include "command/job_report.hpp"
#include "file_hash.hpp"
#include "job.hpp"
#include "progress.hpp"

namespace digest_tree {

// Where jobs are worked off, by any number of fibers at a time.
class hash_shop {
 public:
  explicit hash_shop(tally& counts) : counts_(counts), hashers_([this] { return file_hasher(algorithm_); }) {}

  // Stops early, with part of the report, when ctx is done.
  command::job_report work(const spool::context& ctx, job& given);

 private:
  tally& counts_;
  sha256_algorithm algorithm_;
  spool::object_pool<file_hasher> hashers_;
};

}  // namespace digest_tree
