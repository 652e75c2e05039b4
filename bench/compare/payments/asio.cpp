// The payments example as a plain Asio service: one io_context per core with a listening socket of its own, Beast with
// callbacks, and one writer thread that commits in groups. Same SQL, same durability, same bound as examples/payments.
#include "database/sqlite.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>
#include <boost/json/src.hpp>

#include <sys/socket.h>

#include <condition_variable>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using tcp = asio::ip::tcp;

struct payment {
  std::string id;
  std::int64_t amount = 0;
  std::string currency;
  friend bool operator==(const payment&, const payment&) = default;
};

constexpr const char* schema =
    "create table if not exists payments ("
    "  id text primary key,"
    "  idempotency_key text not null unique,"
    "  amount integer not null check (amount > 0),"
    "  currency text not null,"
    "  accepted_at integer not null default (unixepoch())"
    ") strict, without rowid";

template <class T>
T must(spool::result<T> r) {
  if (!r) {
    std::fprintf(stderr, "%s\n", r.error().message().c_str());
    std::exit(1);
  }
  return *std::move(r);
}
void must(const spool::error& e) {
  if (!e) return;
  std::fprintf(stderr, "%s\n", e.message().c_str());
  std::exit(1);
}

/// A queue with a bound, and the thread that commits what is in it, a group at a time.
class ledger {
 public:
  struct order {
    payment what;
    std::string key;
    std::function<void(http::status)> done;
  };

  ledger(const std::string& path, std::size_t bound)
      : bound_(bound), connection_(must(db::sqlite::open(path))), insert_(prepared_insert()), find_(prepared_find()) {
    writer_ = std::thread([this] { write(); });
  }
  ~ledger() {
    {
      const std::lock_guard lock(mutex_);
      closed_ = true;
    }
    arrived_.notify_one();
    writer_.join();
  }

  bool try_record(order o) {
    {
      const std::lock_guard lock(mutex_);
      if (queue_.size() + in_hand_ >= bound_) return false;
      queue_.push_back(std::move(o));
    }
    arrived_.notify_one();
    return true;
  }

 private:
  static constexpr std::size_t most_in_a_batch = 1024;

  db::sqlite::statement prepared_insert() {
    must(connection_.durable());
    must(connection_.exec(schema));
    return must(connection_.prepare(
        "insert into payments (id, idempotency_key, amount, currency) values (?, ?, ?, ?) on conflict do nothing"));
  }
  db::sqlite::statement prepared_find() {
    return must(connection_.prepare("select id, amount, currency from payments where idempotency_key = ?"));
  }

  void write() {
    std::vector<order> batch;
    std::vector<http::status> outcomes;
    for (;;) {
      {
        std::unique_lock lock(mutex_);
        in_hand_ = 0;
        arrived_.wait(lock, [this] { return !queue_.empty() || closed_; });
        if (queue_.empty()) return;
        batch.clear();
        while (!queue_.empty() && batch.size() < most_in_a_batch) {
          batch.push_back(std::move(queue_.front()));
          queue_.pop_front();
        }
        in_hand_ = batch.size();
      }
      outcomes.clear();
      auto transaction = must(connection_.begin());
      for (order& o : batch) outcomes.push_back(record(o));
      must(transaction.commit());
      for (std::size_t i = 0; i < batch.size(); ++i) batch[i].done(outcomes[i]);
    }
  }

  http::status record(const order& o) {
    insert_.bind(1, o.what.id).bind(2, o.key).bind(3, o.what.amount).bind(4, o.what.currency);
    must(insert_.run());
    if (connection_.changes() == 1) return http::status::created;
    if (!must(find_.bind(1, o.key).step())) return http::status::conflict;
    const payment found{std::string(find_.text(0)), find_.integer(1), std::string(find_.text(2))};
    find_.reset();
    return found == o.what ? http::status::created : http::status::unprocessable_entity;
  }

  const std::size_t bound_;
  db::sqlite connection_;
  db::sqlite::statement insert_;
  db::sqlite::statement find_;
  std::mutex mutex_;
  std::condition_variable arrived_;
  std::deque<order> queue_;
  std::size_t in_hand_ = 0;
  bool closed_ = false;
  std::thread writer_;
};

std::optional<payment> parse(const std::string& body) {
  boost::system::error_code ec;
  const boost::json::value v = boost::json::parse(body, ec);
  if (ec || !v.is_object()) return std::nullopt;
  const auto& o = v.get_object();
  const auto *id = o.if_contains("id"), *amount = o.if_contains("amount"), *currency = o.if_contains("currency");
  if (!id || !id->is_string() || !amount || !amount->is_int64() || !currency || !currency->is_string()) return std::nullopt;
  payment p{std::string(id->get_string()), amount->get_int64(), std::string(currency->get_string())};
  if (p.id.empty() || p.id.size() > 128 || p.amount <= 0 || p.currency.size() != 3) return std::nullopt;
  return p;
}

