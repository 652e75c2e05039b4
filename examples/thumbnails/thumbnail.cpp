#include "thumbnail.hpp"

#include <utility>

#include "area_scaler.hpp"
#include "image_reader.hpp"
#include "jpeg_writer.hpp"
#include "png_writer.hpp"

namespace thumbnails {
namespace {

constexpr int jpeg_quality = 85;

}  // namespace

thumbnail make_thumbnail(std::string_view file, std::uint32_t longest_side, work_policy& policy) {
  const auto image = open_image(file);
  thumbnail made{image->original_size(), fit(image->original_size(), longest_side), {}};
  if (!policy.go_on()) {
    return made;
  }
  if (const std::size_t bytes = image->bytes_needed(); bytes > 0 && !policy.take_memory(bytes)) {
    return made;
  }
  image->start(made.size);
  area_scaler scaler(image->row_size(), made.size, image->channels());
  for (std::uint32_t y = 0; y < image->row_size().height; ++y) {
    if (y % 16 == 0 && !policy.go_on()) {
      return made;
    }
    scaler.add_row(image->next_row());
  }
  image->finish();
  const bitmap small = std::move(scaler).take();
  made.file = image->format() == image_format::jpeg ? encode_jpeg(small, jpeg_quality) : encode_png(small);
  return made;
}

}  // namespace thumbnails
