#include "host_places.hpp"

#include <mutex>

namespace http {

host_places::place::~place() {
  if (taken_) host_.free.release();
  home_.leave(name_);
}

spool::error host_places::place::take(const spool::context& ctx) {
  spool::error refused = host_.free.acquire(ctx);
  taken_ = !refused;
  return refused;
}

host_places::host& host_places::enter(const std::string& name) {
  const std::lock_guard lock(mu_);
  host& entered = hosts_.try_emplace(name, each_).first->second;
  ++entered.users;
  return entered;
}

void host_places::leave(const std::string& name) {
  const std::lock_guard lock(mu_);
  const auto left = hosts_.find(name);
  if (--left->second.users == 0) hosts_.erase(left);
}

}  // namespace http
