#include "service.hpp"

#include <boost/beast/core/string.hpp>
#include <boost/beast/http/field.hpp>
#include <boost/beast/http/status.hpp>
#include <boost/beast/http/verb.hpp>

#include <algorithm>
#include <chrono>
#include <string_view>
#include <utility>
#include <variant>

#include "request_parts.hpp"

namespace payments {
namespace {

using namespace std::chrono_literals;
using boost::beast::http::field;
using boost::beast::http::status;
using boost::beast::http::verb;

constexpr const char* key_header = "Idempotency-Key";
constexpr std::size_t most_key_bytes = 255;
constexpr auto look_up_for = 2s;

/// Not now, perhaps in `seconds`.
http::response later(const http::request& req, status why, std::string_view what, const char* seconds = "1") {
  http::response res = http::reply(req, why, error_json(what));
  res.set(field::retry_after, seconds);
  return res;
}

http::response not_allowed(const http::request& req, const char* allowed) {
  http::response res = http::reply(req, status::method_not_allowed, error_json("method not allowed"));
  res.set(field::allow, allowed);
  return res;
}

http::response unavailable(const http::request& req, const spool::error& e) {
  const bool open = e == spool::errc::circuit_open;
  return later(req, status::service_unavailable, open ? "the ledger is down" : "the ledger did not answer");
}

}  // namespace

http::response service::answer(const spool::context& ctx, const http::request& req) {
  const std::string_view path = path_of(req);
  const bool reads = req.method() == verb::get || req.method() == verb::head;
  if (path == "/payments") return req.method() == verb::post ? create(ctx, req) : not_allowed(req, "POST");
  if (path == "/healthz") return reads ? health(req) : not_allowed(req, "GET, HEAD");
  if (constexpr std::string_view prefix = "/payments/"; path.starts_with(prefix)) {
    if (!reads) return not_allowed(req, "GET, HEAD");
    const auto id = percent_decoded(path.substr(prefix.size()));
    if (id && is_id(*id)) return show(ctx, req, *id);
  }
  return http::reply(req, status::not_found, error_json("not found"));
}

http::response service::refuse(const http::request& req, status why, std::string_view what) {
  counts_.refused.fetch_add(1, std::memory_order_relaxed);
  return http::reply(req, why, error_json(what));
}

http::response service::create(const spool::context& ctx, const http::request& req) {
  if (!may_be_json(req)) return refuse(req, status::unsupported_media_type, "the body must be application/json");
  auto parsed = parse_payment(req.body());
  if (const auto* wrong = std::get_if<complaint>(&parsed)) {
    return refuse(req, wrong->malformed ? status::bad_request : status::unprocessable_entity, wrong->why);
  }
  entry e{std::move(std::get<payment>(parsed)), {}};
  if (req.count(key_header) > 1) return refuse(req, status::bad_request, "more than one Idempotency-Key");
  e.key = std::string(req[key_header]);
  const auto visible = [](char c) { return c > ' ' && c < 0x7f; };
  if (e.key.size() > most_key_bytes || !std::ranges::all_of(e.key, visible)) {
    return refuse(req, status::bad_request, "Idempotency-Key must be at most 255 visible ASCII characters");
  }
  if (e.key.empty()) e.key = e.what.id;
  return record(ctx, req, e);
}

http::response service::record(const spool::context& ctx, const http::request& req, const entry& e) {
  auto job = pool_.try_submit(ctx, [&](const spool::context& job_ctx) { return books_.record(job_ctx, e); });
  if (!job && job.error() == spool::errc::full) {
    counts_.rejected.fetch_add(1, std::memory_order_relaxed);
    return later(req, status::too_many_requests, "too many payments at once");
  }
  spool::result<verdict> outcome = job ? spool::error(spool::errc::abandoned) : job.error();
  if (job) {
    // Not given up when ctx is done: the job refers to what is here. It will not run then, or end soon.
    try {
      outcome = job->get();
    } catch (const std::system_error& not_run) {
      outcome = spool::error(not_run.code());
    }
  }
  if (!outcome) {
    (ctx.done() ? counts_.canceled : counts_.failed).fetch_add(1, std::memory_order_relaxed);
    return unavailable(req, outcome.error());
  }
  switch (*outcome) {
    case verdict::key_used:
      return refuse(req, status::unprocessable_entity, "this Idempotency-Key belongs to another payment");
    case verdict::id_taken: return refuse(req, status::conflict, "a payment with this id has another Idempotency-Key");
    case verdict::recorded: counts_.accepted.fetch_add(1, std::memory_order_relaxed); break;
    case verdict::repeated: counts_.repeated.fetch_add(1, std::memory_order_relaxed); break;
  }
  return http::reply(req, status::created, to_json(e.what));
}

http::response service::show(const spool::context& ctx, const http::request& req, const std::string& id) {
  const spool::cancel_scope limit = spool::with_timeout(ctx, look_up_for);
  const auto found = books_.find(limit.ctx(), id);
  if (!found) return unavailable(req, found.error());
  if (!*found) return http::reply(req, status::not_found, error_json("no such payment"));
  return http::reply(req, status::ok, to_json(**found));
}

http::response service::health(const http::request& req) const {
  const spool::worker_pool_stats now = pool_.stats();
  std::string body = "{\"saturated\": ";
  body += pool_.saturated() ? "true" : "false";
  body += ", \"workers\": " + std::to_string(now.workers) + ", \"busy\": " + std::to_string(now.busy) +
          ", \"queued\": " + std::to_string(now.queued) + ", \"accepted\": " + std::to_string(counts_.accepted) +
          ", \"rejected\": " + std::to_string(counts_.rejected) + "}";
  return http::reply(req, status::ok, std::move(body));
}

}  // namespace payments
