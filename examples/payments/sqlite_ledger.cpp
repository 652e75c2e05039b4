#include "sqlite_ledger.hpp"

#include <utility>

namespace payments {
namespace {

constexpr std::size_t most_in_a_batch = 1024;
constexpr std::size_t most_readers = 4;

constexpr const char* schema =
    "create table if not exists payments ("
    "  id text primary key,"
    "  idempotency_key text not null unique,"
    "  amount integer not null check (amount > 0),"
    "  currency text not null,"
    "  accepted_at integer not null default (unixepoch())"
    ") strict, without rowid";

payment payment_in(const db::sqlite::statement& row) {
  return {std::string(row.text(0)), row.integer(1), std::string(row.text(2))};
}

}  // namespace

spool::result<sqlite_ledger::writer> sqlite_ledger::writer::open(const std::string& path) {
  auto connection = db::sqlite::open(path);
  if (!connection) return connection.error();
  if (spool::error e = connection->durable()) return e;
  if (spool::error e = connection->exec(schema)) return e;
  auto insert = connection->prepare(
      "insert into payments (id, idempotency_key, amount, currency) values (?, ?, ?, ?) on conflict do nothing");
  if (!insert) return insert.error();
  auto find_key = connection->prepare("select id, amount, currency from payments where idempotency_key = ?");
  if (!find_key) return find_key.error();
  return writer{std::move(*connection), std::move(*insert), std::move(*find_key)};
}

spool::result<verdict> sqlite_ledger::writer::record(const entry& e) {
  insert.bind(1, e.what.id).bind(2, e.key).bind(3, e.what.amount).bind(4, e.what.currency);
  if (spool::error failed = insert.run()) return failed;
  if (connection.changes() == 1) return verdict::recorded;
  const spool::result<bool> found = find_key.bind(1, e.key).step();
  if (!found) return found.error();
  if (!*found) return verdict::id_taken;
  const bool same = payment_in(find_key) == e.what;
  find_key.reset();
  return same ? verdict::repeated : verdict::key_used;
}

/// An error stands for the whole batch: nothing of it is in the ledger, as far as one can know.
spool::error sqlite_ledger::writer::commit(batch& orders) {
  auto transaction = connection.begin();
  if (!transaction) return transaction.error();
  for (order* o : orders) {
    if (o->ctx.done()) {
      o->outcome = o->ctx.err();
      continue;
    }
    o->outcome = record(o->what);
    if (!o->outcome) return o->outcome.error();
  }
  return transaction->commit();
}

spool::result<sqlite_ledger::reader> sqlite_ledger::reader::open(const std::string& path) {
  auto connection = db::sqlite::open(path);
  if (!connection) return connection.error();
  auto find_id = connection->prepare("select id, amount, currency from payments where id = ?");
  if (!find_id) return find_id.error();
  return reader{std::move(*connection), std::move(*find_id)};
}

spool::result<std::optional<payment>> sqlite_ledger::reader::find(const std::string& id) {
  const spool::result<bool> found = find_id.bind(1, id).step();
  if (!found) return found.error();
  if (!*found) return std::optional<payment>();
  std::optional<payment> p = payment_in(find_id);
  find_id.reset();
  return p;
}

spool::result<std::unique_ptr<ledger>> sqlite_ledger::open(const std::string& path) {
  auto opened = spool::blocking([&] { return writer::open(path); });
  if (!opened) return opened.error();
  return std::unique_ptr<ledger>(new sqlite_ledger(std::move(*opened), path));
}

sqlite_ledger::sqlite_ledger(writer w, const std::string& path)
    : writer_(std::move(w)),
      orders_(most_in_a_batch),
      readers_(most_readers, [path] { return spool::blocking([&] { return reader::open(path); }); }) {
  writing_.go([this] { spool::blocking([this] { write_batches(); }); });
}

sqlite_ledger::~sqlite_ledger() {
  (void)orders_.close();
  writing_.wait();
}

spool::result<verdict> sqlite_ledger::record(const spool::context& ctx, const entry& e) {
  order mine{.ctx = ctx, .what = e};
  if (const auto sent = orders_.send(ctx, &mine); sent != spool::channel_status::ok) return spool::error(sent);
  mine.done.wait();  // whatever ctx says: the writer has the order, and is quick
  return mine.outcome;
}

spool::result<std::optional<payment>> sqlite_ledger::find(const spool::context& ctx, const std::string& id) {
  auto r = readers_.acquire(ctx);
  if (!r) return r.error();
  auto found = spool::blocking(ctx, [&] { return (*r)->find(id); });
  if (!found) return found.error();
  return *std::move(found);
}

void sqlite_ledger::write_batches() {
  batch orders;
  while (const std::optional<order*> first = orders_.recv()) {
    orders.assign(1, *first);
    while (orders.size() < most_in_a_batch) {
      const auto next = orders_.try_recv();
      if (!next) break;
      orders.push_back(*next);
    }
    const spool::error failed = writer_.commit(orders);
    for (order* o : orders) {
      if (failed) o->outcome = failed;
      o->done.count_down();
    }
  }
}

}  // namespace payments
