// The fibers that are alive, for leak_check.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace spool::detail {

class scheduler;

struct live_fibers {
  struct entry {
    std::uint64_t id;
    std::string description;
  };
  std::vector<entry> begun;  // without the calling fiber
  std::size_t not_begun = 0;
};

/// Of `s`; of all runtimes if that is null. A snapshot.
live_fibers look_for_fibers(scheduler* s);

}  // namespace spool::detail
