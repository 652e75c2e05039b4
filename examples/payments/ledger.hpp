#pragma once

#include "payment.hpp"

#include <spool/spool.hpp>

#include <cstddef>
#include <memory>
#include <optional>
#include <string>

namespace payments {

enum class verdict {
  recorded,  // it is in the ledger now, on disk
  repeated,  // it was already: the same payment with the same key
  key_used,  // another payment has this key
  id_taken,  // a payment with this id is there under another key
};

// Where payments are kept: one row of the table `payments` for each. Thread safe.
class ledger {
 public:
  ledger() = default;
  virtual ~ledger() = default;
  ledger(const ledger&) = delete;
  ledger& operator=(const ledger&) = delete;

  /// Waits until what it says is on disk. An error: it may have been recorded or not; the same call again finds out.
  virtual spool::result<verdict> record(const spool::context& ctx, const entry& e) = 0;
  virtual spool::result<std::optional<payment>> find(const spool::context& ctx, const std::string& id) = 0;
};

// `database` is a file for SQLite, made if it is not there, or a URL of a PostgreSQL server, which need not be up yet.
// `writers` payments are recorded at a time.
spool::result<std::unique_ptr<ledger>> open_ledger(const std::string& database, std::size_t writers);

}  // namespace payments
