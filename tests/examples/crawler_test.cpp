// The parts of examples/crawler. The command as a whole: crawler.sh.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "../support/runtimes.hpp"
#include "crawl.hpp"
#include "frontier.hpp"
#include "html_links.hpp"
#include "html_text.hpp"
#include "http/server.hpp"
#include "line_input.hpp"
#include "options.hpp"
#include "page_url.hpp"
#include "site.hpp"
#include "url_input.hpp"

namespace {

namespace fs = std::filesystem;
using namespace crawler;
using namespace std::chrono_literals;
using namespace std::string_literals;
using boost::beast::http::field;
using boost::beast::http::verb;
using strings = std::vector<std::string>;

strings links(std::string_view html) { return find_links(html).references; }

TEST(FindLinks, ReadsAttributesInEveryQuotation) {
  EXPECT_EQ(links("<a href=\"x y.html\">"), strings{"x y.html"});
  EXPECT_EQ(links("<a href='it \"is\"'>"), strings{"it \"is\""});
  EXPECT_EQ(links("<a href=a/b?c=d>"), strings{"a/b?c=d"});
  EXPECT_EQ(links("<A\n HREF\t=\r\n \"x\" >"), strings{"x"});
  EXPECT_EQ(links("<a class=c id='href' data-href=no href=yes title=\"> href=no\">"), strings{"yes"});
  EXPECT_EQ(links("<a title='<a href=no>' href=yes><area shape=rect href=area/>"), (strings{"yes", "area/"}));
  EXPECT_EQ(links("<a href=first href=second>"), strings{"first"});
  EXPECT_EQ(links("<a href>"), strings{""});
  EXPECT_EQ(links("<a disabled href=x>"), strings{"x"});
}

TEST(FindLinks, DecodesEntities) {
  EXPECT_EQ(links("<a href='?a=1&amp;b=2&copy=3'>"), strings{"?a=1&b=2&copy=3"});
  EXPECT_EQ(links("<a href='&#47;&#x2F;&lt;&gt;&quot;&apos;&#xE4;'>"), strings{"//<>\"'\xc3\xa4"});
}

TEST(FindLinks, FindsNoneWhereTheyAreText) {
  EXPECT_EQ(links("<!-- <a href=no> --><a href=yes>"), strings{"yes"});
  EXPECT_EQ(links("<script>if (a<b) '<a href=no>' </script ><a href=yes>"), strings{"yes"});
  EXPECT_EQ(links("<STYLE><a href=no></Style><a href=yes>"), strings{"yes"});
  EXPECT_EQ(links("<title></titles><a href=no></title><a href=yes>"), strings{"yes"});
  EXPECT_EQ(links("<!DOCTYPE html><?php <a href=no ?><p>3 < 4 <3 << <a href=yes>"), strings{"yes"});
  EXPECT_EQ(links("<link href=style><img href=x><abbr href=y></a href=z>"), strings{});
}

TEST(FindLinks, EndsWithWhateverIsCutOff) {
  const std::string page = "<!-- c --><script>x</script><a href=\"one\" b='c'><a href=two>";
  for (std::size_t length = 0; length <= page.size(); ++length) {
    const auto found = links(std::string_view(page).substr(0, length));
    EXPECT_LE(found.size(), 2u);
    for (const std::string& link : found) EXPECT_TRUE(link == "one" || link == "two") << length << ' ' << link;
  }
  EXPECT_EQ(links("<script><a href=no>"), strings{});
  EXPECT_EQ(links("<!-- <a href=no>"), strings{});
}

TEST(FindLinks, TellsTheBase) {
  const auto found = find_links("<base target=_top><base href='/b/'><base href='/c/'><a href=x>");
  EXPECT_EQ(found.base, "/b/");
  EXPECT_EQ(found.references, strings{"x"});
}

TEST(Entities, EncodedTextIsDecodedAgain) {
  const std::string odd = "&<>\"' &amp; \xc3\xa4 ;&";
  EXPECT_EQ(decode_entities(encode_entities(odd)), odd);
  EXPECT_EQ(encode_entities("<a&b>"), "&lt;a&amp;b&gt;");
  for (const char* text :
       {"&", "&;", "&#;", "&#x;", "&#0;", "&#xD800;", "&#x110000;", "&#99999999;", "&nope;", "&amp", "&#6 5;"}) {
    EXPECT_EQ(decode_entities(text), text);
  }
}

std::string resolved(std::string_view base, std::string_view reference) {
  const auto found = resolve(http::parse_url(base).value(), reference);
  return found ? to_string(*found) : "nothing";
}

// RFC 3986, section 5.4, but for its schemes and fragments.
TEST(Resolve, FollowsTheStandardsExamples) {
  const std::vector<std::pair<const char*, const char*>> examples{{"g", "http://a/b/c/g"},
                                                                  {"./g", "http://a/b/c/g"},
                                                                  {"g/", "http://a/b/c/g/"},
                                                                  {"/g", "http://a/g"},
                                                                  {"//g", "http://g/"},
                                                                  {"?y", "http://a/b/c/d;p?y"},
                                                                  {"g?y", "http://a/b/c/g?y"},
                                                                  {"#s", "http://a/b/c/d;p?q"},
                                                                  {"g#s", "http://a/b/c/g"},
                                                                  {"g?y#s", "http://a/b/c/g?y"},
                                                                  {";x", "http://a/b/c/;x"},
                                                                  {"g;x", "http://a/b/c/g;x"},
                                                                  {"", "http://a/b/c/d;p?q"},
                                                                  {".", "http://a/b/c/"},
                                                                  {"./", "http://a/b/c/"},
                                                                  {"..", "http://a/b/"},
                                                                  {"../", "http://a/b/"},
                                                                  {"../g", "http://a/b/g"},
                                                                  {"../..", "http://a/"},
                                                                  {"../../", "http://a/"},
                                                                  {"../../g", "http://a/g"},
                                                                  {"../../../g", "http://a/g"},
                                                                  {"/./g", "http://a/g"},
                                                                  {"/../g", "http://a/g"},
                                                                  {"g.", "http://a/b/c/g."},
                                                                  {".g", "http://a/b/c/.g"},
                                                                  {"g..", "http://a/b/c/g.."},
                                                                  {"..g", "http://a/b/c/..g"},
                                                                  {"./../g", "http://a/b/g"},
                                                                  {"./g/.", "http://a/b/c/g/"},
                                                                  {"g/./h", "http://a/b/c/g/h"},
                                                                  {"g/../h", "http://a/b/c/h"},
                                                                  {"g;x=1/./y", "http://a/b/c/g;x=1/y"},
                                                                  {"g;x=1/../y", "http://a/b/c/y"},
                                                                  {"g?y/./x", "http://a/b/c/g?y/./x"},
                                                                  {"g?y/../x", "http://a/b/c/g?y/../x"},
                                                                  {"g#s/../x", "http://a/b/c/g"},
                                                                  {"HTTP://B:80/../x", "http://b/x"}};
  for (const auto& [reference, expected] : examples)
    EXPECT_EQ(resolved("http://a/b/c/d;p?q", reference), expected) << reference;
}

TEST(Resolve, LeadsToNothingButHttp) {
  for (const char* reference : {"mailto:a@b", "javascript:void(0)", "https://a/", "data:,x", "ftp://a/", "tel:1",
                                "http:g", "http://", "http://u@a/", "http://a:99999/"}) {
    EXPECT_EQ(resolved("http://a/", reference), "nothing") << reference;
  }
  EXPECT_EQ(resolved("http://a/", "a/b:c"), "http://a/a/b:c");
  EXPECT_EQ(resolved("http://a/", "1:2"), "http://a/1:2");
}

TEST(Resolve, BringsEveryUrlIntoOneForm) {
  EXPECT_EQ(resolved("http://a/", " x y\n"), "http://a/x%20y");
  EXPECT_EQ(resolved("http://a/", "x%20y"), "http://a/x%20y");
  EXPECT_EQ(resolved("http://a/", "%7eme/%41%2f%c3%a4"), "http://a/~me/A%2F%C3%A4");
  EXPECT_EQ(resolved("http://a/", "\xc3\xa4\"<>"), "http://a/%C3%A4%22%3C%3E");
  EXPECT_EQ(resolved("http://a/", "b\n\tc"), "http://a/bc");
  EXPECT_EQ(resolved("http://a/x/", "%2e%2e/y"), "http://a/y");
  EXPECT_EQ(resolved("http://a/", "100%"), "http://a/100%");
  EXPECT_EQ(resolved("http://a/", "%2541"), "http://a/%2541");
  EXPECT_EQ(to_string(parse_page_url(" http://A:80/b/../c d#e ").value()), "http://a/c%20d");
  EXPECT_FALSE(parse_page_url("c.html").has_value());
}

TEST(Percent, SegmentsComeBack) {
  std::string every;
  for (int c = 1; c < 256; ++c) every.push_back(static_cast<char>(c));
  EXPECT_EQ(decode_percent(encode_segment(every)), every);
  EXPECT_EQ(resolved("http://a/", encode_segment(every)), "http://a/" + encode_segment(every));
  for (const char* text : {"%", "%2", "%zz", "a%4"}) EXPECT_FALSE(decode_percent(text)) << text;
}

page to(const std::string& url) { return {http::parse_url(url).value(), {}}; }

strings all_that_may_be_fetched(frontier& waiting) {
  strings urls;
  while (const auto next = waiting.next()) urls.push_back(to_string(next->where));
  return urls;
}

TEST(Frontier, GivesEveryUrlOnce) {
  frontier waiting(0);
  EXPECT_TRUE(waiting.add(to("http://a/1")));
  EXPECT_FALSE(waiting.add(to("http://a:80/1")));
  EXPECT_EQ(waiting.size(), 1u);
  EXPECT_EQ(all_that_may_be_fetched(waiting), strings{"http://a/1"});
  EXPECT_FALSE(waiting.add(to("http://a/1")));
  EXPECT_EQ(waiting.size(), 0u);
  EXPECT_FALSE(waiting.next());
  EXPECT_FALSE(waiting.delay());
}

TEST(Frontier, LetsHostsTakeTurns) {
  frontier waiting(0);
  for (const char* url : {"http://a/1", "http://a/2", "http://a/3", "http://b/1", "http://c/1", "http://b/2"})
    waiting.add(to(url));
  EXPECT_EQ(all_that_may_be_fetched(waiting),
            (strings{"http://a/1", "http://b/1", "http://c/1", "http://a/2", "http://b/2", "http://a/3"}));
}

TEST(Frontier, AHostThatRestsHoldsUpNoOther) {
  frontier waiting(1);
  for (const char* url : {"http://a/1", "http://a/2", "http://a/3"}) waiting.add(to(url));
  EXPECT_EQ(all_that_may_be_fetched(waiting), strings{"http://a/1"});
  ASSERT_TRUE(waiting.delay());
  EXPECT_LE(*waiting.delay(), 1s);
  waiting.add(to("http://b/1"));
  EXPECT_EQ(all_that_may_be_fetched(waiting), strings{"http://b/1"});
  EXPECT_EQ(waiting.size(), 2u);
}

TEST(Frontier, KeepsToTheRate) {
  frontier waiting(2000);  // burst 20
  for (int i = 0; i < 120; ++i) waiting.add(to("http://a/" + std::to_string(i)));
  const auto began = std::chrono::steady_clock::now();
  for (std::size_t fetched = 0; fetched < 120;) fetched += all_that_may_be_fetched(waiting).size();
  EXPECT_GE(std::chrono::steady_clock::now() - began, 49ms);  // 100 tokens that were not there: a lower bound
}

class scratch_directory {
 public:
  scratch_directory() {
    std::string name = (fs::temp_directory_path() / "crawler_XXXXXX").string();
    path_ = ::mkdtemp(name.data());
  }
  ~scratch_directory() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  scratch_directory(const scratch_directory&) = delete;
  scratch_directory& operator=(const scratch_directory&) = delete;

