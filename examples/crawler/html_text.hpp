#pragma once

#include <string>
#include <string_view>

namespace crawler {

// "&amp;" and its like, and character numbers, replaced by what they stand for; anything else stays as it is.
std::string decode_entities(std::string_view text);

// Text as it may stand in HTML, in a quoted attribute too.
std::string encode_entities(std::string_view text);

}  // namespace crawler
