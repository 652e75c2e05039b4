// Room for the one Asio operation that is under way on an object, so that it costs no allocation.
#pragma once

#include <cstddef>
#include <new>

namespace http {

/// More than one at a time, or a larger one, comes from the heap. Asio frees an operation before it calls its handler,
/// so the handler may start the next one here.
class operation_memory {
 public:
  template <class T>
  struct allocator {
    using value_type = T;
    explicit allocator(operation_memory& m) noexcept : memory(&m) {}
    template <class U>
    allocator(const allocator<U>& other) noexcept : memory(other.memory) {}

    T* allocate(std::size_t n) {
      static_assert(alignof(T) <= alignof(std::max_align_t));
      const std::size_t bytes = n * sizeof(T);
      if (memory->taken_ || bytes > sizeof memory->room_) return static_cast<T*>(::operator new(bytes));
      memory->taken_ = true;
      return reinterpret_cast<T*>(memory->room_);
    }
    void deallocate(T* p, std::size_t) noexcept {
      if (reinterpret_cast<std::byte*>(p) != memory->room_) return ::operator delete(p);
      memory->taken_ = false;
    }
    friend bool operator==(const allocator&, const allocator&) noexcept = default;

    operation_memory* memory;
  };

  allocator<std::byte> get() noexcept { return allocator<std::byte>(*this); }

 private:
  bool taken_ = false;
  alignas(std::max_align_t) std::byte room_[240];
};

}  // namespace http
