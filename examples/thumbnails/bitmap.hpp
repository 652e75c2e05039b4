#pragma once

#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <vector>

namespace thumbnails {

// What is wrong with an image, in words for who has to mend it.
class image_error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

struct pixel_size {
  std::uint32_t width = 0;
  std::uint32_t height = 0;
  friend bool operator==(const pixel_size&, const pixel_size&) = default;
};

// 8 bits a channel, rows from top to bottom without padding.
struct bitmap {
  pixel_size size;
  unsigned channels = 0;  // 1 grey, 2 grey and alpha, 3 RGB, 4 RGB and alpha
  std::vector<std::uint8_t> pixels;

  std::size_t row_bytes() const noexcept { return std::size_t{size.width} * channels; }
  const std::uint8_t* row(std::uint32_t y) const noexcept { return pixels.data() + y * row_bytes(); }
  bool has_alpha() const noexcept { return channels % 2 == 0; }
};

}  // namespace thumbnails
