#include "line_splitter.hpp"

#include <utility>

namespace etl {

void line_splitter::append(std::string_view chunk) {
  buffer_.erase(0, taken_);
  searched_ -= taken_;
  taken_ = 0;
  buffer_.append(chunk);
}

std::optional<text_line> line_splitter::next() {
  const std::size_t newline = buffer_.find('\n', searched_);
  if (newline != buffer_.npos) return take(newline - taken_, 1);
  searched_ = buffer_.size();
  if (buffer_.size() - taken_ > longest_) {
    dropped_ += buffer_.size() - taken_;
    buffer_.clear();
    taken_ = searched_ = 0;
  }
  return std::nullopt;
}

std::optional<text_line> line_splitter::rest() {
  if (taken_ == buffer_.size() && dropped_ == 0) return std::nullopt;
  return take(buffer_.size() - taken_, 0);
}

text_line line_splitter::take(std::size_t text_bytes, std::size_t end_bytes) {
  const std::uint64_t whole = std::exchange(dropped_, 0) + text_bytes;
  text_line line{.begin = begin_, .too_long = whole > longest_, .ended = end_bytes > 0};
  begin_.bytes += whole + end_bytes;
  ++begin_.lines;
  line.end = begin_;
  if (!line.too_long) {
    line.text.assign(buffer_, taken_, text_bytes);
    if (line.text.ends_with('\r')) line.text.pop_back();
  }
  taken_ += text_bytes + end_bytes;
  searched_ = taken_;
  return line;
}

}  // namespace etl
