#pragma once

#include <cstdint>
#include <string>

#include "command/read_options.hpp"
#include "load/load_generator.hpp"

namespace orders {

struct options {
  enum class role { both, serve, connect };
  role part = role::both;
  std::uint16_t port = 0;     // serve; 0: one that is free
  std::string host, to_port;  // connect
  load_options load;          // its symbols are the exchange's, too
};

using command::parse_result;

// `bad` puts the reason into `complaint`.
parse_result parse(int argc, char** argv, options& into, std::string& complaint);

const char* usage() noexcept;

}  // namespace orders
