#include "image_run.hpp"

#include <exception>
#include <new>
#include <string_view>
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

// Why an image failed, by errno or in words.
command::job_report failed(tally& counts, const std::string& path, const auto& why) {
  counts.failed.fetch_add(1, std::memory_order_relaxed);
  command::job_report report;
  command::append_complaint(report.complaints, "thumbnails", path, why);
  return report;
}

}  // namespace

image_run::image_run(spool::worker_pool& processors, const output_tree& out, const options& chosen, tally& counts)
    : processors_(processors),
      out_(out),
      longest_side_(static_cast<std::uint32_t>(chosen.longest_side)),
      counts_(counts) {}

command::job_report image_run::make(const spool::context& ctx, const std::string& path, const std::string& relative) {
  const counted in_flight(counts_.in_flight);
  input_file source;
  if (const int why = spool::blocking([&] { return source.open(path); })) {
    return failed(counts_, path, why);
  }
  if (source.size_bytes() > file_budget_bytes) {
    return failed(counts_, path, std::string_view("larger than 128 MiB"));
  }
  share file_share(file_bytes_);
  if (!file_share.take(ctx, source.size_bytes())) {
    return {};
  }
  std::string file;
  if (const int why = spool::blocking([&] { return source.read(file, [&] { return !ctx.done(); }); })) {
    return why == input_file::gave_up ? command::job_report{} : failed(counts_, path, why);
  }

  // The job refers to our locals: we wait for it whatever happens, it ends soon when ctx is done.
  thumbnail made;
  try {
    auto done = processors_.submit(ctx, [&](const spool::context& job_ctx) {
      fiber_work policy(job_ctx, decoder_bytes_);
      made = make_thumbnail(file, longest_side_, policy);
    });
    if (!done) {
      return {};
    }
    done->get();
  } catch (const image_error& why) {
    return failed(counts_, path, std::string_view(why.what()));
  } catch (const std::bad_alloc&) {
    return failed(counts_, path, std::string_view("not enough memory"));
  } catch (const std::exception&) {
    if (ctx.done()) {  // the job expired in the queue
      return {};
    }
    throw;
  }
  if (ctx.done() || made.file.empty()) {
    return {};
  }

  const std::string target = out_.path_of(relative);
  if (const int why = spool::blocking([&] { return write_whole(target, made.file); })) {
    return failed(counts_, target, why);
  }
  counts_.made.fetch_add(1, std::memory_order_relaxed);
  counts_.bytes_in.fetch_add(file.size(), std::memory_order_relaxed);
  counts_.bytes_out.fetch_add(made.file.size(), std::memory_order_relaxed);
  command::job_report report;
  append_manifest_line(report.lines, relative, made.original, made.size);
  return report;
}

}  // namespace thumbnails
