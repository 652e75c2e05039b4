#include "postgres_ledger.hpp"

#include <chrono>
#include <mutex>
#include <utility>

namespace payments {
namespace {

using namespace std::chrono_literals;

constexpr auto answer_within = 5s;

constexpr const char* schema =
    "create table if not exists payments ("
    "  id text primary key,"
    "  idempotency_key text not null unique,"
    "  amount bigint not null check (amount > 0),"
    "  currency text not null,"
    "  accepted_at timestamptz not null default now()"
    ")";
constexpr const char* insert =
    "insert into payments (id, idempotency_key, amount, currency) values ($1, $2, $3, $4) on conflict do nothing";
constexpr const char* find_key = "select id, amount, currency from payments where idempotency_key = $1";
constexpr const char* find_id = "select id, amount, currency from payments where id = $1";

payment first_of(const db::rows& found) {
  return {std::string(found.text(0, 0)), found.integer(0, 1), std::string(found.text(0, 2))};
}

/// The server is gone, or does not answer. What it complains about is not its failure.
bool is_down(const spool::error& e) { return e == db::failure::connection_lost || e == spool::errc::deadline_exceeded; }

spool::result<verdict> record_on(db::postgres& server, const spool::context& ctx, const entry& e) {
  const auto inserted = server.query(ctx, insert, {e.what.id, e.key, e.what.amount, e.what.currency});
  if (!inserted) return inserted.error();
  if (inserted->affected() == 1) return verdict::recorded;
  const auto found = server.query(ctx, find_key, {e.key});
  if (!found) return found.error();
  if (found->empty()) return verdict::id_taken;
  return first_of(*found) == e.what ? verdict::repeated : verdict::key_used;
}

}  // namespace

postgres_ledger::postgres_ledger(const std::string& url, std::size_t connections)
    : connections_(connections, url),
      breaker_({.failure_threshold = 5, .open_for = 1s, .probe_timeout = answer_within, .is_failure = is_down}) {}

spool::error postgres_ledger::prepare(const spool::context& ctx) {
  const auto server = connection(ctx);
  return server ? spool::error() : server.error();
}

spool::result<db::postgres_pool::handle> postgres_ledger::connection(const spool::context& ctx) {
  auto server = connections_.acquire(ctx);
  if (!server || prepared_) return server;
  if (spool::error e = preparing_.lock(ctx)) return e;
  const std::lock_guard lock(preparing_, std::adopt_lock);
  if (prepared_) return server;
  if (spool::error e = (*server)->exec(ctx, schema)) return e;
  prepared_ = true;
  return server;
}

spool::result<verdict> postgres_ledger::record(const spool::context& ctx, const entry& e) {
  const spool::cancel_scope limit = spool::with_timeout(ctx, answer_within);
  return breaker_.call(limit.ctx(), [&]() -> spool::result<verdict> {
    auto server = connection(limit.ctx());
    if (!server) return server.error();
    // From here on a client that hangs up is not heeded: to break a statement off breaks the connection with it.
    const spool::cancel_scope rest = spool::with_timeout(spool::without_cancel(ctx), answer_within);
    return record_on(**server, rest.ctx(), e);
  });
}

spool::result<std::optional<payment>> postgres_ledger::find(const spool::context& ctx, const std::string& id) {
  return breaker_.call(ctx, [&]() -> spool::result<std::optional<payment>> {
    auto server = connection(ctx);
    if (!server) return server.error();
    const spool::cancel_scope rest = spool::with_timeout(spool::without_cancel(ctx), answer_within);
    const auto found = (*server)->query(rest.ctx(), find_id, {id});
    if (!found && db::sqlstate(found.error()).starts_with("22")) return std::optional<payment>();  // no text at all
    if (!found) return found.error();
    return found->empty() ? std::optional<payment>() : first_of(*found);
  });
}

}  // namespace payments
