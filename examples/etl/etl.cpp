#include "etl.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <variant>

#include "database/failure.hpp"
#include "event.hpp"
#include "read_lines.hpp"
#include "record.hpp"

// read -> parse -> geo -> customer -> price -> batch -> write
//
// Every stage keeps the order of the lines. So a batch is a stretch of the input without gaps, and the position that is
// committed with it never runs ahead of a line that is still under way: that, and the one transaction, is exactly once.
//
// Each service has a stage of its own: while one of them is slow the others work ahead, as far as the capacity allows.
namespace etl {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t lines_ahead = 1000;    // read, not parsed
constexpr std::size_t records_ahead = 2000;  // between two services
constexpr std::size_t parsers = 2;
constexpr auto longest_write = 60s;

// A service that gives no answer costs its field, not the event. An error: ctx is done.
spool::result<record> enrich(const spool::context& ctx, service_client& service, std::size_t which, record r) {
  const auto* e = std::get_if<event>(&r.what);
  if (e == nullptr) return r;
  auto value = service.find(ctx, *e);
  if (ctx.done()) return ctx.err();
  if (value) {
    r.values[which] = *std::move(value);
  } else {
    r.degraded = static_cast<std::uint8_t>(r.degraded | 1U << which);
  }
  return r;
}

bool is_passing(const spool::error& e) {
  return e == db::failure::contended || e == db::failure::connection_lost || e == spool::errc::deadline_exceeded;
}

spool::result<written> write(const spool::context& ctx, store& database, const record_batch& batch) {
  return spool::retry(ctx, {.max_attempts = 10, .max = 5s, .retry_if = is_passing}, [&](const spool::context& each) {
    const auto limited = spool::with_timeout(each, longest_write);
    return database.write(limited.ctx(), batch);
  });
}

}  // namespace

spool::error run_pipeline(const spool::context& ctx, const options& chosen, const std::vector<input>& inputs,
                          const positions& done, service_clients& services, store& database, monitor& seen) {
  spool::pipeline p(ctx, {.name = "etl"});
  auto lines = p.source<input_line>({.name = "read", .capacity = lines_ahead},
                                    [&](const spool::context& reading, spool::sender<input_line> out) {
                                      return read_lines(reading, inputs, done, out);
                                    });
  auto records =
      p.stage(std::move(lines), {.name = "parse", .workers = parsers, .capacity = lines_ahead, .ordered = true},
              [](const input_line& line) { return to_record(line); });
  for (std::size_t i = 0; i < field_count; ++i) {
    records = p.stage(
        std::move(records),
        {.name = std::string(fields[i].service), .workers = chosen.workers, .capacity = records_ahead, .ordered = true},
        [&service = *services[i], i](const spool::context& asking, record r) {
          return enrich(asking, service, i, std::move(r));
        });
  }
  p.sink(spool::batch(std::move(records), chosen.batch, chosen.batch_wait), {.name = "write"},
         [&](const spool::context& writing, const record_batch& batch) -> spool::error {
           const auto result = write(writing, database, batch);
           if (!result) return result.error();
           seen.committed(batch, *result);
           return {};
         });
  return p.wait();
}

}  // namespace etl
