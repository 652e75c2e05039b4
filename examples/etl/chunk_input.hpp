#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <spool/spool.hpp>
#include <string>

#include "command/descriptor_input.hpp"
#include "inputs.hpp"
#include "position.hpp"

namespace etl {

// Bytes of a file or of standard input.
class chunk_input {
 public:
  chunk_input() = default;
  ~chunk_input();
  chunk_input(const chunk_input&) = delete;
  chunk_input& operator=(const chunk_input&) = delete;

  // From `begin` on. An error if what is there cannot be what was read up to `begin` once.
  spool::error open(const spool::context& ctx, const input& from, position begin);

  // At most `capacity` bytes replace what `chunk` holds; none at the end.
  spool::error read(const spool::context& ctx, std::string& chunk, std::size_t capacity);

 private:
  int open_at(const std::string& path, std::uint64_t offset);

  int file_ = -1;
  std::optional<command::descriptor_input> input_;
};

}  // namespace etl