  std::string operator/(const std::string& name) const { return path_ + "/" + name; }
  void file(const std::string& name, const std::string& content = "x") const {
    fs::create_directories(fs::path(*this / name).parent_path());
    std::ofstream(*this / name, std::ios::binary) << content;
  }

 private:
  std::string path_;
};

class Site : public testing::Test {
 protected:
  Site() {
    files_.file("secret", "secret");
    files_.file("root-and-more/secret", "secret");
    files_.file("root/plain.html", "<p>plain");
    files_.file("root/a b&c<d>.txt", "odd");
    files_.file("root/own/index.html", "own");
    files_.file("root/own/unlisted.html", "unlisted");
    fs::create_directories(files_ / "root/empty");
    fs::create_symlink("plain.html", files_ / "root/link.html");
    fs::create_symlink("../secret", files_ / "root/leak.html");
    fs::create_symlink(".", files_ / "root/loop");
    fs::create_symlink("nowhere", files_ / "root/dangling");
    ::mkfifo((files_ / "root/pipe").c_str(), 0600);
  }

  http::response ask(std::string_view target, verb method = verb::get) const {
    return site(files_ / "root").answer(http::request(method, {target.data(), target.size()}, 11));
  }
  unsigned status(std::string_view target) const { return ask(target).result_int(); }
  std::string location(std::string_view target) const {
    const auto answer = ask(target);
    return answer.result_int() == 301 ? std::string(answer[field::location].data(), answer[field::location].size())
                                      : "none";
  }

