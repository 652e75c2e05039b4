#include "sqlite_store.hpp"

#include <cstddef>
#include <cstdint>
#include <utility>
#include <variant>

namespace etl {
namespace {

constexpr const char* schema = R"(
create table if not exists events (
  id text primary key,
  customer text not null,
  country text not null,
  amount integer not null,
  region text,
  tier text,
  price integer,
  degraded text not null,  -- the services that gave no answer: 'geo,price'
  source text not null,
  line integer not null
) strict, without rowid;
create table if not exists rejects (
  source text not null,
  line integer not null,
  reason text not null,
  primary key (source, line)
) strict, without rowid;
create table if not exists positions (
  source text primary key,
  bytes integer not null,
  lines integer not null
) strict, without rowid)";

constexpr const char* insert_event_sql =
    "insert into events (id, customer, country, amount, region, tier, price, degraded, source, line) "
    "values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) on conflict do nothing";
constexpr const char* insert_reject_sql =
    "insert into rejects (source, line, reason) values (?, ?, ?) "
    "on conflict do update set reason = excluded.reason";
constexpr const char* move_position_sql =
    "insert into positions (source, bytes, lines) values (?, ?, ?) "
    "on conflict do update set bytes = excluded.bytes, lines = excluded.lines where excluded.bytes > bytes";

void bind(db::sqlite::statement& into, int parameter, const field_value& value) {
  if (const auto* text = std::get_if<std::string>(&value)) into.bind(parameter, *text);
  if (const auto* number = std::get_if<std::int64_t>(&value)) into.bind(parameter, *number);
  if (std::holds_alternative<std::monostate>(value)) into.bind_null(parameter);
}

}  // namespace

sqlite_store::sqlite_store(db::sqlite connection, db::sqlite::statement event, db::sqlite::statement reject,
                           db::sqlite::statement position)
    : connection_(std::move(connection)),
      insert_event_(std::move(event)),
      insert_reject_(std::move(reject)),
      move_position_(std::move(position)) {}

spool::result<std::unique_ptr<store>> sqlite_store::open(const spool::context& ctx, const std::string& path) {
  auto opened = spool::blocking(ctx, [&] { return open_now(path); });
  if (!opened) return opened.error();
  return *std::move(opened);
}

spool::result<positions> sqlite_store::load_positions(const spool::context& ctx) {
  auto loaded = spool::blocking(ctx, [&] { return load_now(); });
  if (!loaded) return loaded.error();
  return *std::move(loaded);
}

spool::result<written> sqlite_store::write(const spool::context& ctx, const record_batch& batch) {
  auto wrote = spool::blocking(ctx, [&] { return write_now(batch); });
  if (!wrote) return wrote.error();
  return *std::move(wrote);
}

spool::result<std::unique_ptr<store>> sqlite_store::open_now(const std::string& path) {
  auto connection = db::sqlite::open(path);
  if (!connection) return connection.error();
  if (spool::error failed = connection->durable()) return failed;
  if (spool::error failed = connection->exec(schema)) return failed;
  auto event = connection->prepare(insert_event_sql);
  if (!event) return event.error();
  auto reject = connection->prepare(insert_reject_sql);
  if (!reject) return reject.error();
  auto position = connection->prepare(move_position_sql);
  if (!position) return position.error();
  return std::unique_ptr<store>(
      new sqlite_store(std::move(*connection), std::move(*event), std::move(*reject), std::move(*position)));
}

spool::result<positions> sqlite_store::load_now() {
  auto all = connection_.prepare("select source, bytes, lines from positions");
  if (!all) return all.error();
  for (positions found;;) {
    const spool::result<bool> row = all->step();
    if (!row) return row.error();
    if (!*row) return found;
    found.emplace(all->text(0),
                  position{static_cast<std::uint64_t>(all->integer(1)), static_cast<std::uint64_t>(all->integer(2))});
  }
}

spool::result<written> sqlite_store::write_now(const record_batch& batch) {
  auto transaction = connection_.begin();
  if (!transaction) return transaction.error();
  written counts;
  for (const record& r : batch) {
    if (r.unfinished) continue;
    if (spool::error failed = std::visit([&](const auto& what) { return insert(r, what); }, r.what)) return failed;
    if (std::holds_alternative<event>(r.what)) counts.rows += static_cast<std::uint64_t>(connection_.changes());
  }
  for (const auto& [source, end] : last_positions(batch)) {
    move_position_.bind(1, source).bind(2, end.bytes).bind(3, end.lines);
    if (spool::error failed = move_position_.run()) return failed;
  }
  if (spool::error failed = transaction->commit()) return failed;
  return counts;
}

spool::error sqlite_store::insert(const record& r, const event& e) {
  insert_event_.bind(1, e.id).bind(2, e.customer).bind(3, e.country).bind(4, e.amount);
  for (std::size_t i = 0; i < field_count; ++i) bind(insert_event_, static_cast<int>(5 + i), r.values[i]);
  insert_event_.bind(8, degraded_services(r)).bind(9, r.where.from->name).bind(10, r.where.line);
  return insert_event_.run();
}

spool::error sqlite_store::insert(const record& r, const rejection& refused) {
  return insert_reject_.bind(1, r.where.from->name).bind(2, r.where.line).bind(3, refused.why).run();
}

}  // namespace etl
