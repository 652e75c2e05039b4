#pragma once

#include <array>
#include <memory>
#include <spool/spool.hpp>
#include <vector>

#include "inputs.hpp"
#include "monitor.hpp"
#include "options.hpp"
#include "position.hpp"
#include "service_client.hpp"
#include "store.hpp"

namespace etl {

using service_clients = std::array<std::unique_ptr<service_client>, field_count>;

// Reads the inputs from `done` on, enriches their events and writes them to the database, until all is written,
// something fails or ctx is done. Nothing of it runs any more when this returns.
spool::error run_pipeline(const spool::context& ctx, const options& chosen, const std::vector<input>& inputs,
                          const positions& done, service_clients& services, store& database, monitor& seen);

}  // namespace etl
