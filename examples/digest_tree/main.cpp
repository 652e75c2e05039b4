// Scenario: a command that has to be as fast as the machine lets it and as tidy as a shell tool: SHA-256 of
// every file of a tree, hashed in parallel, printed in order, stopped by Ctrl-C at any moment.

#include <csignal>
#include <cstdio>
#include <exception>
#include <optional>
#include <spool/spool.hpp>
#include <string>
#include <system_error>

#include "command/exit_status.hpp"
#include "command/standard_descriptors.hpp"
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

int run(int argc, char** argv) {
  options chosen;
  std::string complaint;
  const parse_result parsed = parse(argc, argv, chosen, complaint);
  if (const auto status = command::status_without_running(parsed, "digest_tree", complaint, usage())) return *status;
  auto walk = open_tree(chosen.root);
  if (!walk) {
    return exit_status::bad_usage;
  }
  spool::runtime runtime({.name = "digest_tree"});
  return runtime.run([&] { return digest(*walk, chosen); });
}

}  // namespace

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);  // a reader that goes away is an error of write(2), which ends us in order
  command::occupy_standard_descriptors();
  try {
    return run(argc, argv);
  } catch (const std::exception& failure) {
    std::fprintf(stderr, "digest_tree: %s\n", failure.what());
    return exit_status::some_failed;
  }
}
