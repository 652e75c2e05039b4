#pragma once

#include <spool/spool.hpp>

#include <cstddef>
#include <string>
#include <string_view>

#include "command/job_report.hpp"
#include "command/tree_walk.hpp"
#include "image_run.hpp"

namespace thumbnails {

// The walker fiber: gives every image of the walk to the carriers, and their futures to `order`, which it closes at the
// end. Waits whenever one of the two is full.
class image_feed {
 public:
  // `root_bytes`: what of a path is in front of the part that the thumbnail shares.
  image_feed(command::tree_walk& walk, std::size_t root_bytes, const output_tree& out, spool::worker_pool& carriers,
             image_run& images, command::order_channel order);

  spool::error run(const spool::context& ctx);

 private:
  spool::error hand_over(const spool::context& ctx);
  spool::error complain(const spool::context& ctx);
  spool::error pass_on(const spool::context& ctx, spool::result<spool::future<command::job_report>> report);

  command::tree_walk& walk_;
  std::size_t root_bytes_;
  const output_tree& out_;
  spool::worker_pool& carriers_;
  image_run& images_;
  command::order_channel order_;
};

}  // namespace thumbnails
