#include "image_reader.hpp"

#include "jpeg_reader.hpp"
#include "png_reader.hpp"

namespace thumbnails {

std::unique_ptr<image_reader> open_image(std::string_view bytes) {
  if (bytes.empty()) {
    throw image_error("is empty");
  }
  if (bytes.starts_with("\xff\xd8\xff")) {
    return std::make_unique<jpeg_reader>(bytes);
  }
  if (bytes.starts_with("\x89PNG\r\n\x1a\n")) {
    return std::make_unique<png_reader>(bytes);
  }
  throw image_error("neither a JPEG nor a PNG image");
}

}  // namespace thumbnails
