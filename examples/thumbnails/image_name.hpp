#pragma once

#include <algorithm>
#include <string_view>

namespace thumbnails {

// Ends as the name of an image does: .jpg, .jpeg or .png in any case, after at least one other character.
inline bool names_image(std::string_view path) {
  const std::string_view name = path.substr(path.rfind('/') + 1);
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
  const auto ends_as = [&](std::string_view extension) {
    return name.size() > extension.size() &&
           std::equal(extension.begin(), extension.end(), name.end() - static_cast<std::ptrdiff_t>(extension.size()),
                      [&](char want, char got) { return lower(got) == want; });
  };
  return ends_as(".jpg") || ends_as(".jpeg") || ends_as(".png");
}

}  // namespace thumbnails
