// context_key: the typed name of a value that a context carries.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace spool {
namespace detail {
std::uint64_t next_context_key_id() noexcept;
}

/// Names a value of type T in contexts. Two keys are never the same, whatever their names: the name is for people.
/// Usually a constant at namespace scope. Go: a value of an unexported key type.
template <class T>
class context_key {
 public:
  explicit context_key(std::string_view name) : name_(name) {}
  context_key(const context_key&) = delete;
  context_key& operator=(const context_key&) = delete;

  std::string_view name() const noexcept { return name_; }

 private:
  friend class context;
  template <class U>
  friend std::uint64_t context_key_id(const context_key<U>& key) noexcept;

  // Not the address: another key, of another type, may come to live there.
  const std::uint64_t id_ = detail::next_context_key_id();
  const std::string name_;
};

template <class U>
std::uint64_t context_key_id(const context_key<U>& key) noexcept {
  return key.id_;
}

}  // namespace spool
