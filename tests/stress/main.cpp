// Everything at once, for a time, with delays where they hurt:
//   spool_stress SECONDS [--patience SECONDS] [--lose ONE_IN]
//
// Plays rounds of channels, selects, locks, permits, pools, contexts, groups, timers and blocking calls, on plain
// threads and on fibers that are moved from worker to worker. The watchdog knows what each waits for: a wake-up is lost
// if that has been there for longer than the patience; status 1. --lose plants some.
// SPOOL_SEED, which is printed, gives the same rounds; not the same schedules.
#include "delays.hpp"
#include "round.hpp"
#include "watchdog.hpp"

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string_view>

namespace stress {
namespace {

using namespace std::chrono_literals;
using clock = std::chrono::steady_clock;
using seconds = std::chrono::duration<double>;

struct options {
  seconds length{5};
  seconds patience{5};
  unsigned lose_one_in = 0;
};

options read(int argc, char** argv) {
  options o;
  for (int i = 1; i < argc; ++i) {
    const std::string_view word = argv[i];
    if (word == "--patience" && i + 1 < argc) {
      o.patience = seconds(std::atof(argv[++i]));
    } else if (word == "--lose" && i + 1 < argc) {
      o.lose_one_in = static_cast<unsigned>(std::atoi(argv[++i]));
    } else {
      o.length = seconds(std::atof(argv[i]));
    }
  }
  return o;
}

struct figures {
  std::uint64_t rounds = 0, sparse = 0, moves = 0;
};

void play(round& r) {
  using scenario = void (*)(round&);
  constexpr scenario all[] = {channels,      locks,    turns,  permits,        jobs,
                              cancellations, meetings, groups, blocking_calls, timers};
  if (r.sparse) {
    all[r.draw(std::size(all) - 1)](r);  // not the timers: one that fires finds what was lost
  } else {
    for (const scenario s : all) s(r);
  }
  r.let_go();
}

figures run(const options& o, std::uint64_t seed) {
  constexpr std::size_t threads[] = {1, 2, 3, 4, 8};
  constexpr std::uint32_t rarities[] = {0, 400, 2000, 10'000};
  const watchdog looking(std::chrono::duration_cast<std::chrono::nanoseconds>(o.patience));
  const auto end = clock::now() + o.length;
  std::mt19937_64 seeds(seed);
  figures f;
  activity self("main");
  while (clock::now() < end) {
    spool::runtime rt({.threads = threads[seeds() % std::size(threads)], .name = "stress"});
    porters movers(self, rt);
    for (int i = 0; i < 40 && clock::now() < end; ++i) {
      set_delays(rarities[seeds() % std::size(rarities)], seeds());
      round r(rt, movers, seeds(), seeds() % 4 != 0);
      play(r);
      r.wait();
      self.waits(
          "check of a round", [] { return "it has ended"; }, [&] { r.check(); });
      ++f.rounds;
      f.sparse += r.sparse ? 1 : 0;
    }
    f.moves += movers.moves();
    movers.end(self);
    self.waits(
        "end of a runtime", [] { return "nothing is left to do"; }, [&] { rt.run([] {}); });
  }
  return f;
}

int stress(int argc, char** argv) {
  const options o = read(argc, argv);
  const char* given = std::getenv("SPOOL_SEED");
  const std::uint64_t seed = given != nullptr ? std::strtoull(given, nullptr, 10) : std::random_device{}();
  std::printf("SPOOL_SEED=%ju\n", std::uintmax_t{seed});
  std::fflush(stdout);
  lose_wake_ups(o.lose_one_in);
  const figures f = run(o, seed);
  const delay_counts d = delays();
  std::printf(
      "%ju rounds, %ju of them sparse; %ju moves of a fiber; %ju marked points passed, %ju delays; no wake-up was "
      "lost\n",
      std::uintmax_t{f.rounds}, std::uintmax_t{f.sparse}, std::uintmax_t{f.moves}, std::uintmax_t{d.points},
      std::uintmax_t{d.delays});
  return 0;
}

}  // namespace
}  // namespace stress

int main(int argc, char** argv) try { return stress::stress(argc, argv); } catch (const std::exception& failure) {
  std::fprintf(stderr, "spool_stress: %s\n", failure.what());
  std::_Exit(1);
}
