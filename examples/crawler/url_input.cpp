#include "url_input.hpp"

#include <string_view>

#include "line_input.hpp"

namespace crawler {
namespace {

constexpr std::string_view blanks = " \t\r\n";

spool::error feed_lines(const spool::context& ctx, int fd, const spool::sender<std::string>& to) {
  line_input lines(fd);
  for (;;) {
    auto line = lines.next(ctx);
    if (!line) return line.error();
    if (!*line) return {};
    const std::size_t first = (*line)->find_first_not_of(blanks);
    if (first == std::string::npos || (**line)[first] == '#') continue;
    if (const auto status = to.send(ctx, std::move(**line)); status != spool::channel_status::ok) return status;
  }
}

}  // namespace

spool::error feed_urls(const spool::context& ctx, const std::vector<std::string>& words, int standard_input,
                       const spool::sender<std::string>& to) {
  for (const std::string& word : words) {
    if (word == "-") {
      if (spool::error ended = feed_lines(ctx, standard_input, to)) return ended;
    } else if (const auto status = to.send(ctx, std::string(word)); status != spool::channel_status::ok) {
      return status;
    }
  }
  return {};
}

}  // namespace crawler
