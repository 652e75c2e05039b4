// Scenario: a command that has to be as fast as the machine lets it and as tidy as a shell tool: SHA-256 of
// every file of a tree, hashed in parallel, printed in order, stopped by Ctrl-C at any moment.

#include <cstdio>
#include <optional>
#include <spool/spool.hpp>
#include <string>
#include <system_error>

#include "command/exit_status.hpp"
#include "command/run_main.hpp"
#include "command/tree_walk.hpp"
#include "digest.hpp"
#include "escape.hpp"
#include "options.hpp"

namespace {

using namespace digest_tree;
using command::tree_walk;
namespace exit_status = command::exit_status;

std::optional<tree_walk> open_tree(const std::string& root) {
  try {
    return std::optional<tree_walk>(std::in_place, root);
  } catch (const std::system_error& failure) {
    std::string line;
    append_complaint(line, root, failure.code().value());
    std::fputs(line.c_str(), stderr);
    return std::nullopt;
  }
}

int run(const options& chosen) {
  auto walk = open_tree(chosen.root);
  if (!walk) {
    return exit_status::bad_usage;
  }
  spool::runtime runtime({.name = "digest_tree"});
  return runtime.run([&] { return digest(*walk, chosen); });
}

}  // namespace

int main(int argc, char** argv) {
  return command::run_main("digest_tree", argc, argv, digest_tree::parse, digest_tree::usage, run);
}
