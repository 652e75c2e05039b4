#include "manifest.hpp"

namespace thumbnails {
namespace {

void append_escaped(std::string& out, std::string_view name) {
  constexpr std::string_view special = "\\\t\n\r";
  constexpr std::string_view letters = "\\tnr";
  for (const char c : name) {
    const auto at = special.find(c);
    if (at == std::string_view::npos) {
      out.push_back(c);
    } else {
      out.push_back('\\');
      out.push_back(letters[at]);
    }
  }
}

void append_size(std::string& out, pixel_size size) {
  out.append(std::to_string(size.width)).append("x").append(std::to_string(size.height));
}

}  // namespace

void append_manifest_line(std::string& out, std::string_view name, pixel_size original, pixel_size thumbnail) {
  append_escaped(out, name);
  out.push_back('\t');
  append_size(out, original);
  out.push_back('\t');
  append_size(out, thumbnail);
  out.push_back('\n');
}

}  // namespace thumbnails