  scratch_directory files_;
};

TEST_F(Site, ServesFiles) {
  const auto answer = ask("/plain.html?any=query");
  EXPECT_EQ(answer.result_int(), 200u);
  EXPECT_EQ(answer.body(), "<p>plain");
  EXPECT_TRUE(answer[field::content_type].starts_with("text/html"));
  EXPECT_EQ(ask("/a%20b%26c%3Cd%3E.txt").body(), "odd");
  EXPECT_EQ(ask("/link.html").body(), "<p>plain");
}

TEST_F(Site, ListsFoldersWithoutTheirLinksToFolders) {
  const auto listed = links(ask("/").body());
  EXPECT_EQ(listed, (strings{"a%20b%26c%3Cd%3E.txt", "empty/", "link.html", "own/", "plain.html"}));
  EXPECT_EQ(links(ask("/empty/").body()), strings{});
  EXPECT_EQ(ask("/own/").body(), "own");
}

TEST_F(Site, GivesEveryPageOneUrl) {
  EXPECT_EQ(location("/own"), "/own/");
  EXPECT_EQ(location("/own/index.html"), "/own/");
  EXPECT_EQ(location("/index.html"), "none");
  EXPECT_EQ(status("/index.html"), 404u);
}

TEST_F(Site, LetsNobodyOut) {
  EXPECT_EQ(status("/../secret"), 403u);
  EXPECT_EQ(status("/%2e%2e/secret"), 403u);
  EXPECT_EQ(status("/..%2fsecret"), 403u);
  EXPECT_EQ(status("/own/../../secret"), 403u);
  EXPECT_EQ(status("/.."), 403u);
  EXPECT_EQ(status("/../root-and-more/secret"), 403u);
  EXPECT_EQ(status("/leak.html"), 403u);
  EXPECT_EQ(status("/..x"), 404u);
}

TEST_F(Site, RefusesWhatIsNoPage) {
  EXPECT_EQ(status("/nowhere"), 404u);
  EXPECT_EQ(status("/dangling"), 404u);
  EXPECT_EQ(status("/plain.html/"), 404u);
  EXPECT_EQ(status("/plain.html/x"), 404u);
  EXPECT_EQ(status("/pipe"), 403u);
  EXPECT_EQ(status("/a%00b"), 400u);
  EXPECT_EQ(status("/%"), 400u);
  EXPECT_EQ(status("*"), 400u);
  EXPECT_EQ(status("/" + std::string(5000, 'x')), 404u);
  EXPECT_EQ(ask("/plain.html", verb::post).result_int(), 405u);
  EXPECT_EQ(ask("/plain.html", verb::head).result_int(), 200u);
}

TEST_F(Site, NeedsADirectory) {
  EXPECT_THROW(site(files_ / "nowhere"), std::system_error);
  EXPECT_THROW(site(files_ / "secret"), std::system_error);
}

class pipe_ends {
 public:
  pipe_ends() { EXPECT_EQ(::pipe2(fds_, O_CLOEXEC), 0); }
  ~pipe_ends() { ::close(fds_[0]), close_writing(); }
  int reading() const { return fds_[0]; }
  void write(std::string_view text) const {
    EXPECT_EQ(::write(fds_[1], text.data(), text.size()), static_cast<ssize_t>(text.size()));
  }
  void close_writing() {
    if (fds_[1] >= 0) ::close(std::exchange(fds_[1], -1));
  }

