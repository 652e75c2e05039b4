#include "area_scaler.hpp"

#include <algorithm>
#include <stdexcept>
#include <utility>

namespace thumbnails {
namespace {

std::uint32_t shrink(std::uint64_t side, std::uint64_t to, std::uint64_t from) noexcept {
  return static_cast<std::uint32_t>(std::max<std::uint64_t>(1, (2 * side * to + from) / (2 * from)));
}

std::uint8_t rounded_mean(std::uint64_t sum, std::uint64_t weight) noexcept {
  return static_cast<std::uint8_t>((sum + weight / 2) / weight);
}

// One pixel, `weight` times. With alpha the sums are of alpha * colour.
template <unsigned Channels>
void add_pixel(const std::uint8_t* pixel, std::uint32_t weight, std::uint32_t* sums) noexcept {
  constexpr bool alpha = Channels % 2 == 0;
  constexpr unsigned colours = alpha ? Channels - 1 : Channels;
  if constexpr (alpha) {
    weight *= pixel[colours];
    sums[colours] += weight;
  }
  for (unsigned c = 0; c < colours; ++c) {
    sums[c] += weight * pixel[c];
  }
}

}  // namespace

pixel_size fit(pixel_size image, std::uint32_t longest_side) noexcept {
  const std::uint32_t longest = std::max(image.width, image.height);
  if (longest <= longest_side) {
    return image;
  }
  return {shrink(image.width, longest_side, longest), shrink(image.height, longest_side, longest)};
}

area_scaler::area_scaler(pixel_size from, pixel_size to, unsigned channels) : from_(from) {
  if (to.width == 0 || to.height == 0 || to.width > from.width || to.height > from.height ||
      from.width > longest_side || from.height > longest_side || channels == 0 || channels > 4) {
    throw std::invalid_argument("area_scaler: scale down, from at most 65,535 pixels a side, 1 to 4 channels");
  }
  result_ = {to, channels, std::vector<std::uint8_t>(std::size_t{to.width} * to.height * channels)};
  row_sums_.resize(result_.row_bytes());
  area_sums_.resize(result_.row_bytes());
}

void area_scaler::add_row(const std::uint8_t* row) {
  std::fill(row_sums_.begin(), row_sums_.end(), 0);
  switch (result_.channels) {
    case 1: sum_row<1>(row); break;
    case 2: sum_row<2>(row); break;
    case 3: sum_row<3>(row); break;
    default: sum_row<4>(row); break;
  }
  // This row covers [top, bottom), a row of the result from_.height units.
  const std::uint64_t top = std::uint64_t{rows_in_++} * result_.size.height;
  const std::uint64_t bottom = top + result_.size.height;
  const std::uint64_t edge = std::uint64_t{rows_out_ + 1} * from_.height;
  if (bottom < edge) {
    add_sums(bottom - top);
    return;
  }
  add_sums(edge - top);
  finish_row();
  if (bottom > edge) {
    add_sums(bottom - edge);
  }
}

// Along the row a pixel of the source is `unit` wide; what of it lies beyond the edge belongs to the next sum.
template <unsigned Channels>
void area_scaler::sum_row(const std::uint8_t* row) {
  const std::uint32_t unit = result_.size.width;
  std::uint32_t* sums = row_sums_.data();
  std::uint32_t room = from_.width;  // of the current sum
  for (const std::uint8_t* const end = row + std::size_t{from_.width} * Channels; row != end; row += Channels) {
    if (unit < room) {
      add_pixel<Channels>(row, unit, sums);
      room -= unit;
      continue;
    }
    const std::uint32_t beyond = unit - room;
    add_pixel<Channels>(row, room, sums);
    sums += Channels;
    if (beyond > 0) {
      add_pixel<Channels>(row, beyond, sums);
    }
    room = from_.width - beyond;
  }
}

void area_scaler::add_sums(std::uint64_t times) {
  for (std::size_t i = 0; i < area_sums_.size(); ++i) {
    area_sums_[i] += times * row_sums_[i];
  }
}

void area_scaler::finish_row() {
  const std::uint64_t area = std::uint64_t{from_.width} * from_.height;
  std::uint8_t* out = result_.pixels.data() + rows_out_++ * result_.row_bytes();
  const unsigned channels = result_.channels;
  const unsigned colours = result_.has_alpha() ? channels - 1 : channels;
  for (std::size_t at = 0; at < area_sums_.size(); at += channels) {
    const std::uint64_t weight = result_.has_alpha() ? area_sums_[at + colours] : area;
    for (unsigned c = 0; c < colours; ++c) {
      out[at + c] = weight == 0 ? std::uint8_t{0} : rounded_mean(area_sums_[at + c], weight);
    }
    if (result_.has_alpha()) {
      out[at + colours] = rounded_mean(weight, area);
    }
  }
  std::fill(area_sums_.begin(), area_sums_.end(), 0);
}

}  // namespace thumbnails
