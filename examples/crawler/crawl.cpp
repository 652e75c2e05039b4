#include "crawl.hpp"

#include <unistd.h>

#include <cstdio>
#include <optional>
#include <utility>
#include <variant>
#include <vector>

#include "command/complaint.hpp"
#include "fetch.hpp"
#include "frontier.hpp"
#include "http/client.hpp"
#include "page_url.hpp"
#include "url_input.hpp"

// One fiber, the coordinator, knows which pages were seen, which wait and how many are in flight. It hands pages to the
// workers and takes their results in the same select: whatever they find, it is never a worker's turn to wait for the
// coordinator while that waits for the worker, so the channels need no room for more than their ends.
//
// Nobody sends on a closed channel: each is closed by the end of its last sender (make_channel), an exception included.
// It is all over when nothing waits, nothing is in flight and the input has ended.
namespace crawler {
namespace {

using clock = std::chrono::steady_clock;

constexpr std::size_t most_redirects = 10;

// URLs read ahead of what is fetched: for other hosts to be there while one rests.
constexpr std::size_t input_window = 10'000;

class coordinator {
 public:
  coordinator(const options& chosen, spool::sender<page> work, spool::receiver<fetch_result> results,
              spool::receiver<std::string> input, command::terminal_line& progress)
      : chosen_(chosen),
        work_(std::move(work)),
        results_(std::move(results)),
        input_(std::move(input)),
        progress_(progress),
        waiting_(chosen.per_host_rate) {}

  totals run(const spool::context& ctx) {
    if (progress_.shown()) redraw_ = ticker_.emplace(command::terminal_line::interval).c();
    while (!over()) step(ctx);
    progress_.clear();
    counts_.not_fetched += waiting_.size() + (offer_ ? 1 : 0);
    return counts_;
  }

  // Lets the workers end: no more pages.
  void dismiss() { work_ = no_work_; }

 private:
  bool over() const {
    const bool more_to_start = !stopped_ && room_under_limit() && (offer_ || waiting_.size() > 0 || input_open_);
    return counts_.in_flight == 0 && !more_to_start;
  }

  // What may not happen now is a case on a nil channel, which is never ready.
  void step(const spool::context& ctx) {
    const bool starting = !stopped_ && room_under_limit();
    if (starting && !offer_) offer_ = waiting_.next();
    const bool offering = starting && offer_;
    const bool reading = !stopped_ && input_open_ && waiting_.size() < input_window;
    const auto pause = starting && !offer_ ? waiting_.delay().value_or(clock::duration::max()) : clock::duration::max();
    spool::select(
        spool::on_recv(results_, [&](std::optional<fetch_result> result) { take(std::move(result).value()); }),
        spool::on_send(offering ? work_ : no_work_, std::move(offering ? *offer_ : no_page_), [&] { handed_over(); }),
        spool::on_recv(reading ? input_ : no_input_, [&](std::optional<std::string> text) { take(std::move(text)); }),
        spool::on_recv(redraw_, [&] { redraw(); }), spool::on_timeout(pause),
        spool::on_done(stopped_ ? spool::context::background() : ctx, [&] { stopped_ = true; }));
  }

  void handed_over() {
    offer_.reset();
    ++counts_.in_flight;
  }

  void take(fetch_result result) {
    --counts_.in_flight;
    std::visit([&](auto&& outcome) { note(result.asked, std::move(outcome)); }, std::move(result.outcome));
  }

  void note(const page&, given_up) { ++counts_.not_fetched; }

  void note(const page& asked, fetched got) {
    ++counts_.pages;
    counts_.bytes += got.bytes;
    if (asked.depth >= chosen_.depth) return;
    const std::string host = authority(asked.where), found_on = to_string(asked.where);
    for (http::url& link : got.links) {
      if (authority(link) == host) waiting_.add({std::move(link), found_on, asked.depth + 1});
    }
  }

