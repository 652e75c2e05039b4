#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include "bitmap.hpp"

namespace thumbnails {

enum class image_format { jpeg, png };

// Decodes an image from memory, row by row. One thread or fiber at a time; throws image_error when it is broken.
//
// libjpeg and libpng report errors with longjmp. It never leaves a function of ours that calls them: what it jumps
// over is C only, nothing is destroyed on the way, nothing waits, so no fiber is switched in between.
class image_reader {
 public:
  virtual ~image_reader() = default;

  virtual image_format format() const noexcept = 0;
  pixel_size original_size() const noexcept { return original_; }

  // Between the constructor and start(): how many bytes beside some rows the decoder will need. That is the whole image
  // where the last row cannot be had before all is read: progressive JPEG, interlaced PNG.
  virtual std::size_t bytes_needed() const noexcept = 0;

  // Before the rows. The decoder may shrink the image by itself as long as both sides stay at least twice `target`.
  virtual void start(pixel_size target) = 0;
  pixel_size row_size() const noexcept { return decoded_; }
  unsigned channels() const noexcept { return channels_; }

  // The next of row_size().height rows; valid until the next call.
  virtual const std::uint8_t* next_row() = 0;
  // After the last row: throws if the end of the file is missing.
  virtual void finish() = 0;

 protected:
  pixel_size original_;
  pixel_size decoded_;
  unsigned channels_ = 0;
};

// By what the bytes say, whatever the file is called. `bytes` must outlive the reader.
std::unique_ptr<image_reader> open_image(std::string_view bytes);

}  // namespace thumbnails
