#pragma once

#include "ledger.hpp"

#include "database/postgres_pool.hpp"

#include <spool/spool.hpp>

#include <atomic>
#include <memory>
#include <optional>
#include <string>

namespace payments {

// One statement per payment, each its own transaction; the server gathers the commits of several connections. A server
// that is down costs nobody any waiting: after a few failures the breaker answers, and lets a probe through every
// second.
class postgres_ledger final : public ledger {
 public:
  postgres_ledger(const std::string& url, std::size_t connections);

  /// Connects, and makes the table if it is not there. An error need not be the end: later calls try again.
  spool::error prepare(const spool::context& ctx);

  spool::result<verdict> record(const spool::context& ctx, const entry& e) override;
  spool::result<std::optional<payment>> find(const spool::context& ctx, const std::string& id) override;

 private:
  spool::result<db::postgres_pool::handle> connection(const spool::context& ctx);

  db::postgres_pool connections_;
  spool::circuit_breaker breaker_;
  spool::mutex preparing_;
  std::atomic<bool> prepared_{false};
};

}  // namespace payments
