#include "png_reader.hpp"

#include <algorithm>
#include <new>

#include "area_scaler.hpp"

namespace thumbnails {

extern "C" {

void thumbnails_leave_png(png_structp codec, png_const_charp message) {
  auto* const errors = static_cast<png_errors*>(::png_get_error_ptr(codec));
  errors->keep(message);
  std::longjmp(errors->jump, 1);
}

// Profiles and dates that libpng does not like: the pixels are fine.
void thumbnails_ignore_png_warning(png_structp, png_const_charp) {}

static void read_png(png_structp codec, png_bytep into, std::size_t count) {
  if (!static_cast<png_reader*>(::png_get_io_ptr(codec))->take(into, count)) {
    ::png_error(codec, "premature end of file");
  }
}

}  // extern "C"

namespace {

void require(bool ok, const png_errors& errors) {
  if (!ok) {
    throw image_error(errors.message);
  }
}

}  // namespace

png_reader::png_reader(std::string_view bytes) : rest_(bytes) {
  decoder_ =
      ::png_create_read_struct(PNG_LIBPNG_VER_STRING, &errors_, thumbnails_leave_png, thumbnails_ignore_png_warning);
  info_ = decoder_ != nullptr ? ::png_create_info_struct(decoder_) : nullptr;
  if (info_ == nullptr || !read_header()) {
    ::png_destroy_read_struct(&decoder_, &info_, nullptr);
    throw image_error(info_ == nullptr && errors_.message[0] == '\0' ? "no memory for libpng" : errors_.message);
  }
  original_ = {::png_get_image_width(decoder_, info_), ::png_get_image_height(decoder_, info_)};
}

png_reader::~png_reader() { ::png_destroy_read_struct(&decoder_, &info_, nullptr); }

bool png_reader::interlaced() const noexcept { return ::png_get_interlace_type(decoder_, info_) != PNG_INTERLACE_NONE; }

// Four channels at most, however many there are.
std::size_t png_reader::bytes_needed() const noexcept {
  return interlaced() ? std::size_t{original_.width} * original_.height * 4 : 0;
}

void png_reader::start(pixel_size) {
  require(start_decoder(), errors_);
  decoded_ = original_;
  channels_ = ::png_get_channels(decoder_, info_);
  const std::size_t row_bytes = ::png_get_rowbytes(decoder_, info_);
  if (row_bytes != std::size_t{decoded_.width} * channels_) {
    throw image_error("a kind of PNG that is not known");
  }
  rows_.resize(interlaced() ? row_bytes * decoded_.height : row_bytes);
  rows_given_ = 0;
  if (interlaced()) {
    require(read_interlaced(), errors_);
  }
}

const std::uint8_t* png_reader::next_row() {
  if (interlaced()) {
    return rows_.data() + std::size_t{rows_given_++} * decoded_.width * channels_;
  }
  require(read_row(rows_.data()), errors_);
  return rows_.data();
}

void png_reader::finish() { require(finish_decoder(), errors_); }

bool png_reader::take(png_bytep into, std::size_t count) noexcept {
  if (count > rest_.size()) {
    return false;
  }
  std::copy_n(rest_.data(), count, reinterpret_cast<char*>(into));
  rest_.remove_prefix(count);
  return true;
}

// The functions that longjmp ends: C calls only, no local that changes after setjmp.

bool png_reader::read_header() noexcept {
  if (setjmp(errors_.jump) != 0) {
    return false;
  }
  ::png_set_user_limits(decoder_, area_scaler::longest_side, area_scaler::longest_side);
  ::png_set_read_fn(decoder_, this, read_png);
  ::png_read_info(decoder_, info_);
  return true;
}

// 8 bits a channel, no palette, transparency as a channel.
bool png_reader::start_decoder() noexcept {
  if (setjmp(errors_.jump) != 0) {
    return false;
  }
  ::png_set_expand(decoder_);
  ::png_set_scale_16(decoder_);
  passes_ = ::png_set_interlace_handling(decoder_);
  ::png_read_update_info(decoder_, info_);
  return true;
}

bool png_reader::read_row(png_bytep into) noexcept {
  if (setjmp(errors_.jump) != 0) {
    return false;
  }
  ::png_read_row(decoder_, into, nullptr);
  return true;
}

bool png_reader::read_interlaced() noexcept {
  if (setjmp(errors_.jump) != 0) {
    return false;
  }
  const std::size_t row_bytes = std::size_t{decoded_.width} * channels_;
  for (int pass = 0; pass < passes_; ++pass) {
    for (std::uint32_t y = 0; y < decoded_.height; ++y) {
      ::png_read_row(decoder_, rows_.data() + y * row_bytes, nullptr);
    }
  }
  return true;
}

bool png_reader::finish_decoder() noexcept {
  if (setjmp(errors_.jump) != 0) {
    return false;
  }
  ::png_read_end(decoder_, nullptr);
  return true;
}

}  // namespace thumbnails
