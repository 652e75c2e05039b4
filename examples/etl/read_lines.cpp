#include "read_lines.hpp"

#include <optional>
#include <string>
#include <utility>

#include "chunk_input.hpp"

namespace etl {
namespace {

constexpr std::size_t chunk_bytes = 256 * 1024;

bool is_blank(const text_line& line) {
  return !line.too_long && line.text.find_first_not_of(" \t\r") == line.text.npos;
}

bool pass_on(const input& from, text_line line, const spool::sender<input_line>& out) {
  return is_blank(line) || out.send({&from, std::move(line)});
}

spool::error read_one(const spool::context& ctx, const input& from, position begin,
                      const spool::sender<input_line>& out) {
  chunk_input bytes;
  if (spool::error failed = bytes.open(ctx, from, begin)) return failed;
  line_splitter lines(begin, longest_line_bytes);
  for (std::string chunk;;) {
    if (spool::error failed = bytes.read(ctx, chunk, chunk_bytes)) return failed;
    if (chunk.empty()) break;
    lines.append(chunk);
    while (std::optional<text_line> line = lines.next()) {
      if (!pass_on(from, std::move(*line), out)) return spool::errc::closed;
    }
  }
  std::optional<text_line> last = lines.rest();
  if (last && !pass_on(from, std::move(*last), out)) return spool::errc::closed;
  return {};
}

}  // namespace

spool::error read_lines(const spool::context& ctx, const std::vector<input>& inputs, const positions& done,
                        const spool::sender<input_line>& out) {
  for (const input& from : inputs) {
    const auto known = from.has_position ? done.find(from.name) : done.end();
    const position begin = known == done.end() ? position() : known->second;
    if (spool::error failed = read_one(ctx, from, begin, out)) return failed;
  }
  return {};
}

}  // namespace etl
