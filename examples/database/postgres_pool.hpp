#pragma once

#include "postgres.hpp"

#include <spool/sync/resource_pool.hpp>

#include <cstddef>
#include <string>
#include <utility>

namespace db {

/// At most `max` connections to one server, made on demand and used again; a bulkhead, too: no more than `max` fibers
/// are at the database at a time, further ones wait their turn. Broken connections are replaced, also those that broke
/// while nobody used them, so the pool recovers by itself when the server comes back. Thread safe; for fibers of one
/// runtime, which must outlive it.
class postgres_pool {
  using connections = spool::resource_pool<postgres>;

 public:
  /// A connection on loan. Comes back when destroyed; if it is broken then, or a transaction is open on it, it is
  /// closed.
  class [[nodiscard]] handle {
   public:
    handle(handle&&) noexcept = default;
    handle& operator=(handle&& other) noexcept {
      finish();
      loan_ = std::move(other.loan_);
      return *this;
    }
    ~handle() { finish(); }

    postgres& operator*() const noexcept { return *loan_; }
    postgres* operator->() const noexcept { return loan_.get(); }

   private:
    friend class postgres_pool;
    explicit handle(connections::handle loan) noexcept : loan_(std::move(loan)) {}
    void finish() noexcept {
      if (loan_ && !loan_->reusable()) loan_.discard();
    }

    connections::handle loan_;
  };

  /// Connects to nothing yet. max == 0: std::invalid_argument.
  postgres_pool(std::size_t max, std::string conninfo);

  /// Waits for a free connection, first come, first served, and connects if there is none. The context's error, or
  /// connect's. A server that went away a moment ago may be noticed only by the query that follows.
  [[nodiscard]] spool::result<handle> acquire(const spool::context& ctx);

  /// Connections that nobody uses just now.
  std::size_t idle() const noexcept { return connections_.idle(); }

 private:
  std::string conninfo_;
  connections connections_;
};

}  // namespace db
