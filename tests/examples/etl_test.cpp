// The parts of the example etl that stand alone.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <boost/beast/http/status.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <spool/spool.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "answer_cache.hpp"
#include "event.hpp"
#include "fields.hpp"
#include "http/client.hpp"
#include "http/server.hpp"
#include "http/url.hpp"
#include "input_line.hpp"
#include "line_splitter.hpp"
#include "options.hpp"
#include "query.hpp"
#include "record.hpp"
#include "sample_answers.hpp"
#include "service_client.hpp"
#include "store.hpp"
#include "totals.hpp"

namespace etl {
namespace {

const event* as_event(const std::variant<event, rejection>& parsed) { return std::get_if<event>(&parsed); }

bool is_rejected(std::string_view line) { return std::holds_alternative<rejection>(parse_event(line)); }

TEST(EtlEvent, IsReadFromItsLine) {
  const auto parsed = parse_event(R"({"id":"e1","customer":"c \"1\"","country":"DE","amount":-12,"more":[1,{}]})");
  ASSERT_NE(as_event(parsed), nullptr);
  EXPECT_EQ(*as_event(parsed), (event{"e1", "c \"1\"", "DE", -12}));
}

TEST(EtlEvent, TakesTheWholeRangeOfAmounts) {
  const auto parsed = parse_event(R"({"id":"e","customer":"c","country":"DE","amount":-9223372036854775808})");
  ASSERT_NE(as_event(parsed), nullptr);
  EXPECT_EQ(as_event(parsed)->amount, INT64_MIN);
  EXPECT_TRUE(is_rejected(R"({"id":"e","customer":"c","country":"DE","amount":9223372036854775808})"));
}

TEST(EtlEvent, RejectsWhatIsNone) {
  for (const std::string_view line :
       {"", "x", "[]", "1", "null", "{}", R"({"id":"e","customer":"c","country":"DE"})",
        R"({"id":"e","customer":"c","country":"DE","amount":1.0})",
        R"({"id":"e","customer":"c","country":"DE","amount":"1"})",
        R"({"id":1,"customer":"c","country":"DE","amount":1})", R"({"id":"","customer":"c","country":"DE","amount":1})",
        R"({"id":"e","customer":"c\n","country":"DE","amount":1})",
        R"({"id":"e","customer":"c","country":"DE","amount":1)",
        R"({"id":"e","customer":"c","country":"DE","amount":1} {})",
        R"({"id":"e","customer":"c","country":null,"amount":1})"}) {
    EXPECT_TRUE(is_rejected(line)) << line;
  }
}

TEST(EtlEvent, BoundsTheLengthOfTexts) {
  const auto with_id = [](std::size_t length) {
    return R"({"id":")" + std::string(length, 'x') + R"(","customer":"c","country":"DE","amount":1})";
  };
  EXPECT_FALSE(is_rejected(with_id(256)));
  EXPECT_TRUE(is_rejected(with_id(257)));
}

std::vector<text_line> split(line_splitter& lines, std::string_view all, std::size_t chunk) {
  std::vector<text_line> found;
  for (; !all.empty(); all.remove_prefix(std::min(chunk, all.size()))) {
    lines.append(all.substr(0, chunk));
    while (auto line = lines.next()) found.push_back(std::move(*line));
  }
  if (auto line = lines.rest()) found.push_back(std::move(*line));
  return found;
}

TEST(EtlLineSplitter, FindsTheSameLinesInChunksOfAnySize) {
  const std::string_view all = "one\n\ntwo two\r\nthis one is too long\nfive\nlast";
  for (std::size_t chunk = 1; chunk <= all.size(); ++chunk) {
    line_splitter lines({}, 10);
    const std::vector<text_line> found = split(lines, all, chunk);
    ASSERT_EQ(found.size(), 6U) << chunk;
    const std::array<std::string_view, 6> texts{"one", "", "two two", "", "five", "last"};
    const std::array<std::uint64_t, 6> ends{4, 5, 14, 35, 40, 44};
    for (std::size_t i = 0; i < found.size(); ++i) {
      EXPECT_EQ(found[i].text, texts[i]) << chunk;
      EXPECT_EQ(found[i].end, (position{ends[i], i + 1})) << chunk;
      EXPECT_EQ(found[i].too_long, i == 3) << chunk;
    }
  }
}

TEST(EtlLineSplitter, GoesOnAtAPosition) {
  line_splitter lines({100, 7}, 1000);
  const std::vector<text_line> found = split(lines, "a\nb\n", 64);
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[1].end, (position{104, 9}));
}

