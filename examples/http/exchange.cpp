#include "exchange.hpp"

#include "connect.hpp"

#include <boost/beast/http/error.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/write.hpp>

namespace http {
namespace {

namespace beast_http = boost::beast::http;
using boost::system::error_code;
using answer_parser = beast_http::response_parser<beast_http::string_body>;

// By number: Beast's to_status_class does not know 103.
bool is_interim(unsigned status) noexcept { return status / 100 == 1 && status != 101; }

}  // namespace

exchange_outcome exchange(const spool::context& ctx, client_connection& link, const url& where,
                          const beast_http::request<beast_http::string_body>& request, std::size_t max_body_bytes) {
  link.stream.set_context(ctx);
  // A server that refuses a request may answer before it has taken the whole body, and close: what it said is worth
  // more than the failure to send the rest. So a failed write is followed by a read all the same.
  error_code write_problem;
  beast_http::write(link.stream, request, write_problem);
  for (bool interim_came = false;; interim_came = true) {
    answer_parser parser;
    parser.body_limit(max_body_bytes);
    parser.skip(request.method() == beast_http::verb::head);
    error_code problem;
    beast_http::read(link.stream, link.buffer, parser, problem);
    if (problem) {
      const bool nothing_came = !interim_came && !parser.got_some() && !ctx.done();
      const bool unsent = write_problem && nothing_came;
      return {failure(ctx, where, unsent ? "request not sent" : "no valid answer", unsent ? write_problem : problem),
              false, nothing_came};
    }
    if (is_interim(parser.get().result_int())) continue;
    const bool reusable = !write_problem && parser.keep_alive() && link.buffer.size() == 0 &&
                          parser.get().result() != beast_http::status::switching_protocols;
    link.stream.set_context(spool::context::background());
    return {parser.release(), reusable, false};
  }
}

}  // namespace http
