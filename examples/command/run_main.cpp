#include "run_main.hpp"

#include <boost/system/system_error.hpp>
#include <csignal>
#include <cstdio>
#include <exception>

#include "exit_status.hpp"
#include "standard_descriptors.hpp"

namespace command {

int guarded(const char* program, const std::function<int()>& run) {
  std::signal(SIGPIPE, SIG_IGN);
  occupy_standard_descriptors();
  try {
    return run();
  } catch (const boost::system::system_error& failure) {  // whose what() tells of Asio's source files
    std::fprintf(stderr, "%s: %s\n", program, failure.code().message().c_str());
  } catch (const std::exception& failure) {
    std::fprintf(stderr, "%s: %s\n", program, failure.what());
  }
  return exit_status::some_failed;
}

}  // namespace command
