#include "jpeg_reader.hpp"

#include <jerror.h>

#include <algorithm>

#include "area_scaler.hpp"

namespace thumbnails {
namespace {

extern "C" {

[[noreturn]] void leave(j_common_ptr codec) {
  auto* const errors = static_cast<jpeg_errors*>(codec->err);
  errors->format_message(codec, errors->message);
  std::longjmp(errors->jump, 1);
}

// Below 0: corrupt data that libjpeg can paper over. Grey areas are no thumbnail, so what is missing is an error;
// stray bytes and odd markers, which many cameras write, are not.
void judge(j_common_ptr codec, int level) {
  const int code = codec->err->msg_code;
  if (level < 0 && (code == JWRN_JPEG_EOF || code == JWRN_HIT_MARKER || code == JWRN_HUFF_BAD_CODE)) {
    leave(codec);
  }
}

}  // extern "C"

void require(bool ok, const jpeg_errors& errors) {
  if (!ok) {
    throw image_error(errors.message);
  }
}

}  // namespace

jpeg_errors::jpeg_errors() {
  ::jpeg_std_error(this);
  error_exit = leave;
  emit_message = judge;
}

jpeg_reader::jpeg_reader(std::string_view bytes) : decoder_() {
  decoder_.err = &errors_;
  if (!read_header(bytes)) {
    ::jpeg_destroy_decompress(&decoder_);
    throw image_error(errors_.message);
  }
  original_ = {decoder_.image_width, decoder_.image_height};
}

jpeg_reader::~jpeg_reader() { ::jpeg_destroy_decompress(&decoder_); }

std::size_t jpeg_reader::bytes_needed() const noexcept {
  if (::jpeg_has_multiple_scans(const_cast<j_decompress_ptr>(&decoder_)) == FALSE) {
    return 0;
  }
  // The coefficients of all blocks, two bytes each, with every component at full size: never less than what is taken.
  const std::size_t width = (std::size_t{original_.width} + 31) / 32 * 32;
  const std::size_t height = (std::size_t{original_.height} + 31) / 32 * 32;
  return width * height * 2 * static_cast<std::size_t>(decoder_.num_components);
}

void jpeg_reader::start(pixel_size target) {
  decoder_.scale_num = 1;
  decoder_.scale_denom = 1;
  while (decoder_.scale_denom < 8 && original_.width / (decoder_.scale_denom * 2) >= 2 * target.width &&
         original_.height / (decoder_.scale_denom * 2) >= 2 * target.height) {
    decoder_.scale_denom *= 2;
  }
  switch (decoder_.jpeg_color_space) {
    case JCS_GRAYSCALE: decoder_.out_color_space = JCS_GRAYSCALE; break;
    case JCS_CMYK:
    case JCS_YCCK: decoder_.out_color_space = JCS_CMYK; break;
    default: decoder_.out_color_space = JCS_RGB; break;
  }
  require(start_decoder(), errors_);
  decoded_ = {decoder_.output_width, decoder_.output_height};
  channels_ = decoder_.out_color_space == JCS_GRAYSCALE ? 1 : 3;
  row_.resize(std::size_t{decoded_.width} * static_cast<std::size_t>(decoder_.output_components));
}

const std::uint8_t* jpeg_reader::next_row() {
  require(read_row(row_.data()), errors_);
  if (decoder_.out_color_space == JCS_CMYK) {
    inks_to_rgb();
  }
  return row_.data();
}

void jpeg_reader::finish() { require(finish_decoder(), errors_); }

// Without a colour profile, ink by ink. Adobe writes inks inverted: 255 is none.
void jpeg_reader::inks_to_rgb() noexcept {
  const bool inverted = decoder_.saw_Adobe_marker != FALSE;
  for (std::size_t x = 0; x < decoded_.width; ++x) {
    const std::uint8_t* const inks = row_.data() + 4 * x;
    const unsigned black = inverted ? inks[3] : 255U - inks[3];
    for (std::size_t c = 0; c < 3; ++c) {
      const unsigned light = inverted ? inks[c] : 255U - inks[c];
      row_[3 * x + c] = static_cast<std::uint8_t>((light * black + 127) / 255);
    }
  }
}

// The functions that longjmp ends: C calls only, no local that changes after setjmp.

bool jpeg_reader::read_header(std::string_view bytes) noexcept {
  if (setjmp(errors_.jump) != 0) {
    return false;
  }
  jpeg_create_decompress(&decoder_);
  ::jpeg_mem_src(&decoder_, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size());
  ::jpeg_read_header(&decoder_, TRUE);
  return true;
}

bool jpeg_reader::start_decoder() noexcept {
  if (setjmp(errors_.jump) != 0) {
    return false;
  }
  ::jpeg_start_decompress(&decoder_);
  return true;
}

bool jpeg_reader::read_row(std::uint8_t* into) noexcept {
  if (setjmp(errors_.jump) != 0) {
    return false;
  }
  ::jpeg_read_scanlines(&decoder_, &into, 1);
  return true;
}

bool jpeg_reader::finish_decoder() noexcept {
  if (setjmp(errors_.jump) != 0) {
    return false;
  }
  ::jpeg_finish_decompress(&decoder_);
  return true;
}

}  // namespace thumbnails