 private:
  int fds_[2];
};

class LineInput : public spool_test::WithWorkers {};
SPOOL_INSTANTIATE_WORKERS(LineInput);

TEST_P(LineInput, ReadsLinesTheLastWithoutItsEndToo) {
  run([] {
    const auto background = spool::context::background();
    pipe_ends ends;
    line_input lines(ends.reading());
    ends.write("one\n\ntw");
    EXPECT_EQ(lines.next(background).value(), "one");
    EXPECT_EQ(lines.next(background).value(), "");
    ends.write("o\nthree");
    EXPECT_EQ(lines.next(background).value(), "two");
    ends.close_writing();
    EXPECT_EQ(lines.next(background).value(), "three");
    EXPECT_EQ(lines.next(background).value(), std::nullopt);
    EXPECT_EQ(lines.next(background).value(), std::nullopt);
  });
}

TEST_P(LineInput, IsCalledBackFromAPipeThatNobodyWrites) {
  run([] {
    pipe_ends ends;
    line_input lines(ends.reading());
    const auto scope = spool::with_timeout(spool::context::background(), 2ms);
    EXPECT_EQ(lines.next(scope.ctx()).error(), spool::errc::deadline_exceeded);
    EXPECT_EQ(lines.next(scope.ctx()).error(), spool::errc::deadline_exceeded);
  });
}

TEST_P(LineInput, RefusesALineWithoutEnd) {
  run([] {
    pipe_ends ends;
    line_input lines(ends.reading());
    auto writing = spool::async([&] {
      spool::blocking([&] {
        for (int i = 0; i < 3; ++i) ends.write(std::string(60'000, 'x'));
      });
    });
    EXPECT_EQ(lines.next(spool::context::background()).error(), std::errc::message_size);
    EXPECT_EQ(::fcntl(ends.reading(), F_SETFL, O_NONBLOCK), 0);  // the last read may find nothing, and no end
    char rest[65536];
    while (!writing.ready()) static_cast<void>(::read(ends.reading(), rest, sizeof rest)), spool::this_fiber::yield();
  });
}

TEST_P(LineInput, UrlsComeFromWordsAndFromLines) {
  run([] {
    pipe_ends ends;
    ends.write(" http://b/ \r\n# not this\n\nhttp://c/");
    ends.close_writing();
    auto [sending, receiving] = spool::make_channel<std::string>();
    auto feeding = spool::async([&, to = std::move(sending)] {
      return feed_urls(spool::context::background(), {"http://a/", "-", "http://d/"}, ends.reading(), to);
    });
    strings urls;
    for (std::string url : receiving)
      urls.push_back(std::string(parse_page_url(url) ? to_string(*parse_page_url(url)) : url));
    EXPECT_EQ(urls, (strings{"http://a/", "http://b/", "http://c/", "http://d/"}));
    EXPECT_FALSE(feeding.get());
  });
}

std::pair<parse_result, options> parsed(strings words, std::string* complaint = nullptr) {
  words.insert(words.begin(), "crawler");
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  options into;
  std::string ignored;
  const parse_result result =
      parse(static_cast<int>(words.size()), argv.data(), into, complaint ? *complaint : ignored);
  return {result, into};
}

class Crawl : public spool_test::WithWorkers {};
SPOOL_INSTANTIATE_WORKERS(Crawl);

// The first page links to one of every status; those from 400 on are counted by whose fault they are.
TEST_P(Crawl, TellsBrokenLinksFromFailures) {
  const totals counts = run([] {
    using boost::beast::http::int_to_status;
    http::server served({}, [](const spool::context&, const http::request& asked) {
      const int code = std::atoi(std::string(asked.target().substr(1)).c_str());
      if (code != 0) return http::reply(asked, int_to_status(static_cast<unsigned>(code)), "", "text/html");
      std::string links;
      for (const char* page : {"200", "400", "403", "404", "410", "408", "429", "500", "503"}) {
        links.append("<a href=").append(page).append(">");
      }
      return http::reply(asked, int_to_status(200), links, "text/html");
    });
    spool::errgroup serving;
    serving.go([&] { return served.serve(serving.context()); });
    const std::string site = "http://127.0.0.1:" + std::to_string(served.port()) + "/";
    command::terminal_line progress(STDERR_FILENO, false);
    const totals found = crawl(spool::context::background(), {}, {site, site + "451"}, progress);
    served.stop_accepting();
    return found;
  });
  EXPECT_EQ(counts.pages, 2u);         // the first, 200
  EXPECT_EQ(counts.broken_links, 4u);  // 400, 403, 404, 410
  EXPECT_EQ(counts.failures, 5u);      // 408, 429, 500, 503 and 451, to which no page links
}

TEST(Options, AreTaken) {
  const auto [result, chosen] =
      parsed({"--concurrency", "3", "--per-host-rate", "7", "--timeout", "250", "--depth", "0", "--limit", "9"});
  EXPECT_EQ(result, parse_result::run);
  EXPECT_EQ(chosen.concurrency, 3u);
  EXPECT_EQ(chosen.per_host_rate, 7u);
  EXPECT_EQ(chosen.timeout, 250ms);
  EXPECT_EQ(chosen.depth, 0u);
  EXPECT_EQ(chosen.limit, 9u);
  EXPECT_EQ(parsed({}).second.depth, unlimited);
  EXPECT_EQ(parsed({"http://a/"}).second.depth, 0u);
  EXPECT_EQ(parsed({"http://a/", "--depth", "2", "-"}).second.urls, (strings{"http://a/", "-"}));
}

TEST(Options, AreRefusedWithAReason) {
  const std::vector<strings> bad{{"--concurrency", "0"},
                                 {"--concurrency", "x"},
                                 {"--concurrency"},
                                 {"--timeout", "-1"},
                                 {"--per-host-rate", "0"},
                                 {"--depth", "-1"},
                                 {"--limit", "0"},
                                 {"--port", "65536"},
                                 {"--what"},
                                 {"-x"},
                                 {"--serve", "/tmp", "http://a/"},
                                 {"--serve-only", "--limit", "3"},
                                 {"--serve-only", "http://a/"}};
  for (const strings& words : bad) {
    std::string complaint;
    EXPECT_EQ(parsed(words, &complaint).first, parse_result::bad) << words.front();
    EXPECT_FALSE(complaint.empty()) << words.front();
  }
}

}  // namespace
