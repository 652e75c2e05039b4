#include "load/load_connection.hpp"

#include <algorithm>
#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/write.hpp>
#include <cstring>
#include <utility>

namespace orders {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;
using boost::system::error_code;

constexpr std::size_t send_bytes = 32 * 1024;
constexpr std::size_t receive_bytes = 32 * 1024;

// An order that is still open when this many more were sent is cancelled: the books stay as deep as they are.
constexpr std::uint64_t cancel_after = 256;

// Nearer turns are not slept for: waking up a processor takes longer, and would be counted as the exchange's latency.
constexpr auto shortest_sleep = 100us;

// What falls due within this time after a write is written together. A write per order would cost the kernel more than
// all stages cost the exchange.
constexpr auto write_every = 20us;

// Sleeps through the most of it only.
void wait_for_turn(const spool::context& ctx, load_clock::duration left) {
  if (left > shortest_sleep) {
    (void)spool::this_fiber::sleep_for(ctx, left - shortest_sleep);
  } else {
    spool::this_fiber::yield();
  }
}

constexpr std::uint32_t middle_price = 10'000;
constexpr std::uint32_t price_range = 41;  // evenly around the middle, for buyers and sellers alike
constexpr std::uint32_t quantity_range = 100;

}  // namespace

load_connection::load_connection(asio::ip::tcp::socket socket, const load_schedule& schedule, std::size_t index)
    : stream_(std::move(socket)),
      schedule_(schedule),
      index_(index),
      planned_((schedule.orders + schedule.connections - 1 - index) / schedule.connections),
      random_(static_cast<std::minstd_rand::result_type>(index + 1)),
      ledger_(planned_) {}

void load_connection::run(const spool::context& ctx) {
  spool::wait_group sender;
  sender.go([&] { send(ctx); });
  receive();
  sender.wait();
}

std::chrono::nanoseconds load_connection::due(std::uint64_t own_order) const noexcept {
  const std::uint64_t order = own_order * schedule_.connections + index_;
  const std::uint64_t seconds = order / schedule_.per_second, rest = order % schedule_.per_second;
  return std::chrono::seconds(seconds) + std::chrono::nanoseconds(rest * 1'000'000'000 / schedule_.per_second);
}

void load_connection::send(const spool::context& ctx) {
  std::array<std::byte, send_bytes> buffer;
  error_code ec;
  load_clock::time_point written = load_clock::now();
  while (next_ < planned_ && !ctx.done() && !ec) {
    const auto now = load_clock::now();
    const auto when = std::max(schedule_.start + due(next_), written + write_every);
    if (when > now) {
      wait_for_turn(ctx, when - now);
      continue;
    }
    written = now;
    asio::write(stream_, asio::buffer(buffer.data(), encode_due(buffer, now)), ec);
  }
  // The exchange answers this with a cancel of each order that is still open, and closes: then everything has been
  // heard.
  stream_.socket().shutdown(asio::socket_base::shutdown_send, ec);
}

std::size_t load_connection::encode_due(std::span<std::byte> into, load_clock::time_point now) {
  std::size_t used = 0;
  while (next_ < planned_ && schedule_.start + due(next_) <= now && into.size() - used >= 2 * most_frame_bytes) {
    const request made = make_order();
    ledger_.sent(made.id, made.quantity);
    used += encode(made, into.data() + used);
    ++next_;
    if (made.id >= cancel_after && ledger_.maybe_open(made.id - cancel_after)) {
      ledger_.sent_cancel();
      used += encode({.kind = request_kind::cancel, .id = made.id - cancel_after, .sent_at = made.sent_at},
                     into.data() + used);
    }
  }
  return used;
}

request load_connection::make_order() {
  const auto below = [this](std::uint32_t n) { return static_cast<std::uint32_t>(random_() % n); };
  return {.kind = request_kind::new_order,
          .id = next_,
          .sent_at = static_cast<std::uint64_t>(due(next_).count()),
          .symbol = below(schedule_.symbols),
          .way = below(2) == 0 ? side::buy : side::sell,
          .price = middle_price - price_range / 2 + below(price_range),
          .quantity = 1 + below(quantity_range)};
}

void load_connection::receive() {
  std::array<std::byte, receive_bytes> buffer;
  std::size_t held = 0;
  for (;;) {
    error_code ec;
    held += stream_.read_some(asio::buffer(buffer.data() + held, buffer.size() - held), ec);
    if (ec) return;
    const std::size_t used = take_answers({buffer.data(), held});
    held -= used;
    std::memmove(buffer.data(), buffer.data() + used, held);
  }
}

std::size_t load_connection::take_answers(std::span<const std::byte> in) {
  const auto now = load_clock::now();
  const auto since_start = static_cast<std::uint64_t>(std::chrono::nanoseconds(now - schedule_.start).count());
  std::size_t used = 0, bytes = 0;
  answer heard;
  for (; decode(in.subspan(used), heard, bytes) == decoded::message; used += bytes) {
    ledger_.answered(heard);
    const bool of_order =
        heard.kind == answer_kind::ack || (heard.kind == answer_kind::reject && heard.of == request_kind::new_order);
    if (of_order) {
      latencies_.add(since_start - heard.sent_at);
      last_answer_ = now;
    }
  }
  return used;
}

}  // namespace orders
