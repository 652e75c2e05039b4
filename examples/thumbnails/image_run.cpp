#include "image_run.hpp"

#include <cerrno>
#include <exception>
#include <new>
#include <string_view>
#include <system_error>
#include <utility>

#include "command/complaint.hpp"
#include "file_io.hpp"
#include "manifest.hpp"

namespace thumbnails {
namespace {

// Units of a budget, given back at the end of the scope.
class share {
 public:
  explicit share(spool::semaphore& budget) : budget_(budget) {}
  ~share() { budget_.release(units_); }
  share(const share&) = delete;
  share& operator=(const share&) = delete;

  // False: ctx is done.
  bool take(const spool::context& ctx, std::size_t bytes) {
    const auto units = static_cast<std::ptrdiff_t>(bytes);
    if (budget_.acquire(ctx, units)) {
      return false;
    }
    units_ += units;
    return true;
  }

 private:
  spool::semaphore& budget_;
  std::ptrdiff_t units_ = 0;
};

class fiber_work final : public work_policy {
 public:
  fiber_work(const spool::context& ctx, spool::semaphore& budget) : ctx_(ctx), held_(budget) {}

  bool take_memory(std::size_t bytes) override {
    if (bytes > image_run::decoder_budget_bytes) {
      throw image_error("too large for an image that cannot be decoded row by row");
    }
    return held_.take(ctx_, bytes);
  }
  bool go_on() override { return !ctx_.done(); }

 private:
  const spool::context& ctx_;
  share held_;
};

class counted {
 public:
  explicit counted(std::atomic<std::uint64_t>& number) : number_(number) {
    number_.fetch_add(1, std::memory_order_relaxed);
  }
  ~counted() { number_.fetch_sub(1, std::memory_order_relaxed); }
  counted(const counted&) = delete;
  counted& operator=(const counted&) = delete;

 private:
  std::atomic<std::uint64_t>& number_;
};

void require_io(int error_number) {
  if (error_number != 0) {
    throw image_error(std::generic_category().message(error_number));
  }
}

}  // namespace

image_run::image_run(spool::worker_pool& processors, const output_tree& out, const options& chosen, tally& counts)
    : processors_(processors),
      out_(out),
      longest_side_(static_cast<std::uint32_t>(chosen.longest_side)),
      counts_(counts) {}

command::job_report image_run::make(const spool::context& ctx, const std::string& path, const std::string& relative) {
  const counted in_flight(counts_.in_flight);
  command::job_report report;
  try {
    const auto made = shrink(ctx, path);
    if (made && !ctx.done()) {
      const std::string target = out_.path_of(relative);
      if (const int failure = spool::blocking([&] { return write_whole(target, made->file); })) {
        throw image_error("cannot write " + target + ": " + std::generic_category().message(failure));
      }
      counts_.made.fetch_add(1, std::memory_order_relaxed);
      counts_.bytes_out.fetch_add(made->file.size(), std::memory_order_relaxed);
      append_manifest_line(report.lines, relative, made->original, made->size);
    }
    return report;
  } catch (const image_error& why) {
    command::append_complaint(report.complaints, "thumbnails", path, std::string_view(why.what()));
  } catch (const std::bad_alloc&) {
    command::append_complaint(report.complaints, "thumbnails", path, ENOMEM);
  }
  counts_.failed.fetch_add(1, std::memory_order_relaxed);
  return report;
}

// Nothing: ctx is done. The file's bytes, and their share of the memory, go before the thumbnail is written.
std::optional<thumbnail> image_run::shrink(const spool::context& ctx, const std::string& path) {
  std::size_t bytes = 0;
  require_io(spool::blocking([&] { return find_size(path, bytes); }));
  if (bytes > file_budget_bytes) {
    throw image_error("larger than 128 MiB");
  }
  share file_share(file_bytes_);
  if (!file_share.take(ctx, bytes)) {
    return std::nullopt;
  }
  std::string file;
  const int failure = spool::blocking([&] { return read_whole(path, bytes, file, [&] { return !ctx.done(); }); });
  if (failure == gave_up) {
    return std::nullopt;
  }
  require_io(failure);

  // The job refers to our locals; we wait for it whatever happens, and it ends soon when ctx is done.
  auto working = processors_.submit(ctx, [&](const spool::context& job_ctx) {
    fiber_work policy(job_ctx, decoder_bytes_);
    return make_thumbnail(file, longest_side_, policy);
  });
  if (!working) {
    return std::nullopt;
  }
  try {
    thumbnail made = working->get();
    counts_.bytes_in.fetch_add(bytes, std::memory_order_relaxed);
    return made;
  } catch (const std::exception&) {
    if (ctx.done()) {  // the job expired in the queue
      return std::nullopt;
    }
    throw;
  }
}

}  // namespace thumbnails
