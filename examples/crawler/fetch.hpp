#pragma once

#include <chrono>
#include <cstdint>
#include <spool/spool.hpp>
#include <string>
#include <variant>
#include <vector>

#include "frontier.hpp"
#include "http/client.hpp"

namespace crawler {

struct fetched {
  std::uint64_t bytes = 0;       // of the body
  std::vector<http::url> links;  // to http:// URLs, if it was HTML
};
struct redirected {
  http::url to;
};
struct failed {
  std::string why;
  bool by_link = false;  // the host answers and has no such page for us: whoever links to it is wrong
};
struct given_up {};  // the crawl was stopped

struct fetch_result {
  page asked;
  std::variant<given_up, fetched, redirected, failed> outcome;
};

// Fetches one page and reads what it links to. Does not throw.
fetch_result fetch(const spool::context& ctx, http::client& client, std::chrono::milliseconds timeout,
                   page asked) noexcept;

}  // namespace crawler
