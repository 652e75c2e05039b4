// Lines "key,value" through three stages: a reader cuts a file into blocks of whole lines, parsers turn each block into sums by
// key, an aggregator adds these up. The blocks go round and round.
#include <fcntl.h>
#include <unistd.h>
#include <spool/spool.hpp>

#include <boost/container_hash/hash.hpp>
#include <boost/unordered/unordered_flat_map.hpp>

#include <charconv>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "input.hpp"

namespace {

constexpr std::size_t block_bytes = 1024 * 1024;
constexpr std::size_t blocks_in_flight = 8;
constexpr std::size_t parsers = 2;

struct sum {
  std::uint64_t count = 0;
  std::uint64_t total = 0;
};
struct text_hash {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const { return boost::hash<std::string_view>()(text); }
};
using sums = boost::unordered_flat_map<std::string, sum, text_hash, std::equal_to<>>;

struct block {
  std::unique_ptr<char[]> text = std::make_unique_for_overwrite<char[]>(block_bytes);
  std::size_t size = 0;                                    // whole lines
  boost::unordered_flat_map<std::string_view, sum> found;  // its keys lie in the text
};
using block_ptr = std::unique_ptr<block>;

// What follows the last line end of a block begins the next one.
spool::error read_blocks(int file, const spool::receiver<block_ptr>& empty, const spool::sender<block_ptr>& full) {
  std::string rest;
  while (std::optional<block_ptr> next = empty.recv()) {
    block& b = **next;
    std::memcpy(b.text.get(), rest.data(), rest.size());
    const ssize_t got = ::read(file, b.text.get() + rest.size(), block_bytes - rest.size());
    if (got < 0) return std::error_code(errno, std::generic_category());
    if (got == 0) break;
    const std::size_t held = rest.size() + static_cast<std::size_t>(got);
    const auto* const last = static_cast<const char*>(::memrchr(b.text.get(), '\n', held));
    if (last == nullptr) return std::make_error_code(std::errc::message_size);
    b.size = static_cast<std::size_t>(last - b.text.get()) + 1;
    rest.assign(last + 1, held - b.size);
    if (!full.send(std::move(*next))) break;
  }
  return rest.empty() ? spool::error() : std::make_error_code(std::errc::bad_message);
}

bool parse(block& b) {
  b.found.clear();
  const char* at = b.text.get();
  const char* const end = at + b.size;
  while (at != end) {
    const auto* const comma = static_cast<const char*>(std::memchr(at, ',', static_cast<std::size_t>(end - at)));
    if (comma == nullptr) return false;
    std::uint64_t value = 0;
    const auto [after, bad] = std::from_chars(comma + 1, end, value);
    if (bad != std::errc() || after == end || *after != '\n') return false;
    sum& of_key = b.found[std::string_view(at, static_cast<std::size_t>(comma - at))];
    ++of_key.count;
    of_key.total += value;
    at = after + 1;
  }
  return true;
}

void add(const block& some, sums& all) {
  for (const auto& [key, found] : some.found) {
    auto at = all.find(key);
    if (at == all.end()) at = all.emplace(key, sum()).first;
    at->second.count += found.count;
    at->second.total += found.total;
  }
}

sums aggregate(int file) {
  auto [empty_in, empty] = spool::make_channel<block_ptr>(blocks_in_flight);
  auto [full_in, full] = spool::make_channel<block_ptr>(blocks_in_flight);
  auto [parsed_in, parsed] = spool::make_channel<block_ptr>(blocks_in_flight);
  for (std::size_t i = 0; i < blocks_in_flight; ++i) (void)empty_in.send(std::make_unique<block>());
  spool::errgroup stages;
  stages.go([file, from = std::move(empty), to = std::move(full_in)] { return read_blocks(file, from, to); });
  for (std::size_t i = 0; i < parsers; ++i) {
    stages.go([from = full, to = parsed_in]() -> spool::error {
      while (std::optional<block_ptr> next = from.recv()) {
        if (!parse(**next)) return std::make_error_code(std::errc::bad_message);
        if (!to.send(std::move(*next))) break;
      }
      return {};
    });
  }
  full = nullptr;
  parsed_in = nullptr;
  sums all;
  for (block_ptr&& next : parsed) {
    add(*next, all);
    (void)empty_in.send(std::move(next));  // room for all; the reader is gone when the file is read
  }
  if (const spool::error failure = stages.wait()) failure.rethrow();
  return all;
}

void report(const char* path) {
  const int file = ::open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) throw std::runtime_error(std::string("cannot open ") + path);
  const auto bytes = static_cast<double>(::lseek(file, 0, SEEK_END));
  ::lseek(file, 0, SEEK_SET);
  const auto start = std::chrono::steady_clock::now();
  const sums all = aggregate(file);
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  sum whole;
  for (const auto& [key, found] : all) {
    whole.count += found.count;
    whole.total += found.total;
  }
  ::close(file);
  std::printf(R"({"row": "ingest", "case": "", "system": "spool", "metrics": {"gb_per_s": %.3f, "lines_per_s": %.0f, )"
              R"("keys": %zu, "lines": %llu, "total": %llu}})"
              "\n",
              bytes / seconds / 1e9, static_cast<double>(whole.count) / seconds, all.size(),
              static_cast<unsigned long long>(whole.count), static_cast<unsigned long long>(whole.total));
}

}  // namespace

// ingest FILE, or ingest --write FILE MEGABYTES to make one.
int main(int argc, char** argv) {
  try {
    if (argc == 4 && std::string_view(argv[1]) == "--write") {
      return ingest::write_input(argv[2], std::stoull(argv[3]) * 1'000'000) ? 0 : 1;
    }
    if (argc != 2) throw std::runtime_error("usage: FILE | --write FILE MEGABYTES");
    spool::runtime runtime({.threads = 2});
    runtime.run([&] { report(argv[1]); });
    return 0;
  } catch (const std::exception& failure) {
    std::fprintf(stderr, "ingest: %s\n", failure.what());
    return 1;
  }
}
