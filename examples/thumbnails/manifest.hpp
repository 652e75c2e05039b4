#pragma once

#include <string>
#include <string_view>

#include "bitmap.hpp"

namespace thumbnails {

// Appends "name<TAB>640x480<TAB>256x192\n". A line is a line and a tab a tab, whatever files are called: in a name,
// backslash, tab, newline and return become \\ \t \n \r.
void append_manifest_line(std::string& out, std::string_view name, pixel_size original, pixel_size thumbnail);

}  // namespace thumbnails
