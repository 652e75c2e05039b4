#pragma once

#include "client_connection.hpp"

#include <spool/spool.hpp>

#include <cstddef>
#include <list>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

namespace http {

// Connections that wait for another request to their host. When there are too many, the one that has been idle for
// longest is closed, whichever host it leads to: a client of many hosts needs no descriptor for each. Thread safe.
class idle_connections {
 public:
  explicit idle_connections(std::size_t most) : most_(most) {}

  /// The one that was used last, or null.
  std::unique_ptr<client_connection> take(const std::string& host);
  void put(const std::string& host, std::unique_ptr<client_connection> idle);

 private:
  struct entry {
    std::string host;
    std::unique_ptr<client_connection> idle;
  };
  using position = std::list<entry>::iterator;

  const std::size_t most_;
  spool::mutex mu_;                                                 // guards all below; nothing is closed under it
  std::list<entry> by_age_;                                         // oldest first
  std::unordered_map<std::string, std::vector<position>> by_host_;  // each oldest first, none empty
};

}  // namespace http
