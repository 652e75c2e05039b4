#include "runtime/node_cache.hpp"

#include <spool/runtime/detail/node_memory.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <mutex>
#include <optional>
#include <set>
#include <thread>
#include <vector>

namespace {

using spool::detail::allocate_node;
using spool::detail::drop_free_nodes;
using spool::detail::free_node;

constexpr std::size_t some = 500;  // more than a thread keeps for itself

std::vector<void*> allocate(std::size_t count, std::size_t bytes) {
  std::vector<void*> nodes(count);
  std::ranges::generate(nodes, [&] { return allocate_node(bytes); });
  return nodes;
}
void free_all(const std::vector<void*>& nodes, std::size_t bytes) {
  for (void* node : nodes) free_node(node, bytes);
}

TEST(NodeMemory, NodesOfAllSizesDoNotOverlap) {
  std::vector<std::pair<std::byte*, std::size_t>> nodes;
  for (int round = 0; round < 3; ++round) {
    for (std::size_t bytes = 1; bytes <= 300; ++bytes) {
      auto* node = static_cast<std::byte*>(allocate_node(bytes));
      EXPECT_EQ(reinterpret_cast<std::uintptr_t>(node) % alignof(std::max_align_t), 0u);
      std::memset(node, static_cast<int>(bytes % 251), bytes);
      nodes.emplace_back(node, bytes);
    }
    for (auto [node, bytes] : nodes) {
      const auto mark = static_cast<std::byte>(bytes % 251);
      ASSERT_TRUE(std::all_of(node, node + bytes, [mark](std::byte b) { return b == mark; })) << bytes;
    }
    for (auto [node, bytes] : nodes) free_node(node, bytes);
    nodes.clear();
  }
}

// A sanitizer's build keeps no nodes by itself; these caches do.
struct caches : spool::detail::node_caches {
  caches() noexcept { begin(); }
  ~caches() { end(); }
};

TEST(NodeCaches, TheLastNodeFreedComesFirst) {
  caches own;
  void* const first = own.allocate(0);
  void* const other = own.allocate(1);
  own.free(first, 0);
  own.free(other, 1);
  EXPECT_EQ(own.allocate(0), first);
  EXPECT_EQ(own.allocate(1), other);
  own.free(first, 0);
  own.free(other, 1);
}

TEST(NodeCaches, NodesComeBackFromTheThreadThatFreesThem) {
  drop_free_nodes();
  caches own;
  std::vector<void*> sent(some);
  std::ranges::generate(sent, [&] { return own.allocate(0); });
  std::thread([&] {
    caches others;
    for (void* node : sent) others.free(node, 0);
  }).join();
  const std::set<void*> known(sent.begin(), sent.end());
  std::vector<void*> next(some);
  std::ranges::generate(next, [&] { return own.allocate(0); });
  const auto returned = std::ranges::count_if(next, [&](void* node) { return known.contains(node); });
  EXPECT_GT(returned, static_cast<std::ptrdiff_t>(some * 3 / 4));
  for (void* node : next) own.free(node, 0);
}

TEST(NodeCaches, ThatHaveEndedKeepNothing) {
  drop_free_nodes();
  caches own;
  own.end();
  for (std::size_t i = 0; i < some; ++i) own.free(own.allocate(0), 0);
  EXPECT_FALSE(own.of_size[0].refill(64)) << "nothing went to the depot";
}

TEST(NodeMemory, ThreadsThatSendEachOtherNodesNeverShareOne) {
  constexpr int threads = 4;
  constexpr int rounds = 300;
  std::mutex mu;
  std::vector<int*> in_flight;
  auto play = [&](int self) {
    std::vector<int*> mine;
    for (int round = 0; round < rounds; ++round) {
      for (int i = 0; i < 100; ++i) {
        mine.push_back(::new (allocate_node(sizeof(int))) int(self));
      }
      ASSERT_TRUE(std::ranges::all_of(mine, [self](int* node) { return *node == self; })) << "somebody else has it, too";
      const std::lock_guard lock(mu);
      std::swap(mine, in_flight);
      for (int* node : mine) free_node(node, sizeof(int));
      mine.clear();
    }
  };
  {
    std::vector<std::jthread> all;
    for (int t = 0; t < threads; ++t) all.emplace_back(play, t);
  }
  for (int* node : in_flight) free_node(node, sizeof(int));
}

TEST(NodeMemory, AThreadLocalThatIsDestroyedLateMayFreeNodes) {
  struct late {
    std::vector<void*> nodes;
    ~late() { free_all(nodes, 64); }
  };
  std::thread([] {
    static thread_local std::optional<late> kept;
    kept.emplace().nodes = allocate(some, 64);
    free_all(allocate(some, 64), 64);
  }).join();
}

}  // namespace
