#include "idle_connections.hpp"

#include <mutex>
#include <utility>

namespace http {

std::unique_ptr<client_connection> idle_connections::take(const std::string& host) {
  const std::lock_guard lock(mu_);
  const auto found = by_host_.find(host);
  if (found == by_host_.end()) return nullptr;
  const position newest = found->second.back();
  found->second.pop_back();
  if (found->second.empty()) by_host_.erase(found);
  std::unique_ptr<client_connection> idle = std::move(newest->idle);
  by_age_.erase(newest);
  return idle;
}

void idle_connections::put(const std::string& host, std::unique_ptr<client_connection> idle) {
  std::unique_ptr<client_connection> evicted;  // closed after the unlock
  const std::lock_guard lock(mu_);
  by_age_.push_back({host, std::move(idle)});
  by_host_[host].push_back(std::prev(by_age_.end()));
  if (by_age_.size() <= most_) return;
  const auto neighbours = by_host_.find(by_age_.front().host);
  neighbours->second.erase(neighbours->second.begin());
  if (neighbours->second.empty()) by_host_.erase(neighbours);
  evicted = std::move(by_age_.front().idle);
  by_age_.pop_front();
}

}  // namespace http
