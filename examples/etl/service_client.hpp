#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <spool/spool.hpp>
#include <string>

#include "answer_cache.hpp"
#include "fields.hpp"
#include "http/client.hpp"
#include "http/url.hpp"

namespace etl {

// Asks one service, through all that stands between us and a dependency that fails, from the outside in: answers that
// are known already; one question at a time about the same thing; retries, with jitter and a budget; a circuit breaker,
// which counts every attempt; a timeout for each attempt. Thread safe.
class service_client {
 public:
  // `client` outlives this.
  service_client(const field& asked, http::url base, http::client& client, std::chrono::milliseconds timeout);

  // What the service says about the event; monostate if that is nothing (404). An error: no answer, or ctx is done.
  spool::result<field_value> find(const spool::context& ctx, const event& e);

  spool::circuit_state state() const { return breaker_.state(); }
  std::uint64_t retries() const noexcept { return retries_; }
  std::uint64_t times_opened() const noexcept { return times_opened_; }

 private:
  spool::result<field_value> fetch(const spool::context& ctx, const std::string& query);
  spool::result<field_value> ask_once(const spool::context& ctx, const std::string& query);

  const field& asked_;
  const http::url base_;
  http::client& client_;
  const std::chrono::milliseconds timeout_;

  answer_cache known_;
  spool::single_flight<std::string, spool::result<field_value>> flights_;
  std::atomic<std::uint64_t> retries_{0};
  std::atomic<std::uint64_t> times_opened_{0};
  spool::retry_budget budget_;
  const spool::retry_options retry_;
  spool::circuit_breaker breaker_;
};

}  // namespace etl
