#include "ledger.hpp"
#include "postgres_ledger.hpp"
#include "sqlite_ledger.hpp"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <utility>

namespace payments {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t most_connections = 32;  // of the 100 that a server allows by default
constexpr auto first_try = 2s;

}  // namespace

spool::result<std::unique_ptr<ledger>> open_ledger(const std::string& database, std::size_t writers) {
  if (!database.starts_with("postgresql://") && !database.starts_with("postgres://")) {
    return sqlite_ledger::open(database);
  }
  auto books = std::make_unique<postgres_ledger>(database, std::min(writers, most_connections));
  const spool::cancel_scope limit = spool::with_timeout(spool::context::background(), first_try);
  if (const spool::error e = books->prepare(limit.ctx())) {
    std::fprintf(stderr, "payments: the database cannot be used yet: %s\n", e.message().c_str());
  }
  return std::unique_ptr<ledger>(std::move(books));
}

}  // namespace payments
