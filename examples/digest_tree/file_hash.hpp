#pragma once

#include <sys/types.h>

#include <array>
#include <cstddef>
#include <memory>
#include <string_view>

struct evp_md_st;
struct evp_md_ctx_st;

namespace digest_tree {

// How a hasher waits and whom it tells; implemented by whoever runs it.
class read_policy {
 public:
  virtual ~read_policy() = default;
  // read(2) for data that is not in the page cache: the call may wait for a disk. Returns as read(2) does,
  // with -errno in place of -1.
  virtual ssize_t read_cold(int fd, void* into, std::size_t bytes) = 0;
  // `bytes` more were hashed. False: give up.
  virtual bool advance(std::size_t bytes) = 0;
};

// SHA-256, looked up in libcrypto once: EVP_sha256() would search the providers at every use.
class sha256_algorithm {
 public:
  sha256_algorithm();
  const evp_md_st* get() const noexcept { return algorithm_.get(); }

 private:
  struct release {
    void operator()(evp_md_st* algorithm) const noexcept;
  };
  std::unique_ptr<evp_md_st, release> algorithm_;
};

// Hashes one file after the other with one buffer and one digest context. One thread or fiber at a time.
class file_hasher {
 public:
  static constexpr int gave_up = -1;

  explicit file_hasher(const sha256_algorithm& algorithm);

  // 0 and hex() when done; else errno, or gave_up.
  [[nodiscard]] int digest(const char* path, read_policy& policy);

  std::string_view hex() const noexcept { return {hex_.data(), hex_.size()}; }

 private:
  // 64 KiB: stays in the second-level cache between the kernel's copy and the hashing of it.
  static constexpr std::size_t buffer_bytes = 64 * 1024;

  struct release {
    void operator()(evp_md_ctx_st* context) const noexcept;
  };

  ssize_t read_some(int fd, read_policy& policy);
  int digest_open(int fd, read_policy& policy);

  const sha256_algorithm& algorithm_;
  std::unique_ptr<evp_md_ctx_st, release> context_;
  std::unique_ptr<std::byte[]> buffer_;
  std::array<char, 64> hex_{};
  bool tells_cold_ = true;
};

}  // namespace digest_tree
