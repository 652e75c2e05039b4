#include "image_feed.hpp"

#include <utility>

#include "command/complaint.hpp"
#include "image_name.hpp"

namespace thumbnails {

using command::tree_walk;

image_feed::image_feed(tree_walk& walk, std::size_t root_bytes, const output_tree& out, spool::worker_pool& carriers,
                       image_run& images, command::order_channel order)
    : walk_(walk), root_bytes_(root_bytes), out_(out), carriers_(carriers), images_(images), order_(std::move(order)) {}

spool::error image_feed::run(const spool::context& ctx) {
  for (auto found = walk_.next(); found != tree_walk::step::end; found = walk_.next()) {
    if (ctx.done()) {
      return ctx.err();
    }
    spool::error failure;
    if (found == tree_walk::step::directory && out_.is_same(walk_.path())) {
      walk_.leave();
    } else if (found == tree_walk::step::unreadable) {
      failure = complain(ctx);
    } else if (found == tree_walk::step::file && names_image(walk_.path())) {
      failure = hand_over(ctx);
    }
    if (failure) {
      return failure;
    }
  }
  order_.close();
  return {};
}

spool::error image_feed::hand_over(const spool::context& ctx) {
  return pass_on(
      ctx, carriers_.submit(ctx, [&images = images_, path = walk_.path(), relative = walk_.path().substr(root_bytes_)](
                                     const spool::context& job_ctx) { return images.make(job_ctx, path, relative); }));
}

// A message of the walk takes its place in the order as the report of an image does.
spool::error image_feed::complain(const spool::context& ctx) {
  command::job_report report;
  command::append_complaint(report.complaints, "thumbnails", walk_.path(), walk_.error_number());
  return pass_on(ctx, carriers_.submit(ctx, [report = std::move(report)] { return report; }));
}

spool::error image_feed::pass_on(const spool::context& ctx, spool::result<spool::future<command::job_report>> report) {
  if (!report) {
    return report.error();
  }
  const auto sent = order_.send(ctx, std::move(*report));
  return sent == spool::channel_status::ok ? spool::error{} : spool::error(sent);
}

}  // namespace thumbnails
