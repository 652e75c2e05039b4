#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace crawler {

struct html_links {
  std::string base;                     // of <base href>, to which the references relate; empty: the page's own URL
  std::vector<std::string> references;  // of <a href> and <area href>, in order, as they stand there, entities decoded
};

// Reads HTML as leniently as browsers do: attributes quoted either way or not at all, names in any case. What stands in
// comments, scripts and styles is no link.
html_links find_links(std::string_view html);

}  // namespace crawler
