#pragma once

#include <csetjmp>
#include <cstddef>
#include <string_view>

#include <png.h>

namespace thumbnails {

// Where libpng's errors go: the message is kept, and control goes back to the last setjmp(jump).
struct png_errors {
  std::jmp_buf jump;
  char message[128] = {};

  void keep(std::string_view text) noexcept { message[text.copy(message, sizeof message - 1)] = '\0'; }
};

extern "C" {
[[noreturn]] void thumbnails_leave_png(png_structp codec, png_const_charp message);
void thumbnails_ignore_png_warning(png_structp codec, png_const_charp message);
}

}  // namespace thumbnails
