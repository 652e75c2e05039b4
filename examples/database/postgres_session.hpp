// What a db::postgres is made of: libpq's connection, a watch on its socket, and what is known of both.
#pragma once

#include "postgres.hpp"

#include <libpq-fe.h>
#include <boost/asio/posix/stream_descriptor.hpp>

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace db {

class postgres::session {
 public:
  session();
  ~session();
  session(const session&) = delete;
  session& operator=(const session&) = delete;

  spool::error connect(const spool::context& ctx, const std::string& conninfo);
  spool::result<std::vector<rows>> run(const spool::context& ctx, std::span<const command> commands);
  spool::error run_script(const spool::context& ctx, const std::string& script);
  bool alive() noexcept;
  bool reusable() const noexcept;

 private:
  enum class state { ready, busy, broken };
  class exchange;   // a call under way
  struct pipeline;  // a batch under way

  struct text_hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const noexcept { return std::hash<std::string_view>()(text); }
  };
  using statement_names = std::unordered_map<std::string, std::string, text_hash, std::equal_to<>>;

  spool::error may_begin(const spool::context& ctx) const;
  static spool::error check_text(std::span<const command> commands);
  spool::error watch_socket();
  spool::error wait(const spool::context& ctx, boost::asio::posix::stream_descriptor::wait_type what);
  spool::error flush(const spool::context& ctx);
  spool::result<rows::handle> next_result(const spool::context& ctx);

  bool send(pipeline& p, const command& c);
  spool::error receive(const spool::context& ctx, pipeline& p);
  spool::error receive_end(const spool::context& ctx, pipeline& p);
  void encode(std::span<const parameter> parameters);

  spool::error failed(const pg_result* result);
  spool::error lost();
  static spool::error copy_unsupported();
  void cancel_on_server() noexcept;
  static void take_notice(void* self, const pg_result* notice);

  PGconn* connection_ = nullptr;
  // Watches a duplicate of the socket: libpq closes its own whenever it likes, and the reactor must not find another
  // file under the number it watches.
  boost::asio::posix::stream_descriptor watch_;
  state state_ = state::broken;
  bool server_hung_up_ = false;
  statement_names prepared_;
  std::size_t names_given_ = 0;

  std::string encoded_;              // the parameters of one command, each with a zero byte at its end
  std::vector<const char*> values_;  // into encoded_
};

}  // namespace db
