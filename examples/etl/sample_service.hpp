#pragma once

#include <chrono>
#include <cstdint>
#include <mutex>
#include <random>
#include <spool/spool.hpp>
#include <string>

#include "fields.hpp"
#include "http/server.hpp"

namespace etl {

struct sample_service_options {
  unsigned unreliable_percent = 0;  // of the answers are a 503, no JSON, or do not come
  std::chrono::milliseconds latency{0};
  bool dead = false;  // accepts connections and never answers
};

// A service of our own on a loopback port, served from here on until this is destroyed.
class sample_service {
 public:
  // boost::system::system_error: no port to be had.
  sample_service(const field& asked, sample_service_options options);
  ~sample_service();
  sample_service(const sample_service&) = delete;
  sample_service& operator=(const sample_service&) = delete;

  std::string url() const;

 private:
  enum class mood { answers, refuses, talks_nonsense, is_silent };

  http::response answer(const spool::context& ctx, const http::request& asked);
  mood next_mood();

  const field& asked_;
  const sample_service_options options_;
  spool::mutex mu_;
  std::mt19937 random_{20240607};  // guarded by mu_
  http::server server_;
  spool::errgroup serving_;
};

}  // namespace etl