TEST(EtlLineSplitter, ALineMayBeAsLongAsTheLimitAndNoLonger) {
  for (const std::size_t length : {10U, 11U}) {
    line_splitter lines({}, 10);
    const std::vector<text_line> found = split(lines, std::string(length, 'x') + "\n", 3);
    ASSERT_EQ(found.size(), 1U);
    EXPECT_EQ(found[0].too_long, length == 11);
    EXPECT_EQ(found[0].end.bytes, length + 1);
  }
}

TEST(EtlQuery, WhatIsEncodedIsDecoded) {
  std::string every_byte;
  for (int c = 0; c < 256; ++c) every_byte.push_back(static_cast<char>(c));
  const std::string target = "/path?first=1&value=" + encode_query(every_byte) + "&last=2";
  EXPECT_EQ(target.find_first_of(" \r\n#\"<>\x7f"), target.npos);
  EXPECT_EQ(query_value(target, "value"), every_byte);
  EXPECT_EQ(query_value(target, "last"), "2");
}

TEST(EtlQuery, RefusesWhatIsNotWellFormed) {
  EXPECT_EQ(query_value("/path", "a"), std::nullopt);
  EXPECT_EQ(query_value("/path?b=1", "a"), std::nullopt);
  EXPECT_EQ(query_value("/path?a", "a"), std::nullopt);
  for (const std::string_view bad : {"/?a=%", "/?a=%1", "/?a=%g1", "/?a=%+1", "/?a=%-1"}) {
    EXPECT_EQ(query_value(bad, "a"), std::nullopt) << bad;
  }
}

TEST(EtlFields, AnswersComeBackAsTheyWereGiven) {
  const field& price = fields[*find_field("price")];
  const field& geo = fields[*find_field("geo")];
  EXPECT_EQ(parse_answer(price, to_answer(price, std::int64_t{-5})), field_value(std::int64_t{-5}));
  EXPECT_EQ(parse_answer(geo, to_answer(geo, std::string("a\"b"))), field_value(std::string("a\"b")));
  EXPECT_EQ(parse_answer(geo, to_answer(geo, {})), field_value());
}

TEST(EtlFields, AnswersThatMakeNoSenseAreNone) {
  const field& price = fields[*find_field("price")];
  for (const std::string_view body :
       {"", "nonsense", "{}", "[]", R"({"price":"1"})", R"({"price":1.5})", R"({"region":1})"}) {
    EXPECT_EQ(parse_answer(price, body), std::nullopt) << body;
  }
  EXPECT_EQ(parse_answer(fields[*find_field("geo")], R"({"region":"a\u0000b"})"), std::nullopt);
  EXPECT_EQ(find_field("tax"), std::nullopt);
}

TEST(EtlSampleAnswers, FollowTheQuestion) {
  const auto answer = [](std::string_view service, const event& e) {
    const field& asked = fields[*find_field(service)];
    return sample_answer(asked, "/x" + asked.query(e));
  };
  EXPECT_EQ(answer("geo", {"e", "c", "DE", 1}), field_value(std::string("north")));
  EXPECT_EQ(answer("geo", {"e", "c", "NZ", 1}), field_value(std::string("south")));
  EXPECT_EQ(answer("customer", {"e", "c&=%0", "DE", 1}), field_value(std::string("gold")));
  EXPECT_EQ(answer("customer", {"e", "c3", "DE", 1}), field_value(std::string("silver")));
  EXPECT_EQ(answer("customer", {"e", "c4", "DE", 1}), field_value(std::string("bronze")));
  EXPECT_EQ(answer("price", {"e", "c", "DE", -99}), field_value(std::int64_t{-117}));
  EXPECT_EQ(answer("price", {"e", "c", "US", 1099}), field_value(std::int64_t{1175}));
  EXPECT_EQ(answer("price", {"e", "c", "US", INT64_MAX}), field_value());
  EXPECT_EQ(sample_answer(fields[*find_field("price")], "/price?country=DE"), std::nullopt);
}

TEST(EtlAnswerCache, KeepsWhatIsAskedForAndStaysBounded) {
  answer_cache cache(10);
  cache.put("hot", std::string("here"));
  for (int i = 0; i < 1000; ++i) {
    cache.put(std::to_string(i), std::int64_t{i});
    EXPECT_EQ(cache.find("hot"), field_value(std::string("here"))) << i;
    EXPECT_LE(cache.size(), 20U);
  }
  EXPECT_EQ(cache.find("999"), field_value(std::int64_t{999}));
  EXPECT_EQ(cache.find("1"), std::nullopt);
}

