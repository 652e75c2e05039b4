#include "service_client.hpp"

#include <boost/beast/http/status.hpp>
#include <optional>
#include <system_error>
#include <utility>

namespace etl {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t cached_answers = 50'000;

// The service has answered that we asked for something wrong: no reason to ask again, nor to think that it is down.
bool is_our_fault(const spool::error& e) { return e == std::errc::invalid_argument; }

spool::error unexpected(const field& asked, std::errc code, const std::string& what) {
  return {std::make_error_code(code), std::string(asked.service) + ": " + what};
}

}  // namespace

service_client::service_client(const field& asked, http::url base, http::client& client,
                               std::chrono::milliseconds timeout)
    : asked_(asked),
      base_(std::move(base)),
      client_(client),
      timeout_(timeout),
      known_(cached_answers),
      budget_({.ratio = 0.5, .min_per_second = 10, .max_saved = 200}),
      retry_({.max_attempts = 4,
              .initial = 20ms,
              .max = 500ms,
              .retry_if = [](const spool::error& e) { return spool::is_transient(e) && !is_our_fault(e); },
              .budget = &budget_,
              .on_retry = [this](int, const spool::error&, std::chrono::nanoseconds) { ++retries_; }}),
      breaker_({.failure_threshold = 10,
                .open_for = 1s,
                .probe_timeout = timeout + 1s,
                .is_failure = [](const spool::error& e) { return e != spool::errc::canceled && !is_our_fault(e); },
                .on_state_change =
                    [this](spool::circuit_state, spool::circuit_state to) {
                      if (to == spool::circuit_state::open) ++times_opened_;
                    }}) {}

spool::result<field_value> service_client::find(const spool::context& ctx, const event& e) {
  const std::string query = asked_.query(e);
  if (auto known = known_.find(query)) return *std::move(known);
  return flights_.run(query, [&] { return fetch(ctx, query); });  // all callers have the pipeline's context
}

spool::result<field_value> service_client::fetch(const spool::context& ctx, const std::string& query) {
  auto answer = spool::retry(ctx, retry_, [&](const spool::context& attempt) {
    return breaker_.call(attempt, [&](const spool::context& call) { return ask_once(call, query); });
  });
  if (answer) known_.put(query, *answer);
  return answer;
}

spool::result<field_value> service_client::ask_once(const spool::context& ctx, const std::string& query) {
  const auto limited = spool::with_timeout(ctx, timeout_);
  http::url where = base_;
  where.target += query;
  const auto answer = client_.get(limited.ctx(), where);
  if (!answer) return answer.error();
  const unsigned status = answer->result_int();
  if (status == 404) return field_value();
  if (status != 200) {
    const bool ours = status >= 400 && status < 500 && status != 408 && status != 429;
    return unexpected(asked_, ours ? std::errc::invalid_argument : std::errc::io_error,
                      "status " + std::to_string(status));
  }
  std::optional<field_value> value = parse_answer(asked_, answer->body());
  if (!value) return unexpected(asked_, std::errc::bad_message, "an answer that makes no sense");
  return *std::move(value);
}

}  // namespace etl
