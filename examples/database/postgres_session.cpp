#include "postgres_session.hpp"

#include <spool/context/blocking.hpp>
#include <spool/net/io_context.hpp>
#include <spool/net/use_fiber.hpp>

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <system_error>
#include <utility>

namespace db {
namespace {

constexpr std::size_t max_prepared = 256;
constexpr std::string_view no_connection = "08001";
constexpr std::string_view broken_connection = "08003";
constexpr std::string_view connection_failure = "08006";

using wait_for = boost::asio::posix::stream_descriptor;

spool::error connection_error(std::string_view state, const char* message) {
  std::string_view text = message;
  while (!text.empty() && text.back() == '\n') text.remove_suffix(1);
  return spool::error(sqlstate_code(state), std::string(text.empty() ? "no connection to the server" : text));
}

bool ends_session(const PGresult* result) {
  const char* severity = PQresultErrorField(result, PG_DIAG_SEVERITY_NONLOCALIZED);
  return severity != nullptr && (std::strcmp(severity, "FATAL") == 0 || std::strcmp(severity, "PANIC") == 0);
}

// The plan that is kept does not fit any more, or the server has forgotten it.
bool is_stale_statement(const spool::error& e) {
  return e.code() == sqlstate_code("0A000") || e.code() == sqlstate_code("26000");
}

}  // namespace

postgres::session::session() : watch_(spool::io_context()) {}

postgres::session::~session() { PQfinish(connection_); }

spool::error postgres::session::watch_socket() {
  boost::system::error_code ec;
  watch_.close(ec);
  const int fd = fcntl(PQsocket(connection_), F_DUPFD_CLOEXEC, 0);
  if (fd < 0) return spool::error(std::error_code(errno, std::system_category()), "watching the server's socket");
  watch_.assign(fd, ec);
  if (!ec) return {};
  ::close(fd);
  return spool::error(std::error_code(ec), "watching the server's socket");
}

spool::error postgres::session::wait(const spool::context& ctx, wait_for::wait_type what) {
  boost::system::error_code ec;
  watch_.async_wait(what, spool::use_fiber(ctx)[ec]);
  if (!ec) return {};
  if (spool::error e = ctx.err()) return e;
  return spool::error(std::error_code(ec));
}

// libpq resolves names, reads password files and hashes passwords in these calls, so they are made where they may
// block.
spool::error postgres::session::connect(const spool::context& ctx, const std::string& conninfo) {
  if (spool::error e = ctx.err()) return e;
  connection_ = spool::blocking([&] { return PQconnectStart(conninfo.c_str()); });
  if (connection_ == nullptr) return spool::error(std::make_error_code(std::errc::not_enough_memory));
  if (PQstatus(connection_) == CONNECTION_BAD) return connection_error(no_connection, PQerrorMessage(connection_));
  PQsetNoticeReceiver(connection_, take_notice, this);

  PostgresPollingStatusType next = PGRES_POLLING_WRITING;
  while (next != PGRES_POLLING_OK) {
    if (next == PGRES_POLLING_FAILED) return connection_error(no_connection, PQerrorMessage(connection_));
    if (spool::error e = watch_socket()) return e;  // again each time: libpq may have gone on to another address
    if (spool::error e = wait(ctx, next == PGRES_POLLING_READING ? wait_for::wait_read : wait_for::wait_write))
      return e;
    next = spool::blocking([&] { return PQconnectPoll(connection_); });
  }
  if (spool::error e = watch_socket()) return e;
  if (PQsetnonblocking(connection_, 1) != 0) return lost();
  state_ = state::ready;
  return {};
}

/// A call under way. The connection is broken unless the call has come to its end.
class postgres::session::exchange {
 public:
  explicit exchange(session& s) noexcept : session_(s) { session_.state_ = state::busy; }
  ~exchange() {
    if (session_.state_ != state::busy) return;
    session_.state_ = state::broken;
    if (PQstatus(session_.connection_) == CONNECTION_OK && !session_.server_hung_up_) session_.cancel_on_server();
  }
  exchange(const exchange&) = delete;
  exchange& operator=(const exchange&) = delete;

  void complete() noexcept {
    const bool up = PQstatus(session_.connection_) == CONNECTION_OK && !session_.server_hung_up_;
    session_.state_ = up ? state::ready : state::broken;
  }

