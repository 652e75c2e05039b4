#pragma once

#include "ledger.hpp"

#include "http/server.hpp"

#include <spool/spool.hpp>

#include <atomic>
#include <cstdint>
#include <string>

namespace payments {

// What became of the requests to POST /payments.
struct tally {
  std::atomic<std::uint64_t> accepted{0};  // 201: recorded
  std::atomic<std::uint64_t> repeated{0};  // 201: was recorded before
  std::atomic<std::uint64_t> rejected{0};  // 429: the queue was full
  std::atomic<std::uint64_t> refused{0};   // another 4xx
  std::atomic<std::uint64_t> canceled{0};  // the client hung up before it was recorded
  std::atomic<std::uint64_t> failed{0};    // 503
};

// Answers requests. What goes into the ledger goes through the pool, whose queue is the only place where requests wait.
class service {
 public:
  service(ledger& books, spool::worker_pool& pool) : books_(books), pool_(pool) {}

  http::response answer(const spool::context& ctx, const http::request& req);
  const tally& counts() const noexcept { return counts_; }

 private:
  http::response create(const spool::context& ctx, const http::request& req);
  http::response record(const spool::context& ctx, const http::request& req, const entry& e);
  http::response show(const spool::context& ctx, const http::request& req, const std::string& id);
  http::response health(const http::request& req) const;
  http::response refuse(const http::request& req, boost::beast::http::status why, std::string_view what);

  ledger& books_;
  spool::worker_pool& pool_;
  tally counts_;
};

}  // namespace payments