TEST(EtlStore, ABatchMovesEachInputToItsLastLine) {
  const input a{.name = "a"}, b{.name = "b"}, stream{.name = "-", .has_position = false};
  const auto at = [](const input& from, position end) { return record{.where = {&from, end.lines, end}}; };
  const record_batch batch{at(a, {10, 1}), at(a, {20, 2}), at(stream, {5, 1}), at(b, {7, 1})};
  EXPECT_EQ(last_positions(batch), (positions{{"a", {20, 2}}, {"b", {7, 1}}}));
}

TEST(EtlRecord, NamesTheServicesThatGaveNoAnswer) {
  record r;
  EXPECT_EQ(degraded_services(r), "");
  r.degraded = 0b101;
  EXPECT_EQ(degraded_services(r), "geo,price");
}

TEST(EtlRecord, WhatIsNoEventAtTheEndOfAFileMayBeHalfOfOne) {
  const input file{.name = "a"}, stream{.name = "-", .has_position = false};
  text_line line{.text = "{\"id\":", .begin = {10, 3}, .end = {16, 4}, .ended = false};
  const record in_file = to_record({&file, line});
  EXPECT_TRUE(in_file.unfinished);
  EXPECT_EQ(in_file.where.end, line.begin);
  EXPECT_EQ(in_file.where.line, 4U);
  EXPECT_FALSE(to_record({&stream, line}).unfinished);
  line.ended = true;
  EXPECT_FALSE(to_record({&file, line}).unfinished);
  line = {.text = R"({"id":"e","customer":"c","country":"DE","amount":1})", .end = {60, 4}, .ended = false};
  const record whole = to_record({&file, line});
  EXPECT_TRUE(std::holds_alternative<event>(whole.what));
  EXPECT_EQ(whole.where.end, line.end);
}

TEST(EtlTotals, TheReportEndsWithTheRate) {
  totals counts;
  counts.rows = 90;
  counts.duplicates = 10;
  counts.degraded[2] = 7;
  const std::string text = report(counts, {}, std::chrono::seconds(2));
  EXPECT_NE(text.find("events: 100\n"), text.npos);
  EXPECT_NE(text.find("price: 7 degraded, 0 retries, breaker closed"), text.npos);
  EXPECT_TRUE(text.ends_with("\nevents/s: 50.0\n")) << text;
}

TEST(EtlTotals, TheBarFollowsTheShare) {
  EXPECT_EQ(describe({}, 0.5, std::chrono::seconds(1)).substr(0, 33), "[############............]  50 % ");
  EXPECT_EQ(describe({}, 2, std::chrono::seconds(1)).substr(0, 33), "[########################] 100 % ");
  EXPECT_EQ(describe({}, -1, std::chrono::seconds(1)), "0 events, 0/s");
}

parse_result parse_words(std::vector<std::string> words, options& into, std::string& complaint) {
  std::vector<char*> argv{const_cast<char*>("etl")};
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  return parse(static_cast<int>(argv.size() - 1), argv.data(), into, complaint);
}

TEST(EtlOptions, AreRead) {
  options chosen;
  std::string complaint;
  ASSERT_EQ(parse_words({"--workers", "3", "in", "--services", "http://a/x,http://b:81/y,http://c/", "--timeout=7"},
                        chosen, complaint),
            parse_result::run)
      << complaint;
  EXPECT_EQ(chosen.input, "in");
  EXPECT_EQ(chosen.workers, 3U);
  EXPECT_EQ(chosen.timeout, std::chrono::milliseconds(7));
  ASSERT_TRUE(chosen.services);
  EXPECT_EQ((*chosen.services)[1].port, "81");
}

TEST(EtlOptions, DeadServicesAddUp) {
  options chosen;
  std::string complaint;
  ASSERT_EQ(parse_words({"--dead", "price", "--dead", "geo", "-"}, chosen, complaint), parse_result::run) << complaint;
  EXPECT_EQ(chosen.dead, (std::array<bool, 3>{true, false, true}));
}

// A service whose answers a test decides, and a client for it.
class EtlServiceClient : public testing::Test {
 protected:
  using answer_function = std::function<std::pair<unsigned, std::string>(const spool::context&, int asked)>;

  static constexpr std::chrono::milliseconds no_timeout = std::chrono::minutes(5);

