#include "line_input.hpp"

#include <system_error>
#include <utility>

namespace crawler {
namespace {

constexpr std::size_t chunk_bytes = 64 * 1024;
constexpr std::size_t longest_line_bytes = 64 * 1024;

}  // namespace

spool::result<std::optional<std::string>> line_input::next(const spool::context& ctx) {
  for (std::size_t searched = taken_;;) {
    const std::size_t end = buffer_.find('\n', searched);
    if (end != buffer_.npos || (at_end_ && taken_ < buffer_.size())) {
      std::string line = buffer_.substr(taken_, end == buffer_.npos ? end : end - taken_);
      taken_ = end == buffer_.npos ? buffer_.size() : end + 1;
      return std::optional(std::move(line));
    }
    if (at_end_) return std::optional<std::string>();
    buffer_.erase(0, std::exchange(taken_, 0));
    searched = buffer_.size();
    if (searched > longest_line_bytes) {
      return spool::error(std::make_error_code(std::errc::message_size), "standard input: a line of more than 64 KiB");
    }
    if (spool::error failed = input_.read(ctx, buffer_, chunk_bytes)) return failed;
    at_end_ = buffer_.size() == searched;
  }
}

}  // namespace crawler
