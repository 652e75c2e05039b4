#pragma once

#include <cstddef>
#include <memory>
#include <new>
#include <utility>

namespace spool::detail {

/// A fixed number of elements, built one after another and destroyed in reverse; up to Inline of them on the stack.
/// Elements never move: nodes may be linked into lists.
template <class E, std::size_t Inline>
class scratch {
 public:
  explicit scratch(std::size_t room)
      : begin_(reinterpret_cast<E*>(room <= Inline ? inline_ : allocate(room))), on_heap_(room > Inline) {}
  scratch(const scratch&) = delete;
  scratch& operator=(const scratch&) = delete;
  ~scratch() {
    while (size_ > 0) std::destroy_at(begin_ + --size_);
    if (on_heap_) ::operator delete (static_cast<void*>(begin_), std::align_val_t{alignof(E)});
  }

  template <class... Args>
  E& emplace_back(Args&&... args) {
    E* made = std::construct_at(begin_ + size_, std::forward<Args>(args)...);
    ++size_;
    return *made;
  }
  void shrink_to(std::size_t size) noexcept {
    while (size_ > size) std::destroy_at(begin_ + --size_);
  }

  std::size_t size() const noexcept { return size_; }
  E& operator[](std::size_t i) noexcept { return begin_[i]; }
  E* begin() noexcept { return begin_; }
  E* end() noexcept { return begin_ + size_; }

 private:
  static std::byte* allocate(std::size_t room) {
    return static_cast<std::byte*>(::operator new (room * sizeof(E), std::align_val_t{alignof(E)}));
  }

  E* begin_;
  std::size_t size_ = 0;
  bool on_heap_;
  alignas(E) std::byte inline_[Inline * sizeof(E)];
};

}  // namespace spool::detail
