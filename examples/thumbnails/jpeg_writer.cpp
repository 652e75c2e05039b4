#include "jpeg_writer.hpp"

#include <cstdlib>

#include "jpeg_errors.hpp"

namespace thumbnails {
namespace {

class jpeg_writer {
 public:
  jpeg_writer() : encoder_() { encoder_.err = &errors_; }
  ~jpeg_writer() {
    ::jpeg_destroy_compress(&encoder_);
    std::free(bytes_);
  }
  jpeg_writer(const jpeg_writer&) = delete;
  jpeg_writer& operator=(const jpeg_writer&) = delete;

  std::string encode(const bitmap& image, int quality) {
    if (!run(image, quality)) {
      throw image_error(errors_.message);
    }
    return {reinterpret_cast<const char*>(bytes_), size_};
  }

 private:
  // longjmp ends it: C calls only, no local that changes after setjmp.
  bool run(const bitmap& image, int quality) noexcept {
    if (setjmp(errors_.jump) != 0) {
      return false;
    }
    jpeg_create_compress(&encoder_);
    ::jpeg_mem_dest(&encoder_, &bytes_, &size_);
    encoder_.image_width = image.size.width;
    encoder_.image_height = image.size.height;
    encoder_.input_components = static_cast<int>(image.channels);
    encoder_.in_color_space = image.channels == 1 ? JCS_GRAYSCALE : JCS_RGB;
    ::jpeg_set_defaults(&encoder_);
    ::jpeg_set_quality(&encoder_, quality, TRUE);
    encoder_.optimize_coding = TRUE;
    ::jpeg_start_compress(&encoder_, TRUE);
    while (encoder_.next_scanline < encoder_.image_height) {
      JSAMPROW row = const_cast<JSAMPROW>(image.row(encoder_.next_scanline));
      ::jpeg_write_scanlines(&encoder_, &row, 1);
    }
    ::jpeg_finish_compress(&encoder_);
    return true;
  }

  jpeg_errors errors_;
  jpeg_compress_struct encoder_;
  unsigned char* bytes_ = nullptr;
  unsigned long size_ = 0;
};

}  // namespace

std::string encode_jpeg(const bitmap& image, int quality) { return jpeg_writer().encode(image, quality); }

}  // namespace thumbnails
