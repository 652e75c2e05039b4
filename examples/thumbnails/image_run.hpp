#pragma once

#include <spool/spool.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "command/job_report.hpp"
#include "options.hpp"
#include "output_tree.hpp"
#include "thumbnail.hpp"

namespace thumbnails {

// What was done so far; read for the progress line and at the end, so relaxed order will do.
struct tally {
  std::atomic<std::uint64_t> made{0};
  std::atomic<std::uint64_t> failed{0};
  std::atomic<std::uint64_t> in_flight{0};
  std::atomic<std::uint64_t> bytes_in{0};
  std::atomic<std::uint64_t> bytes_out{0};
};

// One image from file to file, for any number of fibers at a time:
//
//   read (blocking) --> processors: decode, scale, encode --> write (blocking)
//
// Memory is taken from two budgets, each in one piece per image and in this order: for the file as long as the fiber
// holds it, and for a decoder that needs the whole image as long as it works. Whoever holds a part of the second has a
// worker and asks for nothing more, so nobody waits in a circle.
class image_run {
 public:
  static constexpr std::size_t file_budget_bytes = 128 * 1024 * 1024;
  static constexpr std::size_t decoder_budget_bytes = 512 * 1024 * 1024;

  image_run(spool::worker_pool& processors, const output_tree& out, const options& chosen, tally& counts);

  // An empty report when ctx is done; a temporary file is gone then, and a whole one stays.
  command::job_report make(const spool::context& ctx, const std::string& path, const std::string& relative);

 private:
  std::optional<thumbnail> shrink(const spool::context& ctx, const std::string& path);

  spool::worker_pool& processors_;
  const output_tree& out_;
  std::uint32_t longest_side_;
  tally& counts_;
  spool::semaphore file_bytes_{file_budget_bytes};
  spool::semaphore decoder_bytes_{decoder_budget_bytes};
};

}  // namespace thumbnails
