#pragma once

#include <functional>
#include <optional>
#include <string>

struct option;  // <getopt.h>

namespace command {

enum class parse_result { run, help, bad };

// Goes through the options of a command line: `known` as getopt_long takes it, 'h' means help. `take` is given the
// option's code, with its value in ::optarg; false: it has put what is wrong into `complaint`. Afterwards ::optind is
// at the first word that is no option.
parse_result read_options(int argc, char** argv, const ::option* known, std::string& complaint,
                          const std::function<bool(int)>& take);

// Says what is to be said instead of running: the usage, or what is wrong and the usage. The exit status; none: run.
std::optional<int> status_without_running(parse_result parsed, const char* program, const std::string& complaint,
                                          const char* usage);

}  // namespace command
