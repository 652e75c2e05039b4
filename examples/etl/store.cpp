#include "store.hpp"

#include "postgres_store.hpp"
#include "sqlite_store.hpp"

namespace etl {

bool is_postgres_url(const std::string& database) {
  return database.starts_with("postgresql://") || database.starts_with("postgres://");
}

spool::result<std::unique_ptr<store>> open_store(const spool::context& ctx, const std::string& database) {
  return is_postgres_url(database) ? postgres_store::open(ctx, database) : sqlite_store::open(ctx, database);
}

positions last_positions(const record_batch& batch) {
  positions last;
  const input* latest = nullptr;
  position* end = nullptr;
  for (const record& r : batch) {
    if (!r.where.from->has_position) continue;
    if (r.where.from != latest) end = &last[(latest = r.where.from)->name];
    *end = r.where.end;
  }
  return last;
}

}  // namespace etl
