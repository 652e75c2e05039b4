#pragma once

#include <vector>

#include "image_reader.hpp"
#include "png_errors.hpp"

namespace thumbnails {

class png_reader final : public image_reader {
 public:
  explicit png_reader(std::string_view bytes);
  ~png_reader() override;
  png_reader(const png_reader&) = delete;
  png_reader& operator=(const png_reader&) = delete;

  image_format format() const noexcept override { return image_format::png; }
  std::size_t bytes_needed() const noexcept override;
  void start(pixel_size target) override;
  const std::uint8_t* next_row() override;
  void finish() override;

  // For libpng. False: the file ends here.
  bool take(png_bytep into, std::size_t count) noexcept;

 private:
  bool read_header() noexcept;
  bool start_decoder() noexcept;
  bool read_row(png_bytep into) noexcept;
  bool read_interlaced() noexcept;
  bool finish_decoder() noexcept;
  bool interlaced() const noexcept;

  std::string_view rest_;
  png_errors errors_;
  png_structp decoder_ = nullptr;
  png_infop info_ = nullptr;
  int passes_ = 1;
  std::uint32_t rows_given_ = 0;
  std::vector<std::uint8_t> rows_;  // one, or all if interlaced
};

}  // namespace thumbnails