class session : public std::enable_shared_from_this<session> {
 public:
  session(tcp::socket socket, ledger& books) : stream_(std::move(socket)), books_(books) {
    stream_.socket().set_option(tcp::no_delay(true));
  }

  void read() {
    parser_.emplace();
    parser_->body_limit(64 * 1024);
    stream_.expires_after(std::chrono::seconds(60));
    http::async_read(stream_, buffer_, *parser_, [self = shared_from_this()](beast::error_code ec, std::size_t) {
      if (!ec) self->handle();
    });
  }

 private:
  void handle() {
    const auto& request = parser_->get();
    if (request.method() != http::verb::post || request.target() != "/payments") return answer(http::status::not_found, "");
    auto p = parse(request.body());
    if (!p) return answer(http::status::unprocessable_entity, R"({"error": "not a payment"})");
    std::string key(request["Idempotency-Key"]);
    if (key.empty()) key = p->id;
    std::string stored = boost::json::serialize(
        boost::json::object{{"id", p->id}, {"amount", p->amount}, {"currency", p->currency}});
    const bool taken = books_.try_record({std::move(*p), std::move(key),
        [self = shared_from_this(), stored = std::move(stored)](http::status how) {
          asio::post(self->stream_.get_executor(), [self, how, stored] { self->answer(how, stored); });
        }});
    if (!taken) answer(http::status::too_many_requests, R"({"error": "too many payments at once"})");
  }

  void answer(http::status status, const std::string& body) {
    response_ = {};
    response_.result(status);
    response_.version(11);
    response_.keep_alive(parser_->get().keep_alive());
    response_.set(http::field::content_type, "application/json");
    if (status == http::status::too_many_requests) response_.set(http::field::retry_after, "1");
    response_.body() = body;
    response_.prepare_payload();
    http::async_write(stream_, response_, [self = shared_from_this()](beast::error_code ec, std::size_t) {
      if (!ec && self->response_.keep_alive()) self->read();
    });
  }

  beast::tcp_stream stream_;
  ledger& books_;
  beast::flat_buffer buffer_;
  std::optional<http::request_parser<http::string_body>> parser_;
  http::response<http::string_body> response_;
};

/// One core: an io_context and its own listening socket on the shared port.
class core {
 public:
  core(std::uint16_t port, ledger& books) : acceptor_(io_), books_(books) {
    const tcp::endpoint where(asio::ip::address_v4::loopback(), port);
    acceptor_.open(where.protocol());
    acceptor_.set_option(tcp::acceptor::reuse_address(true));
    const int yes = 1;
    ::setsockopt(acceptor_.native_handle(), SOL_SOCKET, SO_REUSEPORT, &yes, sizeof yes);
    acceptor_.bind(where);
    acceptor_.listen();
    accept();
  }
  std::uint16_t port() const { return acceptor_.local_endpoint().port(); }
  void run() { io_.run(); }
  void stop() { io_.stop(); }

 private:
  void accept() {
    acceptor_.async_accept([this](beast::error_code ec, tcp::socket socket) {
      if (!ec) std::make_shared<session>(std::move(socket), books_)->read();
      accept();
    });
  }
  asio::io_context io_{1};
  tcp::acceptor acceptor_;
  ledger& books_;
};

}  // namespace

int main(int argc, char** argv) {
  const std::string database = argc > 1 ? argv[1] : "payments.db";
  auto books = std::make_unique<ledger>(database, 256 + 1000);
  std::vector<std::unique_ptr<core>> cores;
  std::uint16_t port = 0;
  for (unsigned i = 0; i < std::max(1u, std::thread::hardware_concurrency()); ++i) {
    cores.push_back(std::make_unique<core>(port, *books));
    port = cores.front()->port();
  }
  std::printf("listening on 127.0.0.1:%d\n", port);
  std::fflush(stdout);
  asio::io_context signals_io;
  asio::signal_set signals(signals_io, SIGINT, SIGTERM);
  signals.async_wait([&](beast::error_code, int) {
    for (auto& c : cores) c->stop();
  });
  std::vector<std::thread> threads;
  for (auto& c : cores) threads.emplace_back([&c] { c->run(); });
  signals_io.run();
  for (auto& t : threads) t.join();
  books.reset();  // its last answers go to contexts that still exist
}
