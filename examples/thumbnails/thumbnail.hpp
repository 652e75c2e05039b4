#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "bitmap.hpp"

namespace thumbnails {

// How the work asks for what others want too; implemented by whoever runs it.
class work_policy {
 public:
  virtual ~work_policy() = default;
  // For an image that must be decoded as a whole. May wait. False: give up. Throws image_error if it is too large.
  virtual bool take_memory(std::size_t bytes) = 0;
  // Between the rows. False: give up.
  virtual bool go_on() = 0;
};

struct thumbnail {
  pixel_size original;
  pixel_size size;
  std::string file;  // in the format of the original; empty: given up
};

// Decodes, scales and encodes; keeps a processor busy meanwhile. Memory: some rows, the thumbnail, and what it asked
// for. Throws image_error.
thumbnail make_thumbnail(std::string_view file, std::uint32_t longest_side, work_policy& policy);

}  // namespace thumbnails
