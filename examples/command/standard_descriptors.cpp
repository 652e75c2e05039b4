#include "standard_descriptors.hpp"

#include <fcntl.h>

#include <cerrno>

namespace command {

void occupy_standard_descriptors() {
  for (int fd = 0; fd <= 2; ++fd) {
    if (::fcntl(fd, F_GETFD) == -1 && errno == EBADF) {
      static_cast<void>(::open("/dev/null", O_RDONLY));
    }
  }
}

}  // namespace command
