#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <spool/spool.hpp>
#include <string>

#include "inputs.hpp"
#include "position.hpp"

namespace etl {

// Bytes of a file or of standard input, read on helper threads. A context calls the reading back, also from a pipe in
// which nothing comes; the descriptor is left in the mode in which it is, since others may have it open.
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
  struct transfer {
    ssize_t bytes;
    int error_number;
  };

  int open_at(const std::string& path, std::uint64_t offset);
  transfer read_or_wake(std::string& into) const noexcept;
  spool::result<transfer> read_until_done(const spool::context& ctx, std::string& chunk) const;

  std::string name_;
  int fd_ = -1;
  int wake_ = -1;  // an eventfd, readable once the context is done; for standard input only
  bool is_own_ = false;
};

}  // namespace etl
