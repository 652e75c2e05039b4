// resource_pool: a bounded number of resources, such as connections, that are made on demand and used again.
#pragma once

#include <spool/base/error.hpp>
#include <spool/context/context.hpp>
#include <spool/sync/detail/free_list.hpp>
#include <spool/sync/semaphore.hpp>

#include <cstddef>
#include <exception>
#include <functional>
#include <limits>
#include <memory>
#include <stdexcept>
#include <type_traits>
#include <utility>

namespace spool {

/// At most `max` resources exist at a time. acquire hands out an idle one, makes one while fewer than max exist, or
/// waits its turn, first come, first served. A factory that fails gives its place back. Thread safe. Handles may
/// outlive the pool: what comes back then is destroyed. Go: database/sql's pool, or a channel of connections.
template <class T>
class resource_pool {
  struct core;

 public:
  /// A resource on loan: gives it back when destroyed. Move-only.
  class [[nodiscard]] handle {
   public:
    handle() noexcept = default;
    handle(handle&&) noexcept = default;
    handle& operator=(handle&& other) noexcept {
      handle returned(std::move(*this));
      home_ = std::move(other.home_);
      node_ = std::move(other.node_);
      return *this;
    }
    ~handle() { give_back(true); }

    T& operator*() const noexcept { return node_->value; }
    T* operator->() const noexcept { return &node_->value; }
    T* get() const noexcept { return node_ == nullptr ? nullptr : &node_->value; }
    explicit operator bool() const noexcept { return node_ != nullptr; }

    /// Destroys the resource, for one that is broken, and makes room for another. The handle is empty then.
    void discard() noexcept { give_back(false); }

   private:
    friend class resource_pool;
    handle(std::shared_ptr<core> home, typename detail::free_list<T>::node_ptr node) noexcept
        : home_(std::move(home)), node_(std::move(node)) {}
    void give_back(bool usable) noexcept {
      if (node_ == nullptr) return;
      if (usable) {
        home_->idle.push(std::move(node_));
      } else {
        node_.reset();
      }
      home_->places.release();
      home_.reset();
    }
    std::shared_ptr<core> home_;
    typename detail::free_list<T>::node_ptr node_;
  };

  /// The factory returns T or result<T>, may throw, and may take the `const context&` of the acquire that needs it.
  /// max == 0: std::invalid_argument.
  template <class Factory>
  resource_pool(std::size_t max, Factory factory) : core_(std::make_shared<core>(max, std::move(factory))) {}
  resource_pool(const resource_pool&) = delete;
  resource_pool& operator=(const resource_pool&) = delete;
  ~resource_pool() { core_->idle.close(); }

  /// A resource; or the context's error, or the factory's, its exception included. A ctx that is done already wins.
  result<handle> acquire(const context& ctx) {
    if (error e = core_->places.acquire(ctx)) return e;
    return fill_place(ctx);
  }
  /// Never waits, except where the factory does. All places taken: errc::empty.
  result<handle> try_acquire() {
    if (!core_->places.try_acquire()) return error(errc::empty);
    return fill_place(context::background());
  }

  /// Resources that nobody uses just now.
  std::size_t idle() const noexcept { return core_->idle.size(); }

 private:
  struct core {
    template <class Factory>
    core(std::size_t max, Factory f) : places(checked(max)), idle(max) {
      if constexpr (std::is_invocable_v<Factory&, const context&>) {
        factory = std::move(f);
      } else {
        factory = [f = std::move(f)](const context&) mutable -> result<T> { return f(); };
      }
    }
    static std::ptrdiff_t checked(std::size_t max) {
      if (max == 0 || max > static_cast<std::size_t>(std::numeric_limits<std::ptrdiff_t>::max())) {
        throw std::invalid_argument("spool::resource_pool: max must be at least 1, and fit std::ptrdiff_t");
      }
      return static_cast<std::ptrdiff_t>(max);
    }
    semaphore places;
    detail::free_list<T> idle;
    std::function<result<T>(const context&)> factory;
  };

  /// The caller holds one place; it goes with the handle, or back.
  result<handle> fill_place(const context& ctx) noexcept {
    try {
      auto node = core_->idle.pop();
      if (node == nullptr) {
        result<T> made = core_->factory(ctx);
        if (!made) {
          core_->places.release();
          return made.error();
        }
        using list_node = typename detail::free_list<T>::node;
        node = std::make_unique<list_node>(std::in_place, [&made]() -> T { return std::move(*made); });
      }
      return handle(core_, std::move(node));
    } catch (...) {
      core_->places.release();
      return error(std::current_exception());
    }
  }

  std::shared_ptr<core> core_;
};

}  // namespace spool
