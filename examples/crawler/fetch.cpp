#include "fetch.hpp"

#include <cstddef>
#include <exception>
#include <optional>
#include <string_view>
#include <utility>

#include "html_links.hpp"
#include "page_url.hpp"

namespace crawler {
namespace {

namespace beast_http = boost::beast::http;
using beast_http::field;
using beast_http::status_class;
using outcome = decltype(fetch_result::outcome);

std::string_view value_of(const http::client::response_type& answer, field name) {
  const auto value = answer[name];
  return {value.data(), value.size()};
}

bool is_html(std::string_view content_type) {
  return content_type.starts_with("text/html") || content_type.starts_with("application/xhtml+xml");
}

std::vector<http::url> links_of(const http::url& where, std::string_view html) {
  const html_links found = find_links(html);
  const http::url base = found.base.empty() ? where : resolve(where, found.base).value_or(where);
  std::vector<http::url> links;
  for (const std::string& reference : found.references) {
    if (auto to = resolve(base, reference)) links.push_back(std::move(*to));
  }
  return links;
}

// 4xx, but for the two that mean: not now.
bool is_no_page(unsigned status, status_class kind) {
  return kind == status_class::client_error && status != 408 && status != 429;
}

outcome judge(const http::url& where, const http::client::response_type& answer) {
  const status_class kind = beast_http::to_status_class(beast_http::int_to_status(answer.result_int()));
  if (kind == status_class::redirection) {
    if (auto to = resolve(where, value_of(answer, field::location)); to && answer.count(field::location) > 0) {
      return redirected{std::move(*to)};
    }
  }
  if (kind != status_class::successful) {
    const auto reason = answer.reason();
    return failed{std::to_string(answer.result_int()) + ' ' + std::string(reason.data(), reason.size()),
                  is_no_page(answer.result_int(), kind)};
  }
  fetched got{.bytes = answer.body().size(), .links = {}};
  if (is_html(value_of(answer, field::content_type))) got.links = links_of(where, answer.body());
  return got;
}

outcome try_fetch(const spool::context& ctx, http::client& client, std::chrono::milliseconds timeout,
                  const http::url& where) {
  const auto limited = spool::with_timeout(ctx, timeout);
  const auto answer = client.get(limited.ctx(), where);
  if (answer) return judge(where, *answer);
  if (ctx.done()) return given_up{};
  if (limited.ctx().done()) return failed{"no answer within " + std::to_string(timeout.count()) + " ms"};
  return failed{answer.error().message()};
}

}  // namespace

fetch_result fetch(const spool::context& ctx, http::client& client, std::chrono::milliseconds timeout,
                   page asked) noexcept {
  outcome result;
  try {
    result = try_fetch(ctx, client, timeout, asked.where);
  } catch (const std::exception& problem) {
    result = failed{problem.what()};
  }
  return {std::move(asked), std::move(result)};
}

}  // namespace crawler
