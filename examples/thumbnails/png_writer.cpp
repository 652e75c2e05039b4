#include "png_writer.hpp"

#include "png_errors.hpp"

namespace thumbnails {
namespace {

extern "C" {

// An exception must not pass through libpng; png_error leaves by longjmp, so not from within the catch block either.
void append_png(png_structp codec, png_bytep bytes, std::size_t count) {
  bool kept = true;
  try {
    static_cast<std::string*>(::png_get_io_ptr(codec))->append(reinterpret_cast<const char*>(bytes), count);
  } catch (...) {
    kept = false;
  }
  if (!kept) {
    ::png_error(codec, "out of memory");
  }
}

void flush_png(png_structp) {}

}  // extern "C"

class png_writer {
 public:
  png_writer() {
    encoder_ =
        ::png_create_write_struct(PNG_LIBPNG_VER_STRING, &errors_, thumbnails_leave_png, thumbnails_ignore_png_warning);
    info_ = encoder_ != nullptr ? ::png_create_info_struct(encoder_) : nullptr;
    if (info_ == nullptr) {
      ::png_destroy_write_struct(&encoder_, &info_);
      throw image_error("no memory for libpng");
    }
  }
  ~png_writer() { ::png_destroy_write_struct(&encoder_, &info_); }
  png_writer(const png_writer&) = delete;
  png_writer& operator=(const png_writer&) = delete;

  std::string encode(const bitmap& image) {
    std::string file;
    if (!run(image, file)) {
      throw image_error(errors_.message);
    }
    return file;
  }

 private:
  // longjmp ends it: C calls only, no local that changes after setjmp.
  bool run(const bitmap& image, std::string& file) noexcept {
    static constexpr int color_types[] = {PNG_COLOR_TYPE_GRAY, PNG_COLOR_TYPE_GRAY_ALPHA, PNG_COLOR_TYPE_RGB,
                                          PNG_COLOR_TYPE_RGB_ALPHA};
    if (setjmp(errors_.jump) != 0) {
      return false;
    }
    ::png_set_write_fn(encoder_, &file, append_png, flush_png);
    ::png_set_IHDR(encoder_, info_, image.size.width, image.size.height, 8, color_types[image.channels - 1],
                   PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    ::png_write_info(encoder_, info_);
    for (std::uint32_t y = 0; y < image.size.height; ++y) {
      ::png_write_row(encoder_, image.row(y));
    }
    ::png_write_end(encoder_, info_);
    return true;
  }

  png_errors errors_;
  png_structp encoder_ = nullptr;
  png_infop info_ = nullptr;
};

}  // namespace

std::string encode_png(const bitmap& image) { return png_writer().encode(image); }

}  // namespace thumbnails
