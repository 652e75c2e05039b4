#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>

#include "command/read_options.hpp"

namespace payments {

struct options {
  std::uint16_t port = 8080;  // 0: any free one
  std::size_t workers = 256;  // they wait for commits: the more, the larger a group
  std::size_t queue = 1000;
  std::string database = "payments.db";
  std::chrono::milliseconds request_timeout{10'000};
  std::chrono::seconds drain_for{10};
};

using command::parse_result;

// `bad` puts the reason into `complaint`.
parse_result parse(int argc, char** argv, options& into, std::string& complaint);

const char* usage() noexcept;

}  // namespace payments
