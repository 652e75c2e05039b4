// A user's first program: it must build from the outside with spool::spool alone, static or shared.
#include <spool/net/io_context.hpp>
#include <spool/net/use_fiber.hpp>
#include <spool/spool.hpp>

#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>

#include <iostream>

using tcp = boost::asio::ip::tcp;

// The program's Boost.Asio and the library's must be one, also if that is a shared library.
int sent_through_a_socket(int number) {
  tcp::acceptor listening(spool::io_context(), {boost::asio::ip::address_v4::loopback(), 0});
  tcp::socket near(spool::io_context());
  auto accepted = spool::async([&] { return listening.async_accept(spool::use_fiber); });
  near.async_connect(listening.local_endpoint(), spool::use_fiber);
  tcp::socket far = accepted.get();
  int arrived = 0;
  boost::asio::async_write(near, boost::asio::buffer(&number, sizeof number), spool::use_fiber);
  boost::asio::async_read(far, boost::asio::buffer(&arrived, sizeof arrived), spool::use_fiber);
  return arrived;
}

int main() {
  const int sum = spool::run([] {
    const spool::channel<int> numbers{2};
    spool::go([numbers] {
      for (int i = 1; i <= 10; ++i) {
        if (!numbers.send(i)) return;
      }
      numbers.close();
    });
    int total = 0;
    for (const int n : numbers) total += n;
    return sent_through_a_socket(total);
  });
  std::cout << sum << '\n';
  return sum == 55 ? 0 : 1;
}
