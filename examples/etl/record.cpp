#include "record.hpp"

#include <cstddef>

namespace etl {

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
