// For thumbnails.sh: makes images and looks at them with libjpeg and libpng alone, without the example's code.
//
//   thumbnails_probe make FILE WIDTH HEIGHT LEFT RIGHT   a .jpg or .png; a colour is R,G,B or R,G,B,A or noise
//   thumbnails_probe show FILE...                        "FILE: png 64x48 R,G,B,A R,G,B,A spread N": the colours of the
//                                                        left and right half, and the farthest that a channel of a
//                                                        pixel is away from them
//   thumbnails_probe peak COMMAND...                     runs it; its peak memory in KiB goes to descriptor 3

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include <jpeglib.h>
#include <png.h>

namespace {

using pixel = std::array<std::uint8_t, 4>;

struct picture {
  std::uint32_t width = 0;
  std::uint32_t height = 0;
  std::vector<pixel> pixels;
};

picture read_png(const std::string& file) {
  png_image image{};
  image.version = PNG_IMAGE_VERSION;
  if (::png_image_begin_read_from_memory(&image, file.data(), file.size()) == 0) {
    throw std::runtime_error(image.message);
  }
  image.format = PNG_FORMAT_RGBA;
  picture got{image.width, image.height, std::vector<pixel>(std::size_t{image.width} * image.height)};
  if (::png_image_finish_read(&image, nullptr, got.pixels.data(), 0, nullptr) == 0) {
    throw std::runtime_error(image.message);
  }
  return got;
}

void write_png(const char* path, const picture& from) {
  png_image image{};
  image.version = PNG_IMAGE_VERSION;
  image.width = from.width;
  image.height = from.height;
  image.format = PNG_FORMAT_RGBA;
  if (::png_image_write_to_file(&image, path, 0, from.pixels.data(), 0, nullptr) == 0) {
    throw std::runtime_error(image.message);
  }
}

// libjpeg's own error handler ends the program, which will do here.
picture read_jpeg(const std::string& file) {
  jpeg_error_mgr errors;
  jpeg_decompress_struct decoder;
  decoder.err = ::jpeg_std_error(&errors);
  jpeg_create_decompress(&decoder);
  ::jpeg_mem_src(&decoder, reinterpret_cast<const unsigned char*>(file.data()), file.size());
  ::jpeg_read_header(&decoder, TRUE);
  decoder.out_color_space = JCS_EXT_RGBA;
  ::jpeg_start_decompress(&decoder);
  picture got{decoder.output_width, decoder.output_height, {}};
  got.pixels.resize(std::size_t{got.width} * got.height);
  while (decoder.output_scanline < decoder.output_height) {
    JSAMPROW row = got.pixels[std::size_t{decoder.output_scanline} * got.width].data();
    ::jpeg_read_scanlines(&decoder, &row, 1);
  }
  ::jpeg_finish_decompress(&decoder);
  ::jpeg_destroy_decompress(&decoder);
  if (errors.num_warnings != 0) {
    throw std::runtime_error("corrupt JPEG");
  }
  return got;
}

void write_jpeg(const char* path, picture from) {
  jpeg_error_mgr errors;
  jpeg_compress_struct encoder;
  encoder.err = ::jpeg_std_error(&errors);
  jpeg_create_compress(&encoder);
  FILE* const file = std::fopen(path, "wb");
  if (file == nullptr) {
    throw std::runtime_error("cannot write");
  }
  ::jpeg_stdio_dest(&encoder, file);
  encoder.image_width = from.width;
  encoder.image_height = from.height;
  encoder.input_components = 4;
  encoder.in_color_space = JCS_EXT_RGBX;
  ::jpeg_set_defaults(&encoder);
  ::jpeg_set_quality(&encoder, 95, TRUE);
  ::jpeg_start_compress(&encoder, TRUE);
  while (encoder.next_scanline < encoder.image_height) {
    JSAMPROW row = from.pixels[std::size_t{encoder.next_scanline} * from.width].data();
    ::jpeg_write_scanlines(&encoder, &row, 1);
  }
  ::jpeg_finish_compress(&encoder);
  ::jpeg_destroy_compress(&encoder);
  std::fclose(file);
}

void make(const std::string& path, std::uint32_t width, std::uint32_t height, const char* left, const char* right) {
  std::mt19937 random(1);
  const auto fill = [&](const char* colour, pixel& into) {
    if (std::strcmp(colour, "noise") == 0) {
      const auto bits = random();
      into = {static_cast<std::uint8_t>(bits), static_cast<std::uint8_t>(bits >> 8),
              static_cast<std::uint8_t>(bits >> 16), 255};
      return;
    }
    unsigned r = 0, g = 0, b = 0, a = 255;
    if (std::sscanf(colour, "%u,%u,%u,%u", &r, &g, &b, &a) < 3) {
      throw std::runtime_error("which colour?");
    }
    into = {static_cast<std::uint8_t>(r), static_cast<std::uint8_t>(g), static_cast<std::uint8_t>(b),
            static_cast<std::uint8_t>(a)};
  };
  picture made{width, height, std::vector<pixel>(std::size_t{width} * height)};
  for (std::size_t at = 0; at < made.pixels.size(); ++at) {
    fill(at % width < width / 2 ? left : right, made.pixels[at]);
  }
  path.ends_with(".png") ? write_png(path.c_str(), made) : write_jpeg(path.c_str(), std::move(made));
}

void show(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  const std::string file{std::istreambuf_iterator<char>(in), {}};
  const bool png = file.starts_with("\x89PNG");
  const picture got = png ? read_png(file) : read_jpeg(file);
  const std::size_t middle = std::size_t{got.height / 2} * got.width;
  const pixel left = got.pixels[middle + got.width / 4];
  const pixel right = got.pixels[middle + got.width - 1 - got.width / 4];
  int spread = 0;
  for (std::size_t at = 0; at < got.pixels.size(); ++at) {
    const pixel& want = at % got.width < got.width / 2 ? left : right;
    for (std::size_t c = 0; c < 4; ++c) {
      spread = std::max(spread, std::abs(want[c] - got.pixels[at][c]));
    }
  }
  std::printf("%s: %s %ux%u %d,%d,%d,%d %d,%d,%d,%d spread %d\n", path.c_str(), png ? "png" : "jpeg", got.width,
              got.height, left[0], left[1], left[2], left[3], right[0], right[1], right[2], right[3], spread);
}

int peak(char** command) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::execvp(command[0], command);
    ::_exit(127);
  }
  int status = 0;
  rusage used{};
  if (child < 0 || ::wait4(child, &status, 0, &used) != child) {
    return 2;
  }
  ::dprintf(3, "%ld\n", used.ru_maxrss);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 2;
}

int run(int argc, char** argv) {
  const std::string task = argc > 2 ? argv[1] : "";
  if (task == "peak") {
    return peak(argv + 2);
  }
  if (task == "make" && argc == 7) {
    make(argv[2], static_cast<std::uint32_t>(std::stoul(argv[3])), static_cast<std::uint32_t>(std::stoul(argv[4])),
         argv[5], argv[6]);
    return 0;
  }
  if (task == "show") {
    std::for_each(argv + 2, argv + argc, [](const char* path) { show(path); });
    return 0;
  }
  throw std::runtime_error("make, show or peak?");
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const std::exception& failure) {
    std::fprintf(stderr, "thumbnails_probe: %s: %s\n", argc > 2 ? argv[2] : "", failure.what());
    return 1;
  }
}
