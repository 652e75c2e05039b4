// For crawler.sh: a server that accepts connections and never answers. Prints its URL; ends when standard input does.

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>

int main() {
  const int listening = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  if (::bind(listening, reinterpret_cast<sockaddr*>(&address), length) != 0 || ::listen(listening, 16) != 0 ||
      ::getsockname(listening, reinterpret_cast<sockaddr*>(&address), &length) != 0) {
    std::perror("crawler_probe");
    return 1;
  }
  std::printf("http://127.0.0.1:%d/\n", ntohs(address.sin_port));
  std::fflush(stdout);
  char ignored;
  while (::read(STDIN_FILENO, &ignored, 1) > 0) {  // the kernel accepts for us, up to the backlog
  }
  return 0;
}
