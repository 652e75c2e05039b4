#include "session.hpp"

#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/write.hpp>
#include <chrono>
#include <cstring>
#include <mutex>
#include <utility>

namespace orders {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;
using boost::system::error_code;

constexpr std::size_t read_bytes = 16 * 1024;

// How long a client that has got its last answer may take to close its end.
constexpr auto farewell = 1s;

// How long a client whose outbox is half full may take to read something.
constexpr auto patience = 5s;

}  // namespace

session::session(asio::ip::tcp::socket socket, std::string peer, std::size_t most_outbox_bytes,
                 const spool::context& ctx, spool::channel<client_request> requests)
    : connection_(spool::with_cancel(ctx)),
      stream_(std::move(socket)),
      requests_(std::move(requests)),
      client_(std::move(peer), most_outbox_bytes, [this] { give_up(); }) {
  stream_.set_context(connection_.ctx());
  reading_.add();
}

session::ending session::run() {
  spool::wait_group writer;
  writer.go([this] { write_answers(); });
  read_requests();
  stop_taking(ending::closed);
  reading_.done();
  writer.wait();
  return slow_ ? ending::slow : ended_;
}

// Goes on after the last request that is taken, with what comes thrown away: closing a socket while there is
// something unread in it makes the kernel take back what was written to it last.
void session::read_requests() {
  std::array<std::byte, read_bytes> buffer;
  std::size_t held = 0;
  for (;;) {
    error_code ec;
    held += stream_.read_some(asio::buffer(buffer.data() + held, buffer.size() - held), ec);
    if (ec) return;
    if (!client_.out.wait_for_room(patience)) give_up();
    bool bad = false;
    const std::size_t used = decode_frames({buffer.data(), held}, bad);
    if (bad) stop_taking(ending::malformed);
    held -= used;
    std::memmove(buffer.data(), buffer.data() + used, held);
  }
}

void session::give_up() {
  slow_ = true;
  connection_.cancel();
}

void session::stop_taking(ending why) {
  const std::lock_guard lock(mutex_);
  if (ended_ != ending::none) return;
  ended_ = why;
  // The channel is open until all sessions have ended.
  if (why == ending::malformed) (void)requests_.send({&client_, client_request::what::malformed, {}});
  (void)requests_.send({&client_, client_request::what::gone, {}});
}

std::size_t session::decode_frames(std::span<const std::byte> in, bool& bad) {
  const std::lock_guard lock(mutex_);
  if (ended_ != ending::none) return in.size();
  std::size_t used = 0;
  client_request next{&client_, client_request::what::message, {}};
  for (;;) {
    std::size_t bytes = 0;
    const decoded state = decode(in.subspan(used), next.body, bytes);
    if (state != decoded::message) {
      bad = state == decoded::malformed;
      return used;
    }
    (void)requests_.send(next);  // waits for room: then the client is not read, and in the end cannot send
    used += bytes;
  }
}

void session::write_answers() {
  std::vector<std::byte> batch;
  while (client_.out.take(batch)) {
    error_code ec;
    asio::write(stream_, asio::buffer(batch), ec);
    if (ec) {
      client_.out.abandon();
      connection_.cancel();
    }
  }
  error_code ignored;
  stream_.socket().shutdown(asio::socket_base::shutdown_send, ignored);
  if (!reading_.wait_for(farewell)) connection_.cancel();
}

}  // namespace orders
