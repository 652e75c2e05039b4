#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <optional>
#include <string>

#include "command/read_options.hpp"
#include "fields.hpp"
#include "http/url.hpp"

namespace etl {

struct options {
  std::string input;
  std::string database = "etl.db";
  std::size_t workers = 16;
  std::size_t batch = 500;
  std::chrono::milliseconds batch_wait{50};
  std::chrono::milliseconds timeout{1000};
  std::optional<std::array<http::url, field_count>> services;  // none: our own
  unsigned unreliable_percent = 0;
  std::chrono::milliseconds latency{0};
  std::array<bool, field_count> dead{};
};

using command::parse_result;

// `bad` puts the reason into `complaint`.
parse_result parse(int argc, char** argv, options& into, std::string& complaint);

const char* usage() noexcept;

}  // namespace etl
