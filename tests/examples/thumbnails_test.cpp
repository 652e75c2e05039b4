// The parts of examples/thumbnails that need no fibers. The command as a whole: thumbnails.sh.

#include <gtest/gtest.h>
#include <png.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <jpeglib.h>

#include "area_scaler.hpp"
#include "file_io.hpp"
#include "image_name.hpp"
#include "image_reader.hpp"
#include "jpeg_writer.hpp"
#include "manifest.hpp"
#include "options.hpp"
#include "output_tree.hpp"
#include "png_writer.hpp"
#include "thumbnail.hpp"

namespace {

namespace fs = std::filesystem;
using namespace thumbnails;

class scratch_directory {
 public:
  scratch_directory() {
    std::string name = (fs::temp_directory_path() / "thumbnails_XXXXXX").string();
    path_ = ::mkdtemp(name.data()) != nullptr ? name : throw std::system_error(errno, std::generic_category(), name);
  }
  ~scratch_directory() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  scratch_directory(const scratch_directory&) = delete;
  scratch_directory& operator=(const scratch_directory&) = delete;

  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

std::string content(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

std::mt19937& seeded() {
  static const unsigned seed = [] {
    const char* const given = std::getenv("SPOOL_TEST_SEED");
    const unsigned chosen =
        given != nullptr ? static_cast<unsigned>(std::strtoul(given, nullptr, 10)) : std::random_device{}();
    std::printf("SPOOL_TEST_SEED=%u\n", chosen);
    return chosen;
  }();
  static std::mt19937 random(seed);
  return random;
}

std::uint32_t between(std::uint32_t least, std::uint32_t most) {
  return std::uniform_int_distribution<std::uint32_t>(least, most)(seeded());
}

bitmap random_bitmap(pixel_size size, unsigned channels) {
  bitmap made{size, channels, std::vector<std::uint8_t>(std::size_t{size.width} * size.height * channels)};
  std::generate(made.pixels.begin(), made.pixels.end(), [] { return static_cast<std::uint8_t>(between(0, 255)); });
  return made;
}

bitmap scaled(const bitmap& from, pixel_size to) {
  area_scaler scaler(from.size, to, from.channels);
  for (std::uint32_t y = 0; y < from.size.height; ++y) {
    scaler.add_row(from.row(y));
  }
  return std::move(scaler).take();
}

// The definition, in floating point: each pixel of the source by how much of it lies in the area.
double covered(double pixel, double low, double high) {
  return std::max(0.0, std::min(pixel + 1, high) - std::max(pixel, low));
}

std::vector<double> area_mean(const bitmap& from, pixel_size to, std::uint32_t x, std::uint32_t y) {
  const double wide = static_cast<double>(from.size.width) / to.width;
  const double high = static_cast<double>(from.size.height) / to.height;
  std::vector<double> sums(from.channels);
  double weights = 0;
  double all = 0;
  for (std::uint32_t j = 0; j < from.size.height; ++j) {
    for (std::uint32_t i = 0; i < from.size.width; ++i) {
      const double area = covered(i, x * wide, (x + 1) * wide) * covered(j, y * high, (y + 1) * high);
      const std::uint8_t* const pixel = from.row(j) + i * from.channels;
      const double weight = from.has_alpha() ? area * pixel[from.channels - 1] : area;
      const unsigned colours = from.has_alpha() ? from.channels - 1 : from.channels;
      for (unsigned c = 0; c < colours; ++c) {
        sums[c] += weight * pixel[c];
      }
      weights += weight;
      all += area;
    }
  }
  for (double& sum : sums) {
    sum = weights > 0 ? sum / weights : 0;
  }
  if (from.has_alpha()) {
    sums.back() = weights / all;
  }
  return sums;
}

TEST(ThumbnailsFit, LongestSideBecomesTheSizeAndTheOtherFollows) {
  EXPECT_EQ(fit({4000, 3000}, 256), (pixel_size{256, 192}));
  EXPECT_EQ(fit({3000, 4000}, 256), (pixel_size{192, 256}));
  EXPECT_EQ(fit({1000, 1000}, 1), (pixel_size{1, 1}));
  EXPECT_EQ(fit({1000, 1}, 10), (pixel_size{10, 1}));
  EXPECT_EQ(fit({1000, 599}, 100), (pixel_size{100, 60}));
}

TEST(ThumbnailsFit, NothingIsEnlarged) {
  EXPECT_EQ(fit({256, 10}, 256), (pixel_size{256, 10}));
  EXPECT_EQ(fit({1, 1}, 256), (pixel_size{1, 1}));
}

TEST(ThumbnailsScaler, OneColourStaysExactly) {
  for (int round = 0; round < 50; ++round) {
    const pixel_size from{between(1, 200), between(1, 200)};
    const pixel_size to{between(1, from.width), between(1, from.height)};
    const unsigned channels = between(1, 4);
    bitmap image = random_bitmap({1, 1}, channels);
    image.pixels.back() = std::max<std::uint8_t>(1, image.pixels.back());  // with alpha 0 there is no colour
    const auto colour = image.pixels;
    image = {from, channels, {}};
    bitmap want{to, channels, {}};
    for (std::size_t i = 0; i < std::size_t{from.width} * from.height; ++i) {
      image.pixels.insert(image.pixels.end(), colour.begin(), colour.end());
    }
    for (std::size_t i = 0; i < std::size_t{to.width} * to.height; ++i) {
      want.pixels.insert(want.pixels.end(), colour.begin(), colour.end());
    }
    ASSERT_EQ(scaled(image, to).pixels, want.pixels) << from.width << 'x' << from.height;
  }
}

TEST(ThumbnailsScaler, PixelsAreMeansOfTheAreasTheyCover) {
  for (int round = 0; round < 40; ++round) {
    const pixel_size from{between(1, 24), between(1, 24)};
    const pixel_size to{between(1, from.width), between(1, from.height)};
    const bitmap image = random_bitmap(from, between(1, 4));
    const bitmap got = scaled(image, to);
    ASSERT_EQ(got.size, to);
    for (std::uint32_t y = 0; y < to.height; ++y) {
      for (std::uint32_t x = 0; x < to.width; ++x) {
        const auto want = area_mean(image, to, x, y);
        for (unsigned c = 0; c < got.channels; ++c) {
          ASSERT_NEAR(got.row(y)[x * got.channels + c], want[c], 0.5001) << from.width << 'x' << from.height;
        }
      }
    }
  }
}

TEST(ThumbnailsScaler, SameSizeIsTheSameImage) {
  for (const unsigned channels : {1U, 3U}) {
    const bitmap image = random_bitmap({17, 5}, channels);
    EXPECT_EQ(scaled(image, image.size).pixels, image.pixels);
  }
}

TEST(ThumbnailsScaler, WhatIsTransparentHasNoColourToGive) {
  const bitmap image{{2, 1}, 4, {255, 0, 0, 0, 10, 20, 30, 200}};
  EXPECT_EQ(scaled(image, {1, 1}).pixels, (std::vector<std::uint8_t>{10, 20, 30, 100}));
}

TEST(ThumbnailsScaler, LargestSidesDoNotOverflow) {
  const bitmap image{{65'535, 1}, 2, std::vector<std::uint8_t>(2 * 65'535, 255)};
  EXPECT_EQ(scaled(image, {1, 1}).pixels, (std::vector<std::uint8_t>{255, 255}));
  EXPECT_EQ(scaled(image, {65'534, 1}).pixels, std::vector<std::uint8_t>(2 * 65'534, 255));
}

TEST(ThumbnailsScaler, MisuseIsRefused) {
  EXPECT_THROW(area_scaler({10, 10}, {11, 1}, 3), std::invalid_argument);
  EXPECT_THROW(area_scaler({10, 10}, {0, 1}, 3), std::invalid_argument);
  EXPECT_THROW(area_scaler({10, 10}, {1, 1}, 5), std::invalid_argument);
  EXPECT_THROW(area_scaler({65'536, 10}, {1, 1}, 3), std::invalid_argument);
}

struct policy final : work_policy {
  bool take_memory(std::size_t bytes) override {
    taken += bytes;
    return grants;
  }
  bool go_on() override { return --steps != 0; }
  std::size_t taken = 0;
  bool grants = true;
  int steps = -1;  // negative: no end
};

bitmap decoded(const std::string& file) {
  const auto reader = open_image(file);
  reader->start(reader->original_size());
  bitmap got{reader->row_size(), reader->channels(), {}};
  for (std::uint32_t y = 0; y < got.size.height; ++y) {
    const std::uint8_t* const row = reader->next_row();
    got.pixels.insert(got.pixels.end(), row, row + got.row_bytes());
  }
  reader->finish();
  return got;
}

std::string why_not(const std::string& file) {
  policy ignored;
  try {
    static_cast<void>(make_thumbnail(file, 16, ignored));
  } catch (const image_error& why) {
    return why.what();
  }
  return "";
}

// libpng as it stands; its own error handler aborts, which will do here.
struct png_kind {
  int color_type;
  int bits;
  int interlace;
};

std::string written_png(png_kind kind, pixel_size size, const std::vector<std::uint8_t>& bytes) {
  std::string file;
  png_structp codec = ::png_create_write_struct(PNG_LIBPNG_VER_STRING, nullptr, nullptr, nullptr);
  png_infop info = ::png_create_info_struct(codec);
  ::png_set_write_fn(
      codec, &file,
      [](png_structp writer, png_bytep from, std::size_t count) {
        static_cast<std::string*>(::png_get_io_ptr(writer))->append(reinterpret_cast<char*>(from), count);
      },
      [](png_structp) {});
  ::png_set_IHDR(codec, info, size.width, size.height, kind.bits, kind.color_type, kind.interlace, 0, 0);
  if (kind.color_type == PNG_COLOR_TYPE_PALETTE) {
    const png_color colours[] = {{1, 2, 3}, {200, 100, 50}};
    const png_byte alphas[] = {0, 128};
    ::png_set_PLTE(codec, info, colours, 2);
    ::png_set_tRNS(codec, info, alphas, 2, nullptr);
  }
  ::png_write_info(codec, info);
  std::vector<png_bytep> rows;
  for (std::size_t y = 0; y < size.height; ++y) {
    rows.push_back(const_cast<png_bytep>(bytes.data() + y * (bytes.size() / size.height)));
  }
  ::png_write_image(codec, rows.data());
  ::png_write_end(codec, info);
  ::png_destroy_write_struct(&codec, &info);
  return file;
}

TEST(ThumbnailsPng, EveryNumberOfChannelsComesBackInterlacedOrNot) {
  const int types[] = {PNG_COLOR_TYPE_GRAY, PNG_COLOR_TYPE_GRAY_ALPHA, PNG_COLOR_TYPE_RGB, PNG_COLOR_TYPE_RGB_ALPHA};
  for (unsigned channels = 1; channels <= 4; ++channels) {
    const bitmap image = random_bitmap({37, 23}, channels);
    EXPECT_EQ(decoded(encode_png(image)).pixels, image.pixels);
    for (const int interlace : {PNG_INTERLACE_NONE, PNG_INTERLACE_ADAM7}) {
      const std::string file = written_png({types[channels - 1], 8, interlace}, image.size, image.pixels);
      const bitmap got = decoded(file);
      EXPECT_EQ(got.channels, channels);
      EXPECT_EQ(got.pixels, image.pixels);
      EXPECT_EQ(open_image(file)->bytes_needed() > 0, interlace == PNG_INTERLACE_ADAM7);
    }
  }
}

TEST(ThumbnailsPng, PalettesFewAndManyBitsBecomeEight) {
  const bitmap palette = decoded(written_png({PNG_COLOR_TYPE_PALETTE, 8, 0}, {2, 1}, {0, 1}));
  EXPECT_EQ(palette.pixels, (std::vector<std::uint8_t>{1, 2, 3, 0, 200, 100, 50, 128}));
  const bitmap two_tone = decoded(written_png({PNG_COLOR_TYPE_GRAY, 1, 0}, {2, 1}, {0x40}));
  EXPECT_EQ(two_tone.pixels, (std::vector<std::uint8_t>{0, 255}));
  const bitmap deep = decoded(written_png({PNG_COLOR_TYPE_GRAY, 16, 0}, {2, 1}, {0xff, 0xff, 0x80, 0x80}));
  EXPECT_EQ(deep.pixels, (std::vector<std::uint8_t>{255, 128}));
}

// libjpeg as it stands, with one colour; its own error handler exits.
std::string written_jpeg(J_COLOR_SPACE space, std::vector<std::uint8_t> pixel, pixel_size size, bool progressive) {
  jpeg_error_mgr errors;
  jpeg_compress_struct codec;
  codec.err = ::jpeg_std_error(&errors);
  jpeg_create_compress(&codec);
  unsigned char* bytes = nullptr;
  unsigned long count = 0;
  ::jpeg_mem_dest(&codec, &bytes, &count);
  codec.image_width = size.width;
  codec.image_height = size.height;
  codec.input_components = static_cast<int>(pixel.size());
  codec.in_color_space = space;
  ::jpeg_set_defaults(&codec);
  if (progressive) {
    ::jpeg_simple_progression(&codec);
  }
  std::vector<std::uint8_t> row;
  for (std::uint32_t x = 0; x < size.width; ++x) {
    row.insert(row.end(), pixel.begin(), pixel.end());
  }
  ::jpeg_start_compress(&codec, TRUE);
  for (JSAMPROW from = row.data(); codec.next_scanline < size.height;) {
    ::jpeg_write_scanlines(&codec, &from, 1);
  }
  ::jpeg_finish_compress(&codec);
  std::string file(reinterpret_cast<char*>(bytes), count);
  ::jpeg_destroy_compress(&codec);
  std::free(bytes);
  return file;
}

void expect_colour(const bitmap& image, const std::vector<int>& colour) {
  ASSERT_EQ(image.channels, colour.size());
  for (std::size_t at = 0; at < image.pixels.size(); ++at) {
    ASSERT_NEAR(image.pixels[at], colour[at % colour.size()], 3);
  }
}

TEST(ThumbnailsJpeg, GreyColourAndInkKeepTheirColour) {
  expect_colour(decoded(written_jpeg(JCS_RGB, {200, 100, 50}, {40, 30}, false)), {200, 100, 50});
  expect_colour(decoded(written_jpeg(JCS_GRAYSCALE, {77}, {40, 30}, false)), {77});
  // libjpeg marks CMYK as Adobe's, with inverted inks: light = ink * black / 255.
  expect_colour(decoded(written_jpeg(JCS_CMYK, {255, 128, 0, 255}, {40, 30}, false)), {255, 128, 0});
  expect_colour(decoded(written_jpeg(JCS_CMYK, {255, 128, 0, 51}, {40, 30}, false)), {51, 26, 0});
}

TEST(ThumbnailsJpeg, DecoderShrinksButNotBelowTwiceTheTarget) {
  const std::string file = written_jpeg(JCS_RGB, {10, 20, 30}, {1000, 800}, false);
  for (const auto& [target, expected] :
       {std::pair{pixel_size{501, 400}, pixel_size{1000, 800}}, {{250, 200}, {500, 400}}, {{60, 48}, {125, 100}}}) {
    const auto reader = open_image(file);
    reader->start(target);
    EXPECT_EQ(reader->row_size(), expected);
    EXPECT_EQ(reader->original_size(), (pixel_size{1000, 800}));
  }
}

TEST(ThumbnailsJpeg, ProgressiveOnesAskForMemoryOthersDoNot) {
  for (const bool progressive : {false, true}) {
    policy asked;
    const auto made = make_thumbnail(written_jpeg(JCS_RGB, {10, 200, 30}, {320, 160}, progressive), 64, asked);
    expect_colour(decoded(made.file), {10, 200, 30});
    EXPECT_EQ(made.size, (pixel_size{64, 32}));
    EXPECT_EQ(asked.taken, progressive ? 320U * 160 * 2 * 3 : 0U);
  }
}

TEST(ThumbnailsMake, KeepsTheFormatOfTheContent) {
  policy go;
  const bitmap image = random_bitmap({90, 40}, 3);
  EXPECT_EQ(open_image(make_thumbnail(encode_png(image), 32, go).file)->format(), image_format::png);
  EXPECT_EQ(open_image(make_thumbnail(encode_jpeg(image, 90), 32, go).file)->format(), image_format::jpeg);
}

TEST(ThumbnailsMake, GivesUpWhenToldSo) {
  const std::string file = written_jpeg(JCS_RGB, {1, 2, 3}, {64, 640}, true);
  policy refusing;
  refusing.grants = false;
  EXPECT_EQ(make_thumbnail(file, 64, refusing).file, "");
  for (int steps = 1; steps < 10; ++steps) {
    policy stopping;
    stopping.steps = steps;
    EXPECT_EQ(make_thumbnail(file, 64, stopping).file, "") << steps;
  }
}

TEST(ThumbnailsMake, TruncatedImagesAreRefusedAtEveryLength) {
  const bitmap image = random_bitmap({33, 21}, 3);
  for (const std::string& file :
       {encode_png(image), encode_jpeg(image, 80), written_jpeg(JCS_RGB, {9, 99, 199}, {50, 50}, true),
        written_png({PNG_COLOR_TYPE_RGB, 8, PNG_INTERLACE_ADAM7}, image.size, image.pixels)}) {
    ASSERT_EQ(why_not(file), "");
    for (std::size_t bytes = 0; bytes < file.size(); ++bytes) {
      ASSERT_NE(why_not(file.substr(0, bytes)), "") << bytes << " of " << file.size();
    }
  }
}

// Nothing to compare with: that it comes back at all is the point, under the sanitizers most of all.
TEST(ThumbnailsMake, DamagedImagesEndInAnErrorOrAThumbnail) {
  const bitmap image = random_bitmap({64, 48}, 3);
  const std::string files[] = {encode_png(image), encode_jpeg(image, 80),
                               written_jpeg(JCS_RGB, {9, 99, 199}, {50, 50}, true)};
  int refused = 0;
  for (int round = 0; round < 1500; ++round) {
    std::string file = files[static_cast<std::size_t>(round) % 3];
    for (std::uint32_t changes = between(1, 4); changes > 0; --changes) {
      file[between(8, static_cast<std::uint32_t>(file.size()) - 1)] = static_cast<char>(between(0, 255));
    }
    policy bounded;
    bounded.grants = true;
    try {
      const auto reader = open_image(file);
      if (reader->bytes_needed() < 10'000'000 && reader->original_size().height < 4096) {
        refused += why_not(file).empty() ? 0 : 1;
      }
    } catch (const image_error&) {
      ++refused;
    }
  }
  EXPECT_GT(refused, 500);  // PNG has checksums
}

TEST(ThumbnailsMake, SaysWhatIsWrong) {
  EXPECT_EQ(why_not(""), "is empty");
  EXPECT_EQ(why_not("GIF89a"), "neither a JPEG nor a PNG image");
  EXPECT_EQ(why_not("\x89PNG\r\n\x1a\n"), "premature end of file");
}

TEST(ThumbnailsNames, ImagesAreKnownByTheirExtension) {
  for (const char* name : {"a.jpg", "a/b.JPEG", "x.PnG", "a b.c.jpg", "..png"}) {
    EXPECT_TRUE(names_image(name)) << name;
  }
  for (const char* name : {".png", "a/.jpg", "png", "a.gif", "a.jpg.txt", "a.jpgg", "a.png/b", ""}) {
    EXPECT_FALSE(names_image(name)) << name;
  }
}

TEST(ThumbnailsManifest, LinesStayLinesAndTabsStayTabs) {
  std::string out = "before\n";
  append_manifest_line(out, "a\\b\tc\nd\re\xff", {640, 480}, {256, 192});
  EXPECT_EQ(out, "before\na\\\\b\\tc\\nd\\re\xff\t640x480\t256x192\n");
}

TEST(ThumbnailsFiles, AreWrittenWholeWithTheirDirectories) {
  const scratch_directory top;
  const std::string path = top / "a/b/c.png";
  ASSERT_EQ(write_whole(path, "first"), 0);
  ASSERT_EQ(write_whole(path, "second"), 0);
  EXPECT_EQ(content(path), "second");
  EXPECT_EQ(std::distance(fs::directory_iterator(top / "a/b"), {}), 1);
}

TEST(ThumbnailsFiles, FailureToWriteLeavesWhatWasThere) {
  const scratch_directory top;
  fs::create_directories(top / "taken.png");
  EXPECT_EQ(write_whole(top / "taken.png", "x"), EISDIR);
  ASSERT_EQ(write_whole(top / "file", "x"), 0);
  EXPECT_EQ(write_whole(top / "file/below.png", "x"), ENOTDIR);
  EXPECT_EQ(content(top / "file"), "x");
  EXPECT_EQ(std::distance(fs::directory_iterator(top / ""), {}), 2);
}

TEST(ThumbnailsFiles, ReadingSaysWhyNot) {
  const scratch_directory top;
  const auto always = [] { return true; };
  std::size_t bytes = 0;
  std::string into;
  EXPECT_EQ(find_size(top / "nope", bytes), ENOENT);
  EXPECT_EQ(find_size(top / "", bytes), EISDIR);
  ASSERT_EQ(::mkfifo((top / "fifo").c_str(), 0600), 0);
  EXPECT_EQ(find_size(top / "fifo", bytes), EINVAL);
  EXPECT_EQ(read_whole(top / "fifo", 0, into, always), EINVAL);
  ASSERT_EQ(write_whole(top / "file", "content"), 0);
  fs::create_symlink("file", top / "link");
  EXPECT_EQ(read_whole(top / "link", 7, into, always), ELOOP);
  ASSERT_EQ(find_size(top / "file", bytes), 0);
  EXPECT_EQ(bytes, 7U);
  EXPECT_EQ(read_whole(top / "file", 6, into, always), EIO);
  EXPECT_EQ(read_whole(top / "file", 7, into, [] { return false; }), gave_up);
  ASSERT_EQ(read_whole(top / "file", 7, into, always), 0);
  EXPECT_EQ(into, "content");
}

TEST(ThumbnailsOutput, MayLieBelowTheImagesButNotAboveThem) {
  const scratch_directory top;
  fs::create_directories(top / "images/album");
  fs::create_directory_symlink("images", top / "alias");
  const output_tree below(top / "images/album/out", top / "images");
  EXPECT_TRUE(below.is_same(top / "alias/album/out"));
  EXPECT_FALSE(below.is_same(top / "images/album"));
  EXPECT_EQ(below.path_of("x.png"), top / "images/album/out/x.png");
  EXPECT_THROW(output_tree(top / "images", top / "images"), std::invalid_argument);
  EXPECT_THROW(output_tree(top / "alias", top / "images"), std::invalid_argument);
  EXPECT_THROW(output_tree(top / "images", top / "alias/album"), std::invalid_argument);
  ASSERT_EQ(write_whole(top / "file", "x"), 0);
  EXPECT_THROW(output_tree(top / "file", top / "images"), std::system_error);
}

parse_result parsed(std::vector<std::string> words, options& into, std::string& complaint) {
  words.insert(words.begin(), "thumbnails");
  std::vector<char*> argv;
  for (std::string& word : words) {
    argv.push_back(word.data());
  }
  argv.push_back(nullptr);
  ::optind = 0;  // glibc: start over
  return parse(static_cast<int>(words.size()), argv.data(), into, complaint);
}

TEST(ThumbnailsOptions, MayStandOnBothSidesOfTheDirectory) {
  options got;
  std::string complaint;
  ASSERT_EQ(parsed({"--queue=7", "dir", "--workers", "3", "--size", "99", "--out=o"}, got, complaint),
            parse_result::run);
  EXPECT_EQ(got.root, "dir");
  EXPECT_EQ(got.out, "o");
  EXPECT_EQ(got.longest_side, 99U);
  EXPECT_EQ(got.workers, 3U);
  EXPECT_EQ(got.queue_images, 7U);
  EXPECT_EQ(parsed({"--help"}, got, complaint), parse_result::help);
}

TEST(ThumbnailsOptions, BadOnesAreNamed) {
  const std::pair<std::vector<std::string>, std::string> cases[] = {
      {{}, "which directory?"},
      {{"a", "b"}, "one directory at a time"},
      {{"a", "--size"}, "--size needs a value"},
      {{"a", "--size", "0"}, "--size takes a number from 1 to 2048, not '0'"},
      {{"a", "--workers=x"}, "--workers takes a number from 1 to 1024, not 'x'"},
      {{"a", "--queue", "-1"}, "--queue takes a number from 1 to 10000, not '-1'"},
      {{"a", "--out", ""}, "--out takes a directory, not ''"},
      {{""}, "DIR takes a directory, not ''"},
      {{"a", "--fast"}, "unknown option '--fast'"},
  };
  for (const auto& [words, reason] : cases) {
    options got;
    std::string complaint;
    EXPECT_EQ(parsed(words, got, complaint), parse_result::bad) << reason;
    EXPECT_EQ(complaint, reason);
  }
}

}  // namespace
