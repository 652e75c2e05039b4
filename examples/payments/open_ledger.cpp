#include "ledger.hpp"
#include "sqlite_ledger.hpp"

namespace payments {

spool::result<std::unique_ptr<ledger>> open_ledger(const std::string& database, std::size_t) {
  return sqlite_ledger::open(database);
}

}  // namespace payments
