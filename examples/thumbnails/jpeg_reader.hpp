#pragma once

#include <vector>

#include "image_reader.hpp"
#include "jpeg_errors.hpp"

namespace thumbnails {

class jpeg_reader final : public image_reader {
 public:
  explicit jpeg_reader(std::string_view bytes);
  ~jpeg_reader() override;
  jpeg_reader(const jpeg_reader&) = delete;
  jpeg_reader& operator=(const jpeg_reader&) = delete;

  image_format format() const noexcept override { return image_format::jpeg; }
  std::size_t bytes_needed() const noexcept override;
  void start(pixel_size target) override;
  const std::uint8_t* next_row() override;
  void finish() override;

 private:
  bool read_header(std::string_view bytes) noexcept;
  bool start_decoder() noexcept;
  bool read_row(std::uint8_t* into) noexcept;
  bool finish_decoder() noexcept;
  void inks_to_rgb() noexcept;

  jpeg_errors errors_;
  jpeg_decompress_struct decoder_;
  std::vector<std::uint8_t> row_;
};

}  // namespace thumbnails
