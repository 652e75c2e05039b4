#pragma once

#include <cstdint>
#include <memory>
#include <spool/spool.hpp>
#include <string>

#include "position.hpp"
#include "record.hpp"

namespace etl {

struct written {
  std::uint64_t rows = 0;  // the other events of the batch were there already, by their ids
};

// Where rows, rejected lines and positions are kept. Used by one fiber at a time.
class store {
 public:
  store() = default;
  virtual ~store() = default;
  store(const store&) = delete;
  store& operator=(const store&) = delete;

  virtual spool::result<positions> load_positions(const spool::context& ctx) = 0;

  // Writes the rows, the rejected lines and how far each input has been read, in one transaction: that is what makes it
  // exactly once. After an error it may be called again with the same batch, whatever the first call has achieved.
  virtual spool::result<written> write(const spool::context& ctx, const record_batch& batch) = 0;
};

// `database` is a file for SQLite, made if it is not there, or a URL of a PostgreSQL server. Makes the tables.
spool::result<std::unique_ptr<store>> open_store(const spool::context& ctx, const std::string& database);

bool is_postgres_url(const std::string& database);

// The last position of each input of the batch.
positions last_positions(const record_batch& batch);

}  // namespace etl
