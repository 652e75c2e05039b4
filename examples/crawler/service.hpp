#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <spool/spool.hpp>
#include <string>

#include "http/server.hpp"
#include "site.hpp"

namespace crawler {

// A site on a loopback port, served from here on until this is destroyed.
class service {
 public:
  // Every answer takes at least `delay`. std::system_error: no such directory. boost::system::system_error: the port
  // cannot be had.
  service(const std::string& directory, std::uint16_t port, std::chrono::milliseconds delay);
  ~service();
  service(const service&) = delete;
  service& operator=(const service&) = delete;

  std::string url() const;

 private:
  http::response answer(const spool::context& ctx, const http::request& asked);

  // Files that are read at a time, on as many helper threads: more of them read no faster.
  static constexpr std::ptrdiff_t most_reads = 16;

  const site site_;
  spool::semaphore reads_{most_reads};
  const std::chrono::milliseconds delay_;
  http::server server_;
  spool::errgroup serving_;
};

}  // namespace crawler
