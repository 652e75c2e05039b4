#include "job_feed.hpp"

#include <utility>

#include "escape.hpp"

namespace digest_tree {

using command::tree_walk;

job_feed::job_feed(command::tree_walk& walk, spool::worker_pool& pool, hash_shop& shop, command::order_channel order,
                   tally& counts, std::size_t files_per_job)
    : walk_(walk), pool_(pool), shop_(shop), order_(std::move(order)), counts_(counts), files_per_job_(files_per_job) {}

spool::error job_feed::run(const spool::context& ctx) {
  for (auto found = walk_.next(); found != tree_walk::step::end; found = walk_.next()) {
    if (ctx.done()) {
      return ctx.err();
    }
    // A job's complaints are printed before what its files give, so they begin a job.
    const bool unreadable = found == tree_walk::step::unreadable;
    if (next_.files.size() == files_per_job_ || (unreadable && !next_.files.empty())) {
      if (spool::error failure = hand_over(ctx)) {
        return failure;
      }
    }
    if (unreadable) {
      append_complaint(next_.complaints, walk_.path(), walk_.error_number());
    } else if (found == tree_walk::step::file) {
      next_.files.append(walk_.path());
      found_any_ = true;
    }
  }
  spool::error failure = next_.files.empty() && next_.complaints.empty() ? spool::error{} : hand_over(ctx);
  order_.close();
  return failure;
}

spool::error job_feed::hand_over(const spool::context& ctx) {
  counts_.waiting.fetch_add(next_.files.size(), std::memory_order_relaxed);
  auto report = pool_.submit(ctx, [&shop = shop_, given = std::exchange(next_, {})](
                                      const spool::context& job_ctx) mutable { return shop.work(job_ctx, given); });
  if (!report) {
    return report.error();
  }
  const auto sent = order_.send(ctx, std::move(*report));
  return sent == spool::channel_status::ok ? spool::error{} : spool::error(sent);
}

}  // namespace digest_tree
