#pragma once

#include <memory>
#include <string>

#include "database/postgres_pool.hpp"
#include "store.hpp"

namespace etl {

class postgres_store final : public store {
 public:
  static spool::result<std::unique_ptr<store>> open(const spool::context& ctx, const std::string& url);

  spool::result<positions> load_positions(const spool::context& ctx) override;
  spool::result<written> write(const spool::context& ctx, const record_batch& batch) override;

 private:
  explicit postgres_store(const std::string& url) : connections_(1, url) {}

  db::postgres_pool connections_;  // one, which is replaced when it breaks
};

}  // namespace etl
