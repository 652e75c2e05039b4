// single_flight: concurrent calls for one key share one execution.
#pragma once

#include <spool/sync/detail/future_state.hpp>
#include <spool/sync/mutex.hpp>

#include <functional>
#include <memory>
#include <mutex>
#include <type_traits>
#include <unordered_map>
#include <utility>

namespace spool {

/// Go's golang.org/x/sync/singleflight. Who calls run while another call for an equal key is under way waits for that
/// one and gets a copy of its value, or its exception; the next call afterwards executes anew. V may be void, else it
/// is copyable. Thread safe; the map is behind a mutex that is not held while f runs.
template <class K, class V, class Hash = std::hash<K>, class Equal = std::equal_to<K>>
class single_flight {
  static_assert(!std::is_reference_v<V>, "every caller gets a copy of the value");

 public:
  single_flight() = default;
  single_flight(const single_flight&) = delete;
  single_flight& operator=(const single_flight&) = delete;

  template <class F>
  V run(const K& key, F&& f) {
    std::unique_lock lock(mu_);
    flight& entry = flights_[key];
    if (entry.get() != nullptr) {
      const flight theirs = entry;
      lock.unlock();
      theirs.get()->await({});
      return theirs.get()->share();
    }
    flight mine;
    try {
      mine = entry = flight::start();
    } catch (...) {
      flights_.erase(key);
      throw;
    }
    lock.unlock();
    {
      // Out of the map before it is ready: who comes later must not get an old value. *this may be gone once it is
      // ready.
      const landing end{*this, key, mine};
      mine.get()->capture(f);
    }
    return mine.get()->share();
  }

  /// The next run for the key executes its f even if a call is under way.
  void forget(const K& key) {
    const std::lock_guard lock(mu_);
    flights_.erase(key);
  }

 private:
  using state = detail::future_state<V>;

  /// A counted reference to one execution.
  class flight {
   public:
    flight() noexcept = default;
    static flight start() {
      flight f;
      f.state_ = new state(true);
      return f;
    }
    flight(const flight& other) noexcept : state_(other.state_) {
      if (state_ != nullptr) state_->add_reference();
    }
    flight& operator=(flight other) noexcept {
      std::swap(state_, other.state_);
      return *this;
    }
    ~flight() {
      if (state_ != nullptr) state_->release();
    }
    state* get() const noexcept { return state_; }

   private:
    state* state_ = nullptr;
  };

  struct landing {
    single_flight& group;
    const K& key;
    const flight& mine;
    ~landing() {
      group.remove(key, mine);
      mine.get()->publish();
    }
  };

  void remove(const K& key, const flight& mine) noexcept {
    const std::lock_guard lock(mu_);
    const auto found = flights_.find(key);
    if (found != flights_.end() && found->second.get() == mine.get()) flights_.erase(found);
  }

  mutex mu_;
  std::unordered_map<K, flight, Hash, Equal> flights_;  // guarded by mu_
};

}  // namespace spool
