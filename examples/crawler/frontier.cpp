#include "frontier.hpp"

#include <algorithm>
#include <utility>

namespace crawler {

bool frontier::add(page found) {
  if (!seen_.insert(to_string(found.where)).second) return false;
  host& h = host_of(found);
  if (h.pages.empty()) ready_.push_back(&h);
  h.pages.push_back(std::move(found));
  ++size_;
  return true;
}

std::optional<page> frontier::next() {
  if (!resting_.empty()) {
    for (const auto now = clock::now(); !resting_.empty() && resting_.top().until <= now; resting_.pop()) {
      ready_.push_back(resting_.top().resting);
    }
  }
  while (!ready_.empty()) {
    host& h = *ready_.front();
    ready_.pop_front();
    if (!may_fetch_from(h)) continue;
    page chosen = std::move(h.pages.front());
    h.pages.pop_front();
    if (!h.pages.empty()) ready_.push_back(&h);
    --size_;
    return chosen;
  }
  return std::nullopt;
}

std::optional<frontier::clock::duration> frontier::delay() const {
  if (resting_.empty()) return std::nullopt;
  return std::max(clock::duration::zero(), resting_.top().until - clock::now());
}

frontier::host& frontier::host_of(const page& found) {
  const auto [entry, added] = hosts_.try_emplace(authority(found.where));
  host& h = entry->second;
  if (added && per_host_rate_ > 0) {
    // No burst to speak of: a host sees its requests evenly spaced.
    const auto burst = static_cast<std::ptrdiff_t>(std::max<std::size_t>(1, per_host_rate_ / 100));
    h.rate = std::make_unique<spool::rate_limiter>(
        spool::rate_limiter_options{.per_second = static_cast<double>(per_host_rate_), .burst = burst});
  }
  return h;
}

// Takes a token, or lays the host to rest until there is one.
bool frontier::may_fetch_from(host& h) {
  if (h.rate == nullptr || h.rate->try_acquire()) return true;
  resting_.push({clock::now() + h.rate->delay(), &h});
  return false;
}

}  // namespace crawler
