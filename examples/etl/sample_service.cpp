#include "sample_service.hpp"

#include <boost/beast/http/status.hpp>
#include <string_view>

#include "sample_answers.hpp"

namespace etl {
namespace {

using boost::beast::http::status;

}  // namespace

sample_service::sample_service(const field& asked, sample_service_options options)
    : asked_(asked),
      options_(options),
      server_({}, [this](const spool::context& ctx, const http::request& request) { return answer(ctx, request); }) {
  serving_.go([this] { return server_.serve(serving_.context()); });
}

// What has not been answered is cancelled: nobody waits for it any more.
sample_service::~sample_service() { server_.stop_accepting(); }

std::string sample_service::url() const {
  return "http://127.0.0.1:" + std::to_string(server_.port()) + "/" + std::string(asked_.service);
}

http::response sample_service::answer(const spool::context& ctx, const http::request& asked) {
  if (options_.latency.count() > 0) (void)spool::this_fiber::sleep_for(ctx, options_.latency);
  switch (next_mood()) {
    case mood::is_silent: ctx.wait(); [[fallthrough]];  // until the client hangs up
    case mood::refuses: return http::reply(asked, status::service_unavailable, "{}");
    case mood::talks_nonsense: return http::reply(asked, status::ok, "nonsense");
    case mood::answers: break;
  }
  const auto value = sample_answer(asked_, {asked.target().data(), asked.target().size()});
  if (!value) return http::reply(asked, status::bad_request, "{}");
  return http::reply(asked, status::ok, to_answer(asked_, *value));
}

sample_service::mood sample_service::next_mood() {
  if (options_.dead) return mood::is_silent;
  if (options_.unreliable_percent == 0) return mood::answers;
  const std::lock_guard lock(mu_);
  if (random_() % 100 >= options_.unreliable_percent) return mood::answers;
  switch (random_() % 10) {
    case 0: return mood::is_silent;
    case 1:
    case 2:
    case 3: return mood::talks_nonsense;
    default: return mood::refuses;
  }
}

}  // namespace etl
