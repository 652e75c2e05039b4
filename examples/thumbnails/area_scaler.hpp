#pragma once

#include <cstdint>
#include <vector>

#include "bitmap.hpp"

namespace thumbnails {

// The size of the thumbnail of an image: its longest side becomes `longest_side`, the other follows; never enlarged.
pixel_size fit(pixel_size image, std::uint32_t longest_side) noexcept;

// Scales an image down while its rows come in: a pixel of the result is the mean of the area that it covers, with
// pixels at its edge counted as far as they are inside. Holds two rows of sums and the result, never the image.
//
// Exact in integers: along a side, a pixel of the source is `to` units wide and one of the result `from` units, so
// every overlap is a whole number, and an area of one colour keeps it. Colour counts by its alpha: what is
// transparent has none to give. Sides up to 65,535: 255 * 255 * 65,535 fits the 32 bits of a row's sums.
class area_scaler {
 public:
  static constexpr std::uint32_t longest_side = 65'535;

  // `to` is no larger than `from` on both sides; 1 to 4 channels, as in bitmap. Else std::invalid_argument.
  area_scaler(pixel_size from, pixel_size to, unsigned channels);

  void add_row(const std::uint8_t* row);  // from.height times
  bitmap take() && { return std::move(result_); }

 private:
  template <unsigned Channels>
  void sum_row(const std::uint8_t* row);
  void add_sums(std::uint64_t times);
  void finish_row();

  pixel_size from_;
  std::uint32_t rows_in_ = 0;
  std::uint32_t rows_out_ = 0;
  std::vector<std::uint32_t> row_sums_;
  std::vector<std::uint64_t> area_sums_;
  bitmap result_;
};

}  // namespace thumbnails
