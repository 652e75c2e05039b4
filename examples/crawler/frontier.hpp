#pragma once

#include <chrono>
#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <queue>
#include <spool/spool.hpp>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "http/url.hpp"

namespace crawler {

struct page {
  http::url where;
  std::string found_on;       // the URL of the page with the first link to it; empty: it was asked for
  std::size_t depth = 0;      // links from a page that was asked for
  std::size_t redirects = 0;  // that led here, one after the other
};

// The pages that are still to be fetched, each URL once in its life. Hosts take turns, and a host that has used up
// its rate holds up no other. For one fiber: nothing in here waits.
class frontier {
 public:
  using clock = std::chrono::steady_clock;

  // Requests per second and host; 0: without limit.
  explicit frontier(std::size_t per_host_rate) : per_host_rate_(per_host_rate) {}

  // False: this URL was added before.
  bool add(page found);

  // A page that may be fetched now, which counts against its host's rate.
  std::optional<page> next();

  // After next() gave nothing: how long until it can give something. Nothing: not before an add().
  std::optional<clock::duration> delay() const;

  std::size_t size() const noexcept { return size_; }

 private:
  struct host {
    std::deque<page> pages;
    std::unique_ptr<spool::rate_limiter> rate;  // null: none
  };
  struct pause {
    clock::time_point until;
    host* resting;
    bool operator>(const pause& other) const noexcept { return until > other.until; }
  };

  host& host_of(const page& found);
  bool may_fetch_from(host& h);

  const std::size_t per_host_rate_;
  std::size_t size_ = 0;
  std::unordered_set<std::string> seen_;
  std::unordered_map<std::string, host> hosts_;
  // A host with pages is in one of these, one without is in none.
  std::deque<host*> ready_;
  std::priority_queue<pause, std::vector<pause>, std::greater<>> resting_;
};

}  // namespace crawler
