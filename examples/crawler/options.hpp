#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "command/read_options.hpp"

namespace crawler {

inline constexpr std::size_t unlimited = std::numeric_limits<std::size_t>::max();

struct options {
  std::vector<std::string> urls;  // none: crawl the served directory; "-": lines of standard input
  std::size_t concurrency = 16;
  std::size_t per_host_rate = 0;  // 0: no limit
  std::chrono::milliseconds timeout{10'000};
  std::size_t depth = unlimited;  // links away from where it starts; with URLs, 0 unless given
  std::size_t limit = unlimited;  // pages
  std::string directory = "/usr/share/doc";
  bool serve_only = false;
  std::uint16_t port = 0;  // 0: any free one
  std::chrono::milliseconds delay{0};
};

using command::parse_result;

// `bad` puts the reason into `complaint`.
parse_result parse(int argc, char** argv, options& into, std::string& complaint);

const char* usage() noexcept;

}  // namespace crawler
