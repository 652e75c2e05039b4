#pragma once

#include <csetjmp>
#include <cstdio>  // jpeglib.h needs FILE

#include <jpeglib.h>

namespace thumbnails {

// libjpeg's error handler: the message is kept, and control goes back to the last setjmp(jump).
struct jpeg_errors : jpeg_error_mgr {
  std::jmp_buf jump;
  char message[JMSG_LENGTH_MAX] = {};

  jpeg_errors();
};

}  // namespace thumbnails
