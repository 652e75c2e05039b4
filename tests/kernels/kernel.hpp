// A bug that Go programs really had, brought down to its kernel: program and repair. The names are those of the GoKer
// collection (project_number); the programs are written anew from the descriptions of the bugs.
#pragma once

#include <spool/spool.hpp>

#include <support/sanitized.hpp>

#include <memory>
#include <mutex>
#include <span>

namespace kernels {

using namespace spool;
using namespace std::chrono_literals;

struct kernel {
  const char* name;
  const char* kind;
  /// The main fiber's function. The program with the bug comes to it each time; `fixed`, never, and it ends.
  void (*play)(bool fixed);
};

std::span<const kernel> locks();
std::span<const kernel> channels();
std::span<const kernel> mixed();

/// Long enough for fibers that are ready to come to their next wait.
inline void settle() { this_fiber::sleep_for(spool_test::thread_sanitized ? 500ms : 20ms); }

}  // namespace kernels
