#pragma once

#include <chrono>
#include <cstdint>
#include <spool/spool.hpp>
#include <string>

#include "http/server.hpp"
#include "site.hpp"

namespace crawler {

// A site on a loopback port, served from here on until this is destroyed.
class service {
 public:
  // Every answer takes at least `delay`. std::system_error: no such directory, or no such port to be had.
  service(const std::string& directory, std::uint16_t port, std::chrono::milliseconds delay);
  ~service();
  service(const service&) = delete;
  service& operator=(const service&) = delete;

  std::string url() const;

 private:
  http::response answer(const spool::context& ctx, const http::request& asked) const;

  const site site_;
  const std::chrono::milliseconds delay_;
  http::server server_;
  spool::errgroup serving_;
};

}  // namespace crawler
