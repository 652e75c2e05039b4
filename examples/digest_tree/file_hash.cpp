#include "file_hash.hpp"

#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <stdexcept>

namespace digest_tree {
namespace {

class descriptor {
 public:
  explicit descriptor(int fd) noexcept : fd_(fd) {}
  ~descriptor() {
    if (fd_ >= 0) {
      ::close(fd_);
    }
  }
  descriptor(const descriptor&) = delete;
  descriptor& operator=(const descriptor&) = delete;
  int get() const noexcept { return fd_; }

 private:
  int fd_;
};

void require(bool ok) {
  if (!ok) {
    throw std::runtime_error("libcrypto cannot compute SHA-256");
  }
}

}  // namespace

sha256_algorithm::sha256_algorithm() : algorithm_(::EVP_MD_fetch(nullptr, "SHA256", nullptr)) {
  require(algorithm_ != nullptr);
}

void sha256_algorithm::release::operator()(EVP_MD* algorithm) const noexcept { ::EVP_MD_free(algorithm); }

file_hasher::file_hasher(const sha256_algorithm& algorithm)
    : algorithm_(algorithm), context_(::EVP_MD_CTX_new()), buffer_(new std::byte[buffer_bytes]) {
  require(context_ != nullptr);
}

void file_hasher::release::operator()(EVP_MD_CTX* context) const noexcept { ::EVP_MD_CTX_free(context); }

int file_hasher::digest(const char* path, read_policy& policy) {
  // The walk saw a regular file, but the name may mean something else by now: O_NONBLOCK so that a FIFO
  // does not hold us, O_NOFOLLOW so that a symbolic link is not followed.
  const descriptor file{::open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK | O_NOFOLLOW)};
  return file.get() < 0 ? errno : digest_open(file.get(), policy);
}

int file_hasher::digest_open(int fd, read_policy& policy) {
  tells_cold_ = true;
  require(::EVP_DigestInit_ex2(context_.get(), algorithm_.get(), nullptr) == 1);
  for (;;) {
    const ssize_t got = read_some(fd, policy);
    if (got < 0) {
      return static_cast<int>(-got);
    }
    if (got == 0) {
      break;
    }
    const auto bytes = static_cast<std::size_t>(got);
    require(::EVP_DigestUpdate(context_.get(), buffer_.get(), bytes) == 1);
    if (!policy.advance(bytes)) {
      return gave_up;
    }
  }
  std::array<unsigned char, 32> digest;
  require(::EVP_DigestFinal_ex(context_.get(), digest.data(), nullptr) == 1);
  constexpr std::string_view digits = "0123456789abcdef";
  for (std::size_t i = 0; i < digest.size(); ++i) {
    hex_[2 * i] = digits[digest[i] >> 4];
    hex_[2 * i + 1] = digits[digest[i] & 0xf];
  }
  return 0;
}

// What the page cache holds is read on the spot; only a read that would wait for a disk goes to
// read_cold(). Where the kernel cannot tell the two apart (tmpfs, proc, some network file systems) the read
// is made on the spot too: README.md has the numbers.
ssize_t file_hasher::read_some(int fd, read_policy& policy) {
  if (tells_cold_) {
    iovec into{buffer_.get(), buffer_bytes};
    const ssize_t got = ::preadv2(fd, &into, 1, -1, RWF_NOWAIT);
    if (got >= 0) {
      return got;
    }
    if (errno != EAGAIN && errno != EOPNOTSUPP && errno != ENOSYS && errno != EINVAL) {
      return -errno;
    }
    if (errno == EAGAIN) {
      return policy.read_cold(fd, buffer_.get(), buffer_bytes);
    }
    tells_cold_ = false;
  }
  const ssize_t got = ::read(fd, buffer_.get(), buffer_bytes);
  return got < 0 ? -errno : got;
}

}  // namespace digest_tree
