#pragma once

#include <cstddef>
#include <mutex>
#include <optional>
#include <spool/spool.hpp>
#include <string>
#include <unordered_map>
#include <utility>

#include "fields.hpp"

namespace etl {

// The answers that were asked for of late, by the query: at most twice `generation` of them. When the young generation
// is full it becomes the old one, and what nobody has asked for since is forgotten. Thread safe.
class answer_cache {
 public:
  explicit answer_cache(std::size_t generation) : generation_(generation) {}

  std::optional<field_value> find(const std::string& query) {
    const std::lock_guard lock(mu_);
    if (const auto known = young_.find(query); known != young_.end()) return known->second;
    const auto known = old_.find(query);
    if (known == old_.end()) return std::nullopt;
    field_value value = known->second;
    insert(query, value);
    return value;
  }

  void put(const std::string& query, field_value value) {
    const std::lock_guard lock(mu_);
    insert(query, std::move(value));
  }

  std::size_t size() {
    const std::lock_guard lock(mu_);
    return young_.size() + old_.size();
  }

 private:
  void insert(const std::string& query, field_value value) {
    if (young_.size() >= generation_) old_ = std::exchange(young_, {});
    young_.insert_or_assign(query, std::move(value));
  }

  const std::size_t generation_;
  spool::mutex mu_;
  std::unordered_map<std::string, field_value> young_, old_;  // guarded by mu_
};

}  // namespace etl