  // A page that was asked for may have moved to another host; a link does not lead off its own.
  void note(const page& asked, redirected moved) {
    if (asked.redirects >= most_redirects) return note(asked, failed{"too many redirections"});
    ++counts_.redirects;
    if (asked.depth > 0 && authority(moved.to) != authority(asked.where)) return;
    waiting_.add({std::move(moved.to), asked.found_on, asked.depth, asked.redirects + 1});
  }

  // A broken link is what a crawl is there to find out; a page that was asked for and cannot be had is a failure.
  void note(const page& asked, failed failure) {
    const bool linked = !asked.found_on.empty();
    if (linked) failure.why.append(" (linked from ").append(asked.found_on).append(")");
    ++(linked && failure.by_link ? counts_.broken_links : counts_.failures);
    complain(to_string(asked.where), failure.why);
  }

  void take(std::optional<std::string> text) {
    input_open_ = text.has_value();
    if (!text) return;
    auto where = parse_page_url(*text);
    if (!where) {
      ++counts_.failures;
      return complain(*text, where.error().message());
    }
    waiting_.add({std::move(*where), {}});
  }

  void complain(std::string_view name, std::string_view why) {
    std::string line;
    command::append_complaint(line, "crawler", name, why);
    progress_.clear();
    std::fputs(line.c_str(), stderr);
  }

  void redraw() {
    counts_.waiting = waiting_.size();
    progress_.show(describe(counts_, clock::now() - began_));
  }

  bool room_under_limit() const {
    return counts_.pages + counts_.broken_links + counts_.failures + counts_.in_flight < chosen_.limit;
  }

  const options& chosen_;
  spool::sender<page> work_;
  const spool::receiver<fetch_result> results_;
  const spool::receiver<std::string> input_;
  command::terminal_line& progress_;
  const clock::time_point began_ = clock::now();

  frontier waiting_;
  std::optional<page> offer_;  // taken out of waiting_ for the next worker that is free
  totals counts_;
  bool input_open_ = true;
  bool stopped_ = false;

  std::optional<spool::ticker> ticker_;
  spool::receiver<clock::time_point> redraw_ = spool::channel<clock::time_point>(nullptr);
  const spool::sender<page> no_work_ = spool::channel<page>(nullptr);
  const spool::receiver<std::string> no_input_ = spool::channel<std::string>(nullptr);
  page no_page_;
};

}  // namespace

totals crawl(const spool::context& ctx, const options& chosen, const std::vector<std::string>& start,
             command::terminal_line& progress) {
  http::client client({.connections_per_host = chosen.concurrency, .idle_connections = chosen.concurrency});
  auto [work, pages] = spool::make_channel<page>();
  auto [finished, results] = spool::make_channel<fetch_result>();
  auto [urls, input] = spool::make_channel<std::string>();

  spool::error input_problem;
  spool::errgroup crew(ctx);
  const auto feeding = spool::with_cancel(crew.context());
  crew.go([&, to = std::move(urls)] {
    const spool::error ended = feed_urls(feeding.ctx(), start, STDIN_FILENO, to);
    if (!feeding.ctx().done()) input_problem = ended;
  });
  for (std::size_t i = 0; i < chosen.concurrency; ++i) {
    crew.go([&, from = pages, to = finished] {
      while (std::optional<page> next = from.recv()) {
        if (!to.send(fetch(crew.context(), client, chosen.timeout, std::move(*next)))) return;
      }
    });
  }
  coordinator lead(chosen, std::move(work), std::move(results), std::move(input), progress);
  totals counts = lead.run(crew.context());
  feeding.cancel();
  lead.dismiss();
  if (const spool::error failure = crew.wait()) failure.rethrow();
  if (input_problem) {
    ++counts.failures;
    std::fprintf(stderr, "crawler: %s\n", input_problem.message().c_str());
  }
  return counts;
}

}  // namespace crawler
