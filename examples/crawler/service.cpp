#include "service.hpp"

namespace crawler {

service::service(const std::string& directory, std::uint16_t port, std::chrono::milliseconds delay)
    : site_(directory),
      delay_(delay),
      server_({.port = port},
              [this](const spool::context& ctx, const http::request& asked) { return answer(ctx, asked); }) {
  serving_.go([this] { return server_.serve(serving_.context()); });
}

// What is still being answered is cancelled by the errgroup's end: whoever crawled has all answers that they wanted.
service::~service() { server_.stop_accepting(); }

std::string service::url() const { return "http://127.0.0.1:" + std::to_string(server_.port()) + "/"; }

http::response service::answer(const spool::context& ctx, const http::request& asked) {
  const bool stopped = (delay_.count() > 0 && spool::this_fiber::sleep_for(ctx, delay_)) || reads_.acquire(ctx);
  if (stopped) return http::reply(asked, boost::beast::http::status::service_unavailable, "stopped\n", "text/plain");
  struct release_on_exit {
    spool::semaphore& taken;
    ~release_on_exit() { taken.release(); }
  } const place{reads_};
  return spool::blocking([&] { return site_.answer(asked); });
}

}  // namespace crawler
