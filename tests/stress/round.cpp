#include "round.hpp"

#include <unistd.h>

#include <barrier>
#include <chrono>

namespace stress {

using namespace std::chrono_literals;

porters::porters(activity& self, spool::runtime& rt) {
  const std::size_t workers = rt.threads();
  for (std::size_t i = 0; i < workers; ++i) porters_.push_back(std::make_unique<porter>());
  // Each keeps its worker from anything else until every worker has one.
  auto all_there = std::make_shared<std::barrier<>>(static_cast<std::ptrdiff_t>(workers) + 1);
  for (auto& p : porters_) {
    rt.go([&p = *p, all_there] {
      const spool::this_fiber::pin here;
      all_there->arrive_and_wait();
      activity him("fiber porter");
      him.runs();
      const auto asked = [&p] { return p.asked.size() > 0 ? "somebody asks" : p.asked.closed() ? "it is closed" : ""; };
      while (const auto asking = him.rests("channel recv", asked, [&p] { return p.asked.recv(); })) {
        (*asking)->count_down();
      }
      p.gone.store(true);
    });
  }
  self.waits(
      "start of a fiber on each worker", [] { return "they were started"; }, [&] { all_there->arrive_and_wait(); });
}

void porters::end(activity& self) {
  for (auto& p : porters_) p->asked.close();
  for (auto& p : porters_) {
    self.waits(
        "end of a porter", [] { return "its channel is closed"; },
        [&] {
          while (!p->gone.load()) std::this_thread::sleep_for(100us);
        });
  }
}

void porters::move_me(activity& self, unsigned to) {
  spool::latch answered(1);
  const auto& asked = porters_[to % porters_.size()]->asked;
  const pid_t before = ::gettid();  // std::this_thread::get_id() may be cached over a move
  self.waits(
      "channel send to a porter", [&] { return asked.size() == 0 ? "there is room" : ""; },
      [&] { (void)asked.send(&answered); });
  self.waits(
      "latch", [&] { return answered.try_wait() ? "it has come to 0" : ""; }, [&] { answered.wait(); });
  if (::gettid() != before) moves_.fetch_add(1, std::memory_order_relaxed);
}

round::~round() {
  for (std::thread& t : threads_) t.join();
}

void round::fiber(std::string name, std::function<void(activity&, dice&)> body) {
  left_.fetch_add(1);
  auto self = std::make_unique<activity>("fiber " + name);
  self->starts();
  rt_.go([this, self = std::move(self), name = std::move(name), body = std::move(body), seed = dice_()]() mutable {
    self->runs();
    spool::this_fiber::set_name(name);
    dice d(seed);
    body(*self, d);
    self.reset();
    left_.fetch_sub(1);
  });
}

void round::thread(std::string name, std::function<void(activity&, dice&)> body) {
  left_.fetch_add(1);
  threads_.emplace_back([this, name = std::move(name), body = std::move(body), seed = dice_()] {
    while (!may_begin_.load()) std::this_thread::yield();
    {
      activity self("thread " + name);
      dice d(seed);
      body(self, d);
    }
    left_.fetch_sub(1);
  });
}

void round::wait() const {
  while (left_.load() != 0) std::this_thread::sleep_for(100us);
}

void round::think(activity& self, dice& d) {
  if (spool::runtime::current() == nullptr) {
    // A worker that finds nothing goes to sleep within such a time.
    if (below(d, 3) == 0) std::this_thread::sleep_for(std::chrono::microseconds(below(d, sparse ? 400 : 100)));
    return;
  }
  switch (below(d, 8)) {
    case 0: movers_.move_me(self, below(d, 64)); break;
    case 1:
      self.waits(
          "yield", [] { return "it is ready"; }, [] { spool::this_fiber::yield(); });
      break;
    case 2: {
      const auto until = std::chrono::steady_clock::now() + std::chrono::microseconds(below(d, 30));
      while (std::chrono::steady_clock::now() < until) {
      }
      break;
    }
    default: break;
  }
}

void round::check() {
  for (const auto& c : checks_) c();
}

}  // namespace stress
