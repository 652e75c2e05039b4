#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace digest_tree {

// Paths in one block of memory, each ended by '\0' so that open(2) takes it as it stands.
class path_list {
 public:
  void append(std::string_view path) {
    block_.append(path).push_back('\0');
    ++size_;
  }

  std::size_t size() const noexcept { return size_; }
  bool empty() const noexcept { return size_ == 0; }

  // f(const char* path) for each path, until one call returns false.
  template <class F>
  void for_each(F&& f) const {
    for (std::size_t at = 0; at < block_.size();) {
      const char* const path = block_.c_str() + at;
      at += std::string_view(path).size() + 1;
      if (!f(path)) {
        return;
      }
    }
  }

 private:
  std::string block_;
  std::size_t size_ = 0;
};

}  // namespace digest_tree
