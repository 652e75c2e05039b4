#pragma once

#include <memory>
#include <string>

#include "database/sqlite.hpp"
#include "store.hpp"

namespace etl {

class sqlite_store final : public store {
 public:
  static spool::result<std::unique_ptr<store>> open(const spool::context& ctx, const std::string& path);

  spool::result<positions> load_positions(const spool::context& ctx) override;
  spool::result<written> write(const spool::context& ctx, const record_batch& batch) override;

 private:
  sqlite_store(db::sqlite connection, db::sqlite::statement event, db::sqlite::statement reject,
               db::sqlite::statement position);

  // These block the thread.
  static spool::result<std::unique_ptr<store>> open_now(const std::string& path);
  spool::result<positions> load_now();
  spool::result<written> write_now(const record_batch& batch);
  spool::error insert(const record& r, const event& e);
  spool::error insert(const record& r, const rejection& refused);

  db::sqlite connection_;
  db::sqlite::statement insert_event_;
  db::sqlite::statement insert_reject_;
  db::sqlite::statement move_position_;
};

}  // namespace etl