 private:
  session& session_;
};

struct postgres::session::pipeline {
  struct answer {
    const command* to;
    bool prepares;  // it
  };
  std::vector<answer> awaited;
  std::size_t received = 0;
  std::vector<rows> results;
  spool::error failure;  // the first
};

spool::error postgres::session::may_begin(const spool::context& ctx) const {
  if (state_ == state::busy) {
    throw std::logic_error(
        "db::postgres: another call is under way on this connection; give each fiber its own, by a pool");
  }
  if (spool::error e = ctx.err()) return e;
  if (state_ == state::broken) return connection_error(broken_connection, "the connection is broken; take another");
  return {};
}

spool::result<std::vector<rows>> postgres::session::run(const spool::context& ctx, std::span<const command> commands) {
  // Answers come only after a window's commands have been sent: what the server has to say meanwhile must fit into the
  // socket's buffers, or both ends would wait for the other to read.
  constexpr std::size_t window = 256;

  if (spool::error e = may_begin(ctx)) return e;
  if (spool::error e = check_text(commands)) return e;
  exchange call(*this);
  if (PQenterPipelineMode(connection_) != 1) return lost();
  pipeline p;
  p.results.reserve(commands.size());
  for (bool more = true; more;) {
    const auto next = commands.first(std::min(window, commands.size()));
    commands = commands.subspan(next.size());
    for (const command& c : next) {
      if (!send(p, c)) return lost();
    }
    more = !commands.empty();
    if ((more ? PQsendFlushRequest(connection_) : PQpipelineSync(connection_)) != 1) return lost();
    if (spool::error e = flush(ctx)) return e;
    while (p.received < p.awaited.size()) {
      if (spool::error e = receive(ctx, p)) return e;
    }
    if (more && p.failure) {  // the server skips everything up to here
      if (PQpipelineSync(connection_) != 1) return lost();
      if (spool::error e = flush(ctx)) return e;
      more = false;
    }
  }
  if (spool::error e = receive_end(ctx, p)) return e;
  if (PQexitPipelineMode(connection_) != 1) return lost();
  call.complete();
  if (p.failure) return p.failure;
  return std::move(p.results);
}

spool::error postgres::session::run_script(const spool::context& ctx, const std::string& script) {
  if (spool::error e = may_begin(ctx)) return e;
  exchange call(*this);
  if (PQsendQuery(connection_, script.c_str()) != 1) return lost();
  if (spool::error e = flush(ctx)) return e;
  spool::error first;
  for (;;) {
    auto result = next_result(ctx);
    if (!result) return result.error();
    if (*result == nullptr) break;
    switch (PQresultStatus(result->get())) {
      case PGRES_COMMAND_OK:
      case PGRES_TUPLES_OK:
      case PGRES_EMPTY_QUERY: break;
      case PGRES_COPY_IN:
      case PGRES_COPY_OUT:
      case PGRES_COPY_BOTH: return copy_unsupported();
      default:
        if (!first) first = failed(result->get());
    }
  }
  call.complete();
  return first;
}

// A text with a zero byte would be cut there without a word.
spool::error postgres::session::check_text(std::span<const command> commands) {
  const auto whole = [](std::string_view text) { return text.find('\0') == text.npos; };
  for (const command& c : commands) {
    if (!whole(c.sql) || !std::ranges::all_of(c.parameters, whole, &parameter::text)) {
      return spool::error(sqlstate_code("22021"), "PostgreSQL takes no text with a zero byte in it");
    }
    if (c.parameters.size() > PQ_QUERY_PARAM_MAX_LIMIT) {
      return spool::error(sqlstate_code("54000"), "a statement takes at most 65535 parameters");
    }
  }
  return {};
}

bool postgres::session::send(pipeline& p, const command& c) {
  auto known = prepared_.find(c.sql);
  if (known == prepared_.end() && prepared_.size() < max_prepared) {
    std::string name = std::to_string(++names_given_);
    known = prepared_.emplace(c.sql, name.insert(0, 1, 's')).first;
    if (PQsendPrepare(connection_, known->second.c_str(), known->first.c_str(), 0, nullptr) != 1) return false;
    p.awaited.push_back({&c, true});
  }
  encode(c.parameters);
  const int n = static_cast<int>(values_.size());
  const int sent =
      known != prepared_.end()
          ? PQsendQueryPrepared(connection_, known->second.c_str(), n, values_.data(), nullptr, nullptr, 0)
          : PQsendQueryParams(connection_, std::string(c.sql).c_str(), n, nullptr, values_.data(), nullptr, nullptr, 0);
  if (sent != 1) return false;
  p.awaited.push_back({&c, false});
  return true;
}

void postgres::session::encode(std::span<const parameter> parameters) {
  encoded_.clear();
  for (const parameter& each : parameters) {
    if (each.is_null()) continue;
    each.append_to(encoded_);
    encoded_ += '\0';
  }
  values_.clear();
  for (const char* at = encoded_.c_str(); const parameter& each : parameters) {
    values_.push_back(each.is_null() ? nullptr : at);
    if (!each.is_null()) at += std::strlen(at) + 1;
  }
}

spool::error postgres::session::flush(const spool::context& ctx) {
  for (;;) {
    const int left = PQflush(connection_);
    if (left < 0) return lost();
    if (left == 0) return {};
    if (spool::error e = wait(ctx, wait_for::wait_write)) return e;
  }
}

// Null: the end of a command's results.
spool::result<rows::handle> postgres::session::next_result(const spool::context& ctx) {
  while (PQisBusy(connection_) != 0) {
    if (spool::error e = wait(ctx, wait_for::wait_read)) return e;
    if (PQconsumeInput(connection_) != 1) return lost();
  }
  return rows::handle(PQgetResult(connection_));
}

spool::error postgres::session::receive(const spool::context& ctx, pipeline& p) {
  const pipeline::answer answer = p.awaited[p.received++];
  bool succeeded = true;
  bool stale = false;
  for (;;) {
    auto result = next_result(ctx);
    if (!result) return result.error();
    if (*result == nullptr) break;
    switch (PQresultStatus(result->get())) {
      case PGRES_COMMAND_OK:
      case PGRES_TUPLES_OK:
      case PGRES_EMPTY_QUERY:
        if (!answer.prepares) p.results.push_back(rows(std::move(*result)));
        break;
      case PGRES_PIPELINE_ABORTED: succeeded = false; break;
      case PGRES_COPY_IN:
      case PGRES_COPY_OUT:
      case PGRES_COPY_BOTH: return copy_unsupported();
      default:
        succeeded = false;
        if (!p.failure) p.failure = failed(result->get());
        if (server_hung_up_ || PQstatus(connection_) == CONNECTION_BAD) return p.failure;
        stale = is_stale_statement(p.failure);
    }
  }
  if (stale || (answer.prepares && !succeeded)) {
    if (const auto known = prepared_.find(answer.to->sql); known != prepared_.end()) prepared_.erase(known);
  }
  return {};
}

// The commit comes with the synchronization, after every command has been answered, and may fail as they may.
spool::error postgres::session::receive_end(const spool::context& ctx, pipeline& p) {
  for (;;) {
    auto result = next_result(ctx);
    if (!result) return result.error();
    if (*result == nullptr) {
      if (PQstatus(connection_) == CONNECTION_BAD || server_hung_up_) return p.failure ? p.failure : lost();
      continue;
    }
    if (PQresultStatus(result->get()) == PGRES_PIPELINE_SYNC) return {};
    if (!p.failure) p.failure = failed(result->get());
  }
}

spool::error postgres::session::failed(const pg_result* result) {
  server_hung_up_ = server_hung_up_ || ends_session(result);
  const char* code = PQresultErrorField(result, PG_DIAG_SQLSTATE);
  if (code == nullptr || std::strlen(code) != 5)
    return connection_error(connection_failure, PQresultErrorMessage(result));
  std::string message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
  if (const char* detail = PQresultErrorField(result, PG_DIAG_MESSAGE_DETAIL))
    message.append(" (").append(detail) += ')';
  return spool::error(sqlstate_code(code), std::move(message));
}

spool::error postgres::session::lost() { return connection_error(connection_failure, PQerrorMessage(connection_)); }

spool::error postgres::session::copy_unsupported() {
  return spool::error(sqlstate_code("0A000"), "copy from or to the client is not supported; use batch or query");
}

// On a connection of its own, which libpq knows only how to make in a blocking way. The server goes on with a statement
// whose client has gone, and with the locks it holds; so somebody has to tell it.
void postgres::session::cancel_on_server() noexcept {
  const auto release = [](PGcancel* c) { PQfreeCancel(c); };
  try {
    std::unique_ptr<PGcancel, decltype(release)> request(PQgetCancel(connection_), release);
    if (request == nullptr) return;
    spool::go([request = std::move(request)] {
      try {
        spool::blocking([&] {
          char problem[256];
          return PQcancel(request.get(), problem, sizeof problem);
        });
      } catch (const std::system_error&) {
        // No thread to be had: the statement runs to its end, as it would if the request got lost on its way.
      }
    });
  } catch (const std::exception&) {
    // As above.
  }
}

// What the server says while nobody asks; without this libpq would print it.
void postgres::session::take_notice(void* self, const pg_result* notice) {
  if (ends_session(notice)) static_cast<session*>(self)->server_hung_up_ = true;
}

bool postgres::session::alive() noexcept {
  if (state_ != state::ready) return false;
  pollfd socket{PQsocket(connection_), POLLIN, 0};
  while (poll(&socket, 1, 0) > 0) {
    const bool open = PQconsumeInput(connection_) == 1;
    static_cast<void>(PQisBusy(connection_));  // looks at what has come
    if (open && !server_hung_up_) continue;
    state_ = state::broken;
    return false;
  }
  return true;
}

bool postgres::session::reusable() const noexcept {
  return state_ == state::ready && PQtransactionStatus(connection_) == PQTRANS_IDLE;
}

}  // namespace db
