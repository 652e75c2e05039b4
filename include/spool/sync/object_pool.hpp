// object_pool: objects that are costly to make and cheap to use again.
#pragma once

#include <spool/sync/detail/free_list.hpp>

#include <cstddef>
#include <functional>
#include <limits>
#include <memory>
#include <utility>

namespace spool {

/// Hands out an idle object, or one that the factory makes when none is idle; never waits. Go: sync.Pool. An object
/// comes back as its last user left it. At most `max_idle` objects are kept; Go leaves that to the garbage collector.
/// Thread safe. Handles may outlive the pool: what comes back then is destroyed.
template <class T>
class object_pool {
  using list = detail::free_list<T>;

 public:
  /// An object on loan: gives it back when destroyed. Move-only.
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
    ~handle() {
      if (node_ != nullptr) home_->push(std::move(node_));
    }

    T& operator*() const noexcept { return node_->value; }
    T* operator->() const noexcept { return &node_->value; }
    T* get() const noexcept { return node_ == nullptr ? nullptr : &node_->value; }
    explicit operator bool() const noexcept { return node_ != nullptr; }

   private:
    friend class object_pool;
    handle(std::shared_ptr<list> home, typename list::node_ptr node) noexcept
        : home_(std::move(home)), node_(std::move(node)) {}
    std::shared_ptr<list> home_;
    typename list::node_ptr node_;
  };

  explicit object_pool(std::function<T()> factory, std::size_t max_idle = std::numeric_limits<std::size_t>::max())
      : factory_(std::move(factory)), idle_(std::make_shared<list>(max_idle)) {}
  object_pool(const object_pool&) = delete;
  object_pool& operator=(const object_pool&) = delete;
  ~object_pool() { idle_->close(); }

  /// What the factory throws passes through. The factory may be called by several callers at a time.
  handle get() {
    typename list::node_ptr node = idle_->pop();
    if (node == nullptr) node = std::make_unique<typename list::node>(std::in_place, factory_);
    return handle(idle_, std::move(node));
  }

  /// Objects that nobody uses just now.
  std::size_t idle() const noexcept { return idle_->size(); }
  /// Destroys the idle objects.
  void clear() noexcept { idle_->clear(); }

 private:
  std::function<T()> factory_;
  std::shared_ptr<list> idle_;
};

}  // namespace spool
