#include "record.hpp"

#include <cstddef>

namespace etl {

record to_record(const input_line& from) {
  const text_line& line = from.line;
  record r{.where = {from.from, line.end.lines, line.end}};
  r.what = line.too_long ? rejection{"longer than " + std::to_string(longest_line_bytes) + " bytes"}
                         : parse_event(line.text);
  // An event is complete without a newline. What is none may be half an event, in a file that is still being written.
  if (!line.ended && from.from->has_position && std::holds_alternative<rejection>(r.what)) {
    r.unfinished = true;
    r.where.end = line.begin;
  }
  return r;
}

std::string degraded_services(const record& r) {
  std::string names;
  for (std::size_t i = 0; i < fields.size(); ++i) {
    if ((r.degraded >> i & 1) == 0) continue;
    if (!names.empty()) names.push_back(',');
    names.append(fields[i].service);
  }
  return names;
}

}  // namespace etl
