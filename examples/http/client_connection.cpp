#include "client_connection.hpp"

#include <sys/socket.h>

#include <cerrno>

namespace http {

bool is_quiet(client_connection& idle) noexcept {
  char byte;
  return idle.buffer.size() == 0 &&
         ::recv(idle.stream.socket().native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 &&
         (errno == EAGAIN || errno == EWOULDBLOCK);
}

}  // namespace http
