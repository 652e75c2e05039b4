// Correct programs that look stuck for a while. None may be reported, none may lose a fiber.
#include "captured_log.hpp"
#include "stage.hpp"

#include <spool/runtime/detail/timer_node.hpp>

#include <runtime/leak_finder.hpp>

#include <boost/fiber/all.hpp>

#include <sys/eventfd.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstdint>
#include <ctime>
#include <future>
#include <ostream>
#include <stop_token>
#include <string>
#include <string_view>
#include <thread>
#include <tuple>
#include <vector>

namespace {

using namespace spool;
using namespace std::chrono_literals;
using spool_test::stage;
constexpr auto a_while = stage::a_while;

struct program {
  const char* name;
  void (*play)(stage&);
  friend std::ostream& operator<<(std::ostream& out, const program& p) { return out << p.name; }
};

/// It takes its time to fire.
struct slow_timer : detail::timer_node {
  slow_timer() : timer_node(&fire_slowly, mode::unlocked) {}
  static void fire_slowly(timer_node& node, detail::timer_queue*) noexcept {
    auto& self = static_cast<slow_timer&>(node);
    self.fires = true;
    std::this_thread::sleep_for(a_while);
    self.fired.close();
  }
  std::atomic<bool> fires{false};
  channel<int> fired;
};

latch* signalled = nullptr;  // what the raw signal handler counts down

void play_with_handler(stage& s, int signal, void (*raise_later)(stage&)) {
  signalled = &s.keep<latch>(1);
  struct sigaction ours {}, before {};
  ours.sa_handler = [](int) { signalled->count_down(); };
  ::sigaction(signal, &ours, &before);
  s.fiber([signal, before] {
    signalled->wait();
    ::sigaction(signal, &before, nullptr);
  });
  raise_later(s);
}

// clang-format off
const program channels[] = {
  {"RecvFromThread", [](stage& s) { channel<int> ch; s.fiber([=] { EXPECT_EQ(ch.recv(), 1); }); s.later([=] { EXPECT_TRUE(ch.send(1)); }); }},
  {"SendToThread", [](stage& s) { channel<int> ch; s.fiber([=] { EXPECT_TRUE(ch.send(1)); }); s.later([=] { EXPECT_EQ(ch.recv(), 1); }); }},
  {"RecvFromTryingThread", [](stage& s) { channel<int> ch; s.fiber([=] { EXPECT_EQ(ch.recv(), 1); }); s.later([=] { EXPECT_EQ(ch.try_send(1), channel_status::ok); }); }},
  {"CloseWakesReceivers", [](stage& s) { channel<int> ch; for (int i = 0; i < 20; ++i) s.fiber([=] { EXPECT_FALSE(ch.recv()); }); s.later([=] { ch.close(); }); }},
  {"CloseWakesSenders", [](stage& s) { channel<int> ch; for (int i = 0; i < 20; ++i) s.fiber([=] { EXPECT_FALSE(ch.send(1)); }); s.later([=] { ch.close(); }); }},
  {"FullChannelIsDrained", [](stage& s) { channel<int> ch(1); (void)ch.send(0); s.fiber([=] { EXPECT_TRUE(ch.send(1)); }); s.later([=] { EXPECT_EQ(ch.recv(), 0); }); }},
  {"RangeUntilClosed", [](stage& s) { channel<int> ch(2); s.fiber([=] { int n = 0; for (int v : ch) n += v; EXPECT_EQ(n, 6); }); s.later([=] { for (int i : {1, 2, 3}) EXPECT_TRUE(ch.send(i)); ch.close(); }); }},
  {"LastSenderGoes", [](stage& s) { auto [tx, rx] = make_channel<int>(0); s.fiber([rx = rx] { EXPECT_FALSE(rx.recv()); }); s.later([tx = std::move(tx)]() mutable { const auto gone = std::move(tx); }); }},
  {"LastReceiverGoes", [](stage& s) { auto [tx, rx] = make_channel<int>(0); s.fiber([tx = tx] { EXPECT_FALSE(tx.send(1)); }); s.later([rx = std::move(rx)]() mutable { const auto gone = std::move(rx); }); }},
  {"SelectRecv", [](stage& s) { channel<int> a, b; s.fiber([=] { EXPECT_EQ(select(on_recv(a), on_recv(b)), 1u); }); s.later([=] { EXPECT_TRUE(b.send(1)); }); }},
  {"SelectSend", [](stage& s) { channel<int> a, b; s.fiber([=] { int v = 5; EXPECT_EQ(select(on_recv(a), on_send(b, v)), 1u); }); s.later([=] { EXPECT_EQ(b.recv(), 5); }); }},
  {"SelectTimeout", [](stage& s) { channel<int> a; s.fiber([=] { EXPECT_EQ(select(on_recv(a), on_timeout(a_while)), 1u); }); }},
  {"SelectDone", [](stage& s) { auto& scope = s.keep<cancel_scope>(with_cancel(context::background())); channel<int> a; s.fiber([=, &scope] { EXPECT_EQ(select(on_recv(a), on_done(scope.ctx())), 1u); }); s.later([&] { scope.cancel(); }); }},
  {"SelectReady", [](stage& s) { auto& p = s.keep<detail::promise<int>>(); auto& f = s.keep<future<int>>(p.get_future()); s.fiber([&] { EXPECT_EQ(select(on_ready(f)), 0u); }); s.later([&] { p.set_value(1); }); }},
  {"SelectOverASpan", [](stage& s) { channel<int> a; s.fiber([=] { std::vector<select_case> cases; for (int i = 0; i < 3; ++i) cases.emplace_back(on_recv(a)); EXPECT_LT(select(cases), 3u); }); s.later([=] { EXPECT_TRUE(a.send(1)); }); }},
  {"RecvForGetsAValue", [](stage& s) { channel<int> ch; s.fiber([=] { EXPECT_EQ(*ch.recv_for(1h), 1); }); s.later([=] { EXPECT_TRUE(ch.send(1)); }); }},
  {"RecvForTimesOut", [](stage& s) { channel<int> ch; s.fiber([=] { EXPECT_EQ(ch.recv_for(a_while).error(), errc::deadline_exceeded); }); }},
  {"SendForTimesOut", [](stage& s) { channel<int> ch; s.fiber([=] { EXPECT_EQ(ch.send_for(a_while, 1), channel_status::timeout); }); }},
  {"RecvCanceled", [](stage& s) { auto& scope = s.keep<cancel_scope>(with_cancel(context::background())); channel<int> ch; s.fiber([=, &scope] { EXPECT_EQ(ch.recv(scope.ctx()).error(), errc::canceled); }); s.later([&] { scope.cancel(); }); }},
  {"RecvDeadline", [](stage& s) { auto& scope = s.keep<cancel_scope>(with_timeout(context::background(), a_while)); channel<int> ch; s.fiber([=, &scope] { EXPECT_EQ(ch.recv(scope.ctx()).error(), errc::deadline_exceeded); }); }},
  {"TimerFires", [](stage& s) { auto& t = s.keep<timer>(a_while); s.fiber([&] { EXPECT_TRUE(t.c().recv()); }); }},
  {"TimerIsResetByAThread", [](stage& s) { auto& t = s.keep<timer>(1h); s.fiber([&] { EXPECT_TRUE(t.c().recv()); }); s.later([&] { t.reset(1ms); }); }},
  {"TickerTicks", [](stage& s) { auto& t = s.keep<ticker>(10ms); s.fiber([&] { for (int i = 0; i < 3; ++i) EXPECT_TRUE(t.c().recv()); t.stop(); }); }},
  {"AfterDelivers", [](stage& s) { s.fiber([] { EXPECT_TRUE(after(a_while).recv()); }); }},
};

const program locks[] = {
  {"LatchByReference", [](stage& s) { auto& l = s.keep<latch>(1); s.fiber([&] { l.wait(); }); s.later([&] { l.count_down(); }); }},
  {"LatchOnAThreadsStack", [](stage& s) { channel<latch*> hand; s.thread([=] { latch l(2); EXPECT_TRUE(hand.send(&l)); std::this_thread::sleep_for(a_while); l.arrive_and_wait(); }); s.fiber([=] { (*hand.recv())->arrive_and_wait(); }); }},
  {"LatchWaitFor", [](stage& s) { auto& l = s.keep<latch>(1); s.fiber([&] { EXPECT_FALSE(l.wait_for(a_while)); }); }},
  {"WaitGroup", [](stage& s) { auto& g = s.keep<wait_group>(); g.add(2); s.fiber([&] { g.wait(); }); s.later([&] { g.done(); }); s.later([&] { g.done(); }); }},
  {"WaitGroupCanceled", [](stage& s) { auto& g = s.keep<wait_group>(); g.add(); auto& scope = s.keep<cancel_scope>(with_cancel(context::background())); s.fiber([&] { EXPECT_EQ(g.wait(scope.ctx()), errc::canceled); g.done(); }); s.later([&] { scope.cancel(); }); }},
  {"Semaphore", [](stage& s) { auto& u = s.keep<semaphore>(0); s.fiber([&] { u.acquire(); }); s.later([&] { u.release(); }); }},
  {"SemaphoreInPortions", [](stage& s) { auto& u = s.keep<semaphore>(0); s.fiber([&] { u.acquire(3); }); s.later([&] { u.release(); std::this_thread::sleep_for(10ms); u.release(2); }); }},
  {"SemaphoreFor", [](stage& s) { auto& u = s.keep<semaphore>(0); s.fiber([&] { EXPECT_FALSE(u.try_acquire_for(a_while)); }); }},
  {"MutexHeldByAThread", [](stage& s) { auto& m = s.keep<mutex>(); m.lock(); s.fiber([&] { const std::lock_guard lock(m); }); s.later([&] { m.unlock(); }); }},
  {"MutexFor", [](stage& s) { auto& m = s.keep<mutex>(); m.lock(); s.fiber([&] { EXPECT_FALSE(m.try_lock_for(a_while)); m.unlock(); }); }},
  {"SharedMutexHeldByAWriter", [](stage& s) { auto& m = s.keep<shared_mutex>(); m.lock(); s.fiber([&] { m.lock_shared(); m.unlock_shared(); }); s.later([&] { m.unlock(); }); }},
  {"SharedMutexHeldByAReader", [](stage& s) { auto& m = s.keep<shared_mutex>(); m.lock_shared(); s.fiber([&] { m.lock(); m.unlock(); }); s.later([&] { m.unlock_shared(); }); }},
  {"ConditionVariable", [](stage& s) { auto& m = s.keep<mutex>(); auto& c = s.keep<condition_variable>(); auto& ready = s.keep<bool>(false); s.fiber([&] { std::unique_lock lock(m); c.wait(lock, [&] { return ready; }); }); s.later([&] { const std::lock_guard lock(m); ready = true; c.notify_one(); }); }},
  {"ConditionVariableFor", [](stage& s) { auto& m = s.keep<mutex>(); auto& c = s.keep<condition_variable>(); s.fiber([&] { std::unique_lock lock(m); (void)c.wait_for(lock, a_while); }); }},
  {"OnceInAThread", [](stage& s) { auto& o = s.keep<once>(); auto& in = s.keep<std::atomic<bool>>(false); s.thread([&] { o.call([&] { in = true; std::this_thread::sleep_for(a_while); }); }); s.fiber([&] { spool_test::wait_until([&] { return in.load(); }); o.call([] {}); }); }},
  {"SingleFlightInAThread", [](stage& s) { auto& g = s.keep<single_flight<int, int>>(); auto& in = s.keep<std::atomic<bool>>(false); s.thread([&] { g.run(1, [&] { in = true; std::this_thread::sleep_for(a_while); return 2; }); }); s.fiber([&] { spool_test::wait_until([&] { return in.load(); }); EXPECT_GT(g.run(1, [] { return 3; }), 1); }); }},
  {"FutureOfAThread", [](stage& s) { auto& p = s.keep<detail::promise<int>>(); auto& f = s.keep<future<int>>(p.get_future()); s.fiber([&] { EXPECT_EQ(f.get(), 4); }); s.later([&] { p.set_value(4); }); }},
  {"FutureAbandonedByAThread", [](stage& s) { auto& p = s.keep<detail::promise<int>>(); auto& f = s.keep<future<int>>(p.get_future()); s.fiber([&] { EXPECT_THROW(f.get(), std::system_error); }); s.later([&] { const auto gone = std::move(p); }); }},
  {"FutureWaitFor", [](stage& s) { auto& p = s.keep<detail::promise<int>>(); auto& f = s.keep<future<int>>(p.get_future()); s.fiber([&] { EXPECT_FALSE(f.wait_for(a_while)); }); }},
  {"BoostPromiseKeptByAThread", [](stage& s) { auto& p = s.keep<boost::fibers::promise<int>>(); s.fiber([&] { EXPECT_EQ(p.get_future().get(), 1); }); s.later([&] { p.set_value(1); }); }},
  {"BoostSleep", [](stage& s) { s.fiber([] { boost::this_fiber::sleep_for(a_while); }); }},
};

const program contexts_and_time[] = {
  {"ContextCanceledByAThread", [](stage& s) { auto& scope = s.keep<cancel_scope>(with_cancel(context::background())); s.fiber([&] { scope.ctx().wait(); }); s.later([&] { scope.cancel(); }); }},
  {"ChildOfAContextCanceledByAThread", [](stage& s) { auto& scope = s.keep<cancel_scope>(with_cancel(context::background())); auto& child = s.keep<cancel_scope>(with_cancel(scope.ctx())); s.fiber([&] { child.ctx().wait(); }); s.later([&] { scope.cancel(); }); }},
  {"ContextDeadline", [](stage& s) { auto& scope = s.keep<cancel_scope>(with_timeout(context::background(), a_while)); s.fiber([&] { scope.ctx().wait(); }); }},
  {"RootEndsTheWait", [](stage& s) { s.fiber([&s] { s.rt().root().wait(); }); }},
  {"StopTokenOfAThread", [](stage& s) { auto& source = s.keep<std::stop_source>(); s.fiber([&] { from_stop_token(context::background(), source.get_token()).wait(); }); s.later([&] { source.request_stop(); }); }},
  {"AfterFuncOfAContextCanceledByAThread", [](stage& s) { auto& scope = s.keep<cancel_scope>(with_cancel(context::background())); auto& l = s.keep<latch>(1); s.fiber([&] { (void)after_func(scope.ctx(), [&] { l.count_down(); }); l.wait(); }); s.later([&] { scope.cancel(); }); }},
  {"Sleep", [](stage& s) { for (int i = 0; i < 50; ++i) s.fiber([] { this_fiber::sleep_for(a_while); }); }},
  {"SleepUntilCanceled", [](stage& s) { auto& scope = s.keep<cancel_scope>(with_cancel(context::background())); s.fiber([&] { EXPECT_EQ(this_fiber::sleep_for(scope.ctx(), 1h), errc::canceled); }); s.later([&] { scope.cancel(); }); }},
  {"NotifyContext", [](stage& s) { auto& scope = s.keep<cancel_scope>(notify_context(context::background(), {SIGUSR1})); s.fiber([&] { scope.ctx().wait(); }); s.later([] { ::kill(::getpid(), SIGUSR1); }); }},
  {"RawHandlerOfAKilledProcess", [](stage& s) { play_with_handler(s, SIGUSR2, [](stage& st) { st.later([] { ::kill(::getpid(), SIGUSR2); }); }); }},
  {"RawHandlerOfAnAlarm", [](stage& s) { play_with_handler(s, SIGALRM, [](stage&) { itimerval in{}; in.it_value.tv_usec = 30'000; ::setitimer(ITIMER_REAL, &in, nullptr); }); }},
};

const program others[] = {
  {"BlockingCall", [](stage& s) { s.fiber([] { blocking([] { std::this_thread::sleep_for(a_while); }); }); }},
  {"BlockingCallSends", [](stage& s) { channel<int> ch; s.fiber([=] { EXPECT_EQ(ch.recv(), 1); }); s.fiber([=] { blocking([=] { std::this_thread::sleep_for(a_while); EXPECT_TRUE(ch.send(1)); }); }); }},
  {"BlockingReadOfAnEventfd", [](stage& s) { const int fd = ::eventfd(0, 0); s.fiber([=] { std::uint64_t v = 0; EXPECT_EQ(blocking([&] { return ::read(fd, &v, sizeof v); }), 8); ::close(fd); }); s.later([=] { const std::uint64_t v = 1; EXPECT_EQ(::write(fd, &v, sizeof v), 8); }); }},
  {"BlockingCallsInTurn", [](stage& s) { for (int i = 0; i < 80; ++i) s.fiber([] { blocking([] { std::this_thread::sleep_for(5ms); }); }); }},
  {"YieldUntilAThreadSets", [](stage& s) { auto& set = s.keep<std::atomic<bool>>(false); s.fiber([&] { spool_test::wait_until([&] { return set.load(); }); }); s.later([&] { set = true; }); }},
  {"GoFromAThread", [](stage& s) { channel<int> ch; s.fiber([=] { EXPECT_EQ(ch.recv(), 1); }); s.later([=, &s] { s.rt().go([=] { EXPECT_TRUE(ch.send(1)); }); }); }},
  {"ThreadOfAThread", [](stage& s) { channel<int> ch; s.fiber([=] { EXPECT_EQ(ch.recv(), 1); }); s.later([=, &s] { s.later([=] { EXPECT_TRUE(ch.send(1)); }); }); }},
  {"DetachedThread", [](stage& s) { channel<int> ch; s.fiber([=] { EXPECT_EQ(ch.recv(), 1); }); std::thread([=] { std::this_thread::sleep_for(a_while); (void)ch.send(1); }).detach(); }},
  {"ThreadThatWaitsForAnotherFiber", [](stage& s) { channel<int> in, out; s.thread([=] { EXPECT_EQ(in.recv(), 1); EXPECT_TRUE(out.send(2)); }); s.fiber([=] { EXPECT_EQ(out.recv(), 2); }); s.fiber([=] { this_fiber::sleep_for(a_while); EXPECT_TRUE(in.send(1)); }); }},
  {"ChainOfThreads", [](stage& s) {
     std::vector<channel<int>> links(6);
     for (std::size_t i = 0; i + 1 < links.size(); ++i) s.thread([from = links[i], to = links[i + 1]] { const int v = from.recv().value_or(-9); EXPECT_TRUE(to.send(v + 1)); });
     s.fiber([last = links.back()] { EXPECT_EQ(last.recv(), 5); });
     s.later([first = links.front()] { EXPECT_TRUE(first.send(0)); }); }},
  {"ThreadThatPlaysPingPong", [](stage& s) { channel<int> ping, pong; s.thread([=] { for (int v : ping) EXPECT_TRUE(pong.send(v)); }); s.fiber([=] { for (int i = 0; i < 300; ++i) { EXPECT_TRUE(ping.send(i)); EXPECT_EQ(pong.recv(), i); } ping.close(); }); }},
  {"ThreadWithADeadline", [](stage& s) { channel<int> never, ch; s.thread([=] { EXPECT_FALSE(never.recv_for(a_while).has_value()); EXPECT_TRUE(ch.send(1)); }); s.fiber([=] { EXPECT_EQ(ch.recv(), 1); }); }},
  {"ThreadThatSleepsInSpool", [](stage& s) { channel<int> ch; s.thread([=] { this_fiber::sleep_for(a_while); EXPECT_TRUE(ch.send(1)); }); s.fiber([=] { EXPECT_EQ(ch.recv(), 1); }); }},
  {"StdAsync", [](stage& s) { channel<int> ch; s.fiber([=] { EXPECT_EQ(ch.recv(), 1); }); s.keep<std::future<void>>(std::async(std::launch::async, [=] { std::this_thread::sleep_for(a_while); EXPECT_TRUE(ch.send(1)); })); }},
  {"AnotherRuntimesTimer", [](stage& s) { auto& other = s.keep<runtime>(runtime_options{.threads = 1}); channel<int> ch; s.fiber([=] { EXPECT_EQ(ch.recv(), 1); }); other.go([=] { this_fiber::sleep_for(a_while); EXPECT_TRUE(ch.send(1)); }); }},
  {"TimerThatAnotherRuntimesMonitorFires", [](stage& s) { auto& other = s.keep<runtime>(runtime_options{.threads = 1}); auto& late = s.keep<slow_timer>(); s.fiber([&] { (void)late.fired.recv(); }); other.go([&] { arm_timer(late, detail::clock::now()); while (!late.fires) {} }); }},
  {"AnotherRuntimesBlockingCall", [](stage& s) { auto& other = s.keep<runtime>(runtime_options{.threads = 1}); channel<int> ch; s.fiber([=] { EXPECT_EQ(ch.recv(), 1); }); other.go([=] { blocking([] { std::this_thread::sleep_for(a_while); }); EXPECT_TRUE(ch.send(1)); }); }},
  {"RunOnAnotherRuntime", [](stage& s) { auto& other = s.keep<runtime>(runtime_options{.threads = 2}); s.fiber([&] { EXPECT_EQ(other.run([] { this_fiber::sleep_for(a_while); return 7; }), 7); }); }},
  {"TwoRuntimesPlayPingPong", [](stage& s) { auto& other = s.keep<runtime>(runtime_options{.threads = 2}); channel<int> ping, pong; other.go([=] { for (int v : ping) EXPECT_TRUE(pong.send(v)); }); s.fiber([=] { for (int i = 0; i < 1000; ++i) { EXPECT_TRUE(ping.send(i)); EXPECT_EQ(pong.recv(), i); } ping.close(); }); }},
  {"WorkerPoolFedByAThread", [](stage& s) { auto& f = s.keep<channel<int>>(); s.fiber([&] { worker_pool pool({.workers = 2}); const auto posted = pool.post([&] { EXPECT_EQ(f.recv(), 1); }); EXPECT_EQ(posted, channel_status::ok); (void)pool.drain(); }); s.later([&] { EXPECT_TRUE(f.send(1)); }); }},
  {"LatchInAStructOfWhichAnotherFiberHasTheAddress", [](stage& s) { struct job { char input[6000] = {}; latch done{1}; }; channel<job*> ch; s.fiber([=] { job* j = *ch.recv(); this_fiber::sleep_for(a_while); j->done.count_down(); }); s.fiber([=] { job j; EXPECT_TRUE(ch.send(&j)); j.done.wait(); }); }},
  {"ChannelInAStructOfWhichAnotherFiberHasTheAddress", [](stage& s) { struct job { char input[100] = {}; channel<int> answer; }; channel<job*> ch; s.fiber([=] { job* j = *ch.recv(); this_fiber::sleep_for(a_while); EXPECT_TRUE(j->answer.send(1)); }); s.fiber([=] { job j; EXPECT_TRUE(ch.send(&j)); EXPECT_EQ(j.answer.recv(), 1); }); }},
  {"SelectOnChannelsThatAnotherFiberHasByReference", [](stage& s) { s.fiber([&s] { const channel<int> a, b; s.fiber([&a] { this_fiber::sleep_for(a_while); EXPECT_TRUE(a.send(1)); }); select(on_recv(a), on_recv(b)); }); }},
  {"FutureOfAJobThatWaitsInAQueue", [](stage& s) { s.fiber([] { worker_pool pool({.workers = 1}); EXPECT_EQ(pool.post([] { this_fiber::sleep_for(a_while); }), channel_status::ok); EXPECT_EQ(pool.submit([] { return 1; }).get(), 1); }); }},
  {"ErrgroupWaitsForAThread", [](stage& s) { channel<int> ch; s.fiber([=] { errgroup g; for (int i = 0; i < 5; ++i) g.go([=] { (void)ch.recv(); }); EXPECT_FALSE(g.wait()); }); s.later([=] { ch.close(); }); }},
  {"LongChainOfFibers", [](stage& s) { std::vector<channel<int>> links(500); for (std::size_t i = 0; i + 1 < links.size(); ++i) s.fiber([from = links[i], to = links[i + 1]] { (void)from.recv(); EXPECT_TRUE(to.send(1)); }); s.fiber([last = links.back()] { EXPECT_TRUE(last.recv()); }); s.later([first = links.front()] { EXPECT_TRUE(first.send(1)); }); }},
};
// clang-format on

std::vector<program> all_programs() {
  std::vector<program> all;
  for (const auto& p : channels) all.push_back(p);
  for (const auto& p : locks) all.push_back(p);
  for (const auto& p : contexts_and_time) all.push_back(p);
  for (const auto& p : others) all.push_back(p);
  return all;
}

class DetectorCorrect : public testing::TestWithParam<std::tuple<std::size_t, program>> {};
INSTANTIATE_TEST_SUITE_P(Workers, DetectorCorrect,
                         testing::Combine(testing::Values(1, 2, 4, 8), testing::ValuesIn(all_programs())),
                         [](const auto& of) { return std::string(std::get<1>(of.param).name) + "_" + std::to_string(std::get<0>(of.param)); });

/// Once while the function of run has returned, and once while it still waits.
TEST_P(DetectorCorrect, IsNeitherReportedNorAbandoned) {
  const auto& [workers, what] = GetParam();
  for (const bool stays : {false, true}) {
    if (stays && std::string_view(what.name) == "RootEndsTheWait") continue;  // only the return of that function ends it
    const spool_test::captured_log log;
    runtime rt({.threads = workers});
    stage s(rt);
    rt.run([&, &what = what] {
      what.play(s);
      if (stays) s.wait_for_fibers();
    });
    s.join();
    EXPECT_EQ(s.ended(), s.started()) << "a fiber was abandoned";
    EXPECT_FALSE(log.has("deadlock") || log.has("leak")) << log.text();
  }
}

/// The search of memory by which fibers are suspected, made again and again while the program looks stuck.
class UnreachableCorrect : public testing::TestWithParam<program> {};
INSTANTIATE_TEST_SUITE_P(Programs, UnreachableCorrect, testing::ValuesIn(all_programs()),
                         [](const auto& of) { return std::string(of.param.name); });

TEST_P(UnreachableCorrect, IsFoundByNoTwoSearches) {
  const program& what = GetParam();
  runtime rt({.threads = 2, .on_deadlock = deadlock_policy::off});  // its monitor would leave addresses on its stack
  std::atomic<bool> over{false};
  std::thread searcher([&over] {
    std::vector<std::uint64_t> before;
    while (!over) {
      const auto found = detail::find_unreachable(5ms).value_or(std::vector<std::uint64_t>());
      for (const std::uint64_t id : found) {
        EXPECT_EQ(std::count(before.begin(), before.end(), id), 0) << "fiber " << id << " can be reached";
      }
      before = found;
      std::this_thread::sleep_for(5ms);
    }
  });
  stage s(rt);
  rt.run([&] {
    what.play(s);
    if (std::string_view(what.name) != "RootEndsTheWait") s.wait_for_fibers();
  });
  s.join();
  over = true;
  searcher.join();
}

}  // namespace
