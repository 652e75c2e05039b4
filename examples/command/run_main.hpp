#pragma once

#include <functional>
#include <string>

#include "read_options.hpp"

namespace command {

// What a main() does around its `run`, whose status it returns: no descriptor that we open becomes standard output, a
// reader that goes away is an error of write(2), and an exception becomes a message and status 1.
int guarded(const char* program, const std::function<int()>& run);

// The same for a program with options: `run` is called with what `parse` has read.
template <class Options>
int run_main(const char* program, int argc, char** argv,
               parse_result (*parse)(int, char**, Options&, std::string&), const char* (*usage)(),
               int (*run)(const Options&)) {
  return guarded(program, [=] {
    Options chosen;
    std::string complaint;
    const parse_result parsed = parse(argc, argv, chosen, complaint);
    if (const auto status = status_without_running(parsed, program, complaint, usage())) return *status;
    return run(chosen);
  });
}

}  // namespace command