  // Runs `test` with a client of a price service that answers the n-th question, counted from 1, with a status and a
  // body.
  void with_service(std::chrono::milliseconds timeout, const answer_function& answer,
                    const std::function<void(service_client&)>& test) {
    spool::run([&] {
      http::server server({}, [&](const spool::context& ctx, const http::request& asked) {
        const auto [status, body] = answer(ctx, ++asked_);
        return http::reply(asked, boost::beast::http::int_to_status(status), body);
      });
      spool::errgroup serving;
      serving.go([&] { return server.serve(serving.context()); });
      {
        http::client transport;
        const auto base = http::parse_url("http://127.0.0.1:" + std::to_string(server.port()) + "/price");
        service_client client(fields[*find_field("price")], base.value(), transport, timeout);
        test(client);
      }
      server.stop_accepting();
      EXPECT_FALSE(serving.wait());
    });
  }
  static event event_of(std::int64_t amount) { return {"e", "c", "DE", amount}; }

  const spool::context ctx_ = spool::context::background();
  std::atomic<int> asked_{0};
};

TEST_F(EtlServiceClient, AsksAgainWhenTheServiceFails) {
  const auto answer = [](const spool::context&, int asked) -> std::pair<unsigned, std::string> {
    if (asked == 1) return {503, "{}"};
    if (asked == 2) return {200, "nonsense"};
    return {200, R"({"price":7})"};
  };
  with_service(no_timeout, answer, [&](service_client& client) {
    EXPECT_EQ(client.find(ctx_, event_of(1)).value(), field_value(std::int64_t{7}));
    EXPECT_EQ(asked_, 3);
    EXPECT_EQ(client.retries(), 2U);
  });
}

TEST_F(EtlServiceClient, AsksOnceForTheSame) {
  const auto answer = [](const spool::context&, int) { return std::pair(200U, std::string(R"({"price":7})")); };
  with_service(no_timeout, answer, [&](service_client& client) {
    spool::wait_group asking;
    for (int i = 0; i < 20; ++i) asking.go([&] { EXPECT_TRUE(client.find(ctx_, event_of(1))); });
    asking.wait();
    EXPECT_TRUE(client.find(ctx_, event_of(1)));
    EXPECT_EQ(asked_, 1);
    EXPECT_TRUE(client.find(ctx_, event_of(2)));
    EXPECT_EQ(asked_, 2);
  });
}

TEST_F(EtlServiceClient, NothingKnownIsAnAnswer) {
  const auto answer = [](const spool::context&, int) { return std::pair(404U, std::string()); };
  with_service(no_timeout, answer, [&](service_client& client) {
    EXPECT_EQ(client.find(ctx_, event_of(1)).value(), field_value());
    EXPECT_EQ(asked_, 1);
  });
}

TEST_F(EtlServiceClient, AQuestionThatIsRefusedSaysNothingAboutTheService) {
  const auto answer = [](const spool::context&, int) { return std::pair(400U, std::string("{}")); };
  with_service(no_timeout, answer, [&](service_client& client) {
    for (int i = 0; i < 30; ++i) EXPECT_FALSE(client.find(ctx_, event_of(i)));
    EXPECT_EQ(asked_, 30) << "no retries";
    EXPECT_EQ(client.state(), spool::circuit_state::closed);
  });
}

TEST_F(EtlServiceClient, StopsAskingAServiceThatIsDead) {
  const auto answer = [](const spool::context& ctx, int) {
    ctx.wait();
    return std::pair(503U, std::string("{}"));
  };
  with_service(std::chrono::milliseconds(5), answer, [&](service_client& client) {
    for (int i = 0; i < 100; ++i) EXPECT_FALSE(client.find(ctx_, event_of(i)));
    EXPECT_GE(client.times_opened(), 1U);
  });
}

TEST_F(EtlServiceClient, EndsWithItsContext) {
  const spool::cancel_scope scope = spool::with_cancel(ctx_);
  const auto answer = [&](const spool::context& ctx, int) {
    scope.cancel();
    ctx.wait();
    return std::pair(503U, std::string("{}"));
  };
  with_service(no_timeout, answer, [&](service_client& client) {
    const auto found = client.find(scope.ctx(), event_of(1));
    ASSERT_FALSE(found);
    EXPECT_EQ(found.error(), spool::errc::canceled);
    EXPECT_EQ(client.retries(), 0U);
  });
}

}  // namespace
}  // namespace etl
