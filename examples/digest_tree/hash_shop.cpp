#include "hash_shop.hpp"

#include <unistd.h>

#include <cerrno>
#include <utility>

#include "escape.hpp"

namespace digest_tree {
namespace {

class fiber_reads final : public read_policy {
 public:
  fiber_reads(const spool::context& ctx, tally& counts) : ctx_(ctx), counts_(counts) {}

  ssize_t read_cold(int fd, void* into, std::size_t bytes) override {
    return spool::blocking([=] {
      const ssize_t got = ::read(fd, into, bytes);
      return got < 0 ? -static_cast<ssize_t>(errno) : got;
    });
  }

  bool advance(std::size_t bytes) override {
    counts_.bytes.fetch_add(bytes, std::memory_order_relaxed);
    return !ctx_.done();
  }

 private:
  const spool::context& ctx_;
  tally& counts_;
};

}  // namespace

command::job_report hash_shop::work(const spool::context& ctx, job& given) {
  counts_.waiting.fetch_sub(given.files.size(), std::memory_order_relaxed);
  command::job_report report{{}, std::move(given.complaints)};
  auto hasher = hashers_.get();
  fiber_reads reads(ctx, counts_);
  given.files.for_each([&](const char* path) {
    const int failure = hasher->digest(path, reads);
    if (failure == file_hasher::gave_up) {
      return false;
    }
    if (failure == 0) {
      append_line(report.lines, hasher->hex(), path);
    } else {
      append_complaint(report.complaints, path, failure);
    }
    counts_.files.fetch_add(1, std::memory_order_relaxed);
    return !ctx.done();
  });
  return report;
}

}  // namespace digest_tree
