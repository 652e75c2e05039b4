#include "postgres_store.hpp"

#include <cstddef>
#include <cstdint>
#include <utility>
#include <variant>
#include <vector>

namespace etl {
namespace {

// Two programs may make the tables at the same time, which "if not exists" alone does not allow.
constexpr const char* schema = R"(
select pg_advisory_xact_lock(hashtext('spool etl'));
create table if not exists events (
  id text primary key,
  customer text not null,
  country text not null,
  amount bigint not null,
  region text,
  tier text,
  price bigint,
  degraded text not null,
  source text not null,
  line bigint not null
);
create table if not exists rejects (
  source text not null,
  line bigint not null,
  reason text not null,
  primary key (source, line)
);
create table if not exists positions (
  source text primary key,
  bytes bigint not null,
  lines bigint not null
))";

constexpr const char* insert_event_sql =
    "insert into events (id, customer, country, amount, region, tier, price, degraded, source, line) "
    "values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) on conflict do nothing";
constexpr const char* insert_reject_sql =
    "insert into rejects (source, line, reason) values ($1, $2, $3) "
    "on conflict (source, line) do update set reason = excluded.reason";
constexpr const char* move_position_sql =
    "insert into positions (source, bytes, lines) values ($1, $2, $3) on conflict (source) do update "
    "set bytes = excluded.bytes, lines = excluded.lines where excluded.bytes > positions.bytes";

db::parameter to_parameter(const field_value& value) {
  if (const auto* text = std::get_if<std::string>(&value)) return *text;
  if (const auto* number = std::get_if<std::int64_t>(&value)) return *number;
  return nullptr;
}

std::int64_t number(std::uint64_t value) { return static_cast<std::int64_t>(value); }

// `degraded` is what it says of r, and stays as long as the command.
db::postgres::command insert(const record& r, const event& e, const std::string& degraded) {
  db::postgres::command c{insert_event_sql, {e.id, e.customer, e.country, e.amount}};
  for (const field_value& value : r.values) c.parameters.push_back(to_parameter(value));
  c.parameters.insert(c.parameters.end(), {degraded, r.where.from->name, number(r.where.line)});
  return c;
}

db::postgres::command insert(const record& r, const rejection& refused, const std::string&) {
  return {insert_reject_sql, {r.where.from->name, number(r.where.line), refused.why}};
}

}  // namespace

spool::result<std::unique_ptr<store>> postgres_store::open(const spool::context& ctx, const std::string& url) {
  std::unique_ptr<postgres_store> made(new postgres_store(url));
  auto connection = made->connections_.acquire(ctx);
  if (!connection) return connection.error();
  if (spool::error failed = (*connection)->exec(ctx, schema)) return failed;
  return std::unique_ptr<store>(std::move(made));
}

spool::result<positions> postgres_store::load_positions(const spool::context& ctx) {
  auto connection = connections_.acquire(ctx);
  if (!connection) return connection.error();
  const auto all = (*connection)->query(ctx, "select source, bytes, lines from positions");
  if (!all) return all.error();
  positions found;
  for (std::size_t i = 0; i < all->size(); ++i) {
    found.emplace(all->text(i, 0), position{static_cast<std::uint64_t>(all->integer(i, 1)),
                                            static_cast<std::uint64_t>(all->integer(i, 2))});
  }
  return found;
}

spool::result<written> postgres_store::write(const spool::context& ctx, const record_batch& batch) {
  auto connection = connections_.acquire(ctx);
  if (!connection) return connection.error();
  std::vector<std::string> degraded;
  degraded.reserve(batch.size());
  std::vector<db::postgres::command> commands;
  for (const record& r : batch) {
    degraded.push_back(degraded_services(r));
    if (r.unfinished) continue;
    commands.push_back(std::visit([&](const auto& what) { return insert(r, what, degraded.back()); }, r.what));
  }
  const positions ends = last_positions(batch);
  for (const auto& [source, end] : ends) {
    commands.push_back({move_position_sql, {source, number(end.bytes), number(end.lines)}});
  }
  const auto results = (*connection)->batch(ctx, commands);
  if (!results) return results.error();
  written counts;
  std::size_t next = 0;
  for (const record& r : batch) {
    if (r.unfinished) continue;
    const std::int64_t affected = (*results)[next++].affected();
    if (std::holds_alternative<event>(r.what)) counts.rows += static_cast<std::uint64_t>(affected);
  }
  return counts;
}

}  // namespace etl
