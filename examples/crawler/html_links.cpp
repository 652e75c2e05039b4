#include "html_links.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <optional>

#include "html_text.hpp"

namespace crawler {
namespace {

constexpr std::string_view blanks = " \t\n\r\f";

bool is_letter(char c) noexcept { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
char lower(char c) noexcept { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool same_name(std::string_view name, std::string_view lower_case) {
  return std::equal(name.begin(), name.end(), lower_case.begin(), lower_case.end(),
                    [](char a, char b) { return lower(a) == b; });
}

// Elements whose content is text up to their end tag, whatever it looks like.
bool holds_raw_text(std::string_view tag) {
  static constexpr std::array<std::string_view, 6> names{"script", "style", "textarea", "title", "xmp", "iframe"};
  return std::any_of(names.begin(), names.end(), [&](std::string_view name) { return same_name(tag, name); });
}

class reader {
 public:
  explicit reader(std::string_view html) : rest_(html) {}

  html_links read() {
    while (to_next_tag()) read_tag();
    return std::move(found_);
  }

 private:
  // Leaves rest_ at the name of the next start tag.
  bool to_next_tag() {
    for (;;) {
      skip_to(rest_.find('<'));
      if (rest_.empty()) return false;
      if (rest_.starts_with("<!--")) {
        skip_past(rest_.find("-->", 4), 3);
      } else if (rest_.size() > 1 && is_letter(rest_[1])) {
        rest_.remove_prefix(1);
        return true;
      } else if (rest_.size() > 1 && (rest_[1] == '/' || rest_[1] == '!' || rest_[1] == '?')) {
        skip_past(rest_.find('>'), 1);
      } else {
        rest_.remove_prefix(1);
      }
    }
  }

  void read_tag() {
    const std::string_view tag = take(rest_.find_first_of(" \t\n\r\f/>"));
    std::optional<std::string_view> href;
    for (;;) {
      skip_to(rest_.find_first_not_of(" \t\n\r\f/"));
      if (rest_.empty()) return;  // cut off within the tag: it never was one
      if (rest_.front() == '>') break;
      const std::string_view name = take(rest_.find_first_of(" \t\n\r\f/>=", 1));
      const std::string_view value = read_value();
      if (!href && same_name(name, "href")) href = value;
    }
    rest_.remove_prefix(1);
    if (href) keep(tag, *href);
    if (holds_raw_text(tag)) skip_raw_text(tag);
  }

  // What follows an attribute's name.
  std::string_view read_value() {
    const std::string_view after_name = rest_;
    skip_to(rest_.find_first_not_of(blanks));
    if (!rest_.starts_with('=')) {
      rest_ = after_name;
      return {};
    }
    rest_.remove_prefix(1);
    skip_to(rest_.find_first_not_of(blanks));
    if (!rest_.starts_with('"') && !rest_.starts_with('\'')) return take(rest_.find_first_of(" \t\n\r\f>"));
    const char quote = rest_.front();
    rest_.remove_prefix(1);
    const std::string_view value = take(rest_.find(quote));
    skip_past(0, 1);
    return value;
  }

  void keep(std::string_view tag, std::string_view href) {
    if (same_name(tag, "a") || same_name(tag, "area")) {
      found_.references.push_back(decode_entities(href));
    } else if (same_name(tag, "base") && found_.base.empty()) {
      found_.base = decode_entities(href);
    }
  }

  void skip_raw_text(std::string_view tag) {
    do {
      skip_past(rest_.find("</"), 2);
    } while (!rest_.empty() && !closes(tag));
  }
  bool closes(std::string_view tag) const {
    if (rest_.size() <= tag.size() || is_letter(rest_[tag.size()])) return false;
    return std::equal(tag.begin(), tag.end(), rest_.begin(), [](char a, char b) { return lower(a) == lower(b); });
  }

  // `at` may be npos: then all that is left.
  std::string_view take(std::size_t at) {
    const std::string_view taken = rest_.substr(0, at);
    rest_.remove_prefix(taken.size());
    return taken;
  }
  void skip_to(std::size_t at) { take(at); }
  void skip_past(std::size_t at, std::size_t length) {
    skip_to(at);
    rest_.remove_prefix(std::min(length, rest_.size()));
  }

  std::string_view rest_;
  html_links found_;
};

}  // namespace

html_links find_links(std::string_view html) { return reader(html).read(); }

}  // namespace crawler
