// The records of the workload: lines "region/host-NNNN/metric,value", the same for every language.
#pragma once

#include <cstdint>
#include <cstdio>
#include <string>

namespace ingest {

// Writes `bytes` of lines, at least, to `path`; false: it could not.
inline bool write_input(const std::string& path, std::uint64_t bytes) {
  std::FILE* const file = std::fopen(path.c_str(), "w");
  if (file == nullptr) return false;
  std::uint64_t state = 1, written = 0;
  const auto below = [&state](std::uint64_t n) {
    state = state * 48'271 % 2'147'483'647;
    return static_cast<unsigned>(state % n);
  };
  constexpr const char* regions[] = {"eu-west", "eu-north", "us-east", "ap-south"};
  constexpr const char* metrics[] = {"cpu", "disk", "memory", "requests"};
  while (written < bytes) {
    const char* const region = regions[below(4)];
    const unsigned host = below(250);
    const char* const metric = metrics[below(4)];
    const int line = std::fprintf(file, "%s/host-%04u/%s,%u\n", region, host, metric, below(1'000'000));
    if (line < 0) break;
    written += static_cast<std::uint64_t>(line);
  }
  return std::fclose(file) == 0 && written >= bytes;
}

}  // namespace ingest
