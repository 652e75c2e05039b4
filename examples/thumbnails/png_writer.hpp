#pragma once

#include <string>

#include "bitmap.hpp"

namespace thumbnails {

// A PNG file of the bitmap, 8 bits a channel. Throws image_error.
std::string encode_png(const bitmap& image);

}  // namespace thumbnails
