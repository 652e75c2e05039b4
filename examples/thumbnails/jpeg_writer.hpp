#pragma once

#include <string>

#include "bitmap.hpp"

namespace thumbnails {

// A JPEG file of the bitmap, which has 1 or 3 channels. Throws image_error.
std::string encode_jpeg(const bitmap& image, int quality);

}  // namespace thumbnails
