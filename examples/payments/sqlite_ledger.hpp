#pragma once

#include "ledger.hpp"

#include "database/sqlite.hpp"

#include <spool/spool.hpp>

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace payments {

// SQLite has one writer at a time, and what a commit costs is the wait for the disk. So one thread writes: it takes all
// entries that wait and commits them in one transaction, while the next ones gather. The more there are, the cheaper
// is each. It is a helper thread for its whole life: channels and latches work there as they do on fibers.
class sqlite_ledger final : public ledger {
 public:
  static spool::result<std::unique_ptr<ledger>> open(const std::string& path);
  ~sqlite_ledger() override;

  spool::result<verdict> record(const spool::context& ctx, const entry& e) override;
  spool::result<std::optional<payment>> find(const spool::context& ctx, const std::string& id) override;

 private:
  // In the frame of record(), which waits for `done`.
  struct order {
    const spool::context& ctx;
    const entry& what;
    spool::result<verdict> outcome = spool::error(spool::errc::abandoned);
    spool::latch done{1};
  };
  using batch = std::vector<order*>;

  struct writer {
    db::sqlite connection;
    db::sqlite::statement insert;
    db::sqlite::statement find_key;

    static spool::result<writer> open(const std::string& path);
    spool::error commit(batch& orders);
    spool::result<verdict> record(const entry& e);
  };
  struct reader {
    db::sqlite connection;
    db::sqlite::statement find_id;

    static spool::result<reader> open(const std::string& path);
    spool::result<std::optional<payment>> find(const std::string& id);
  };

  sqlite_ledger(writer w, const std::string& path);
  void write_batches();

  writer writer_;  // the writing thread's
  spool::channel<order*> orders_;
  spool::resource_pool<reader> readers_;
  spool::wait_group writing_;
};

}  // namespace payments
