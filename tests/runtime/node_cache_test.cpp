#include <spool/runtime/detail/node_memory.hpp>

#include <support/sanitized.hpp>

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

constexpr bool caches = !spool_test::sanitized;  // sanitizers see each node come and go
constexpr std::size_t some = 500;                // more than a thread keeps for itself

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

TEST(NodeMemory, TheLastNodeFreedComesFirst) {
  if (!caches) GTEST_SKIP() << "no caches beside a sanitizer";
  void* const node = allocate_node(40);
  free_node(node, 40);
  void* const again = allocate_node(64);
  EXPECT_EQ(again, node);
  free_node(again, 64);
}

TEST(NodeMemory, NodesComeBackFromTheThreadThatFreesThem) {
  if (!caches) GTEST_SKIP() << "no caches beside a sanitizer";
  drop_free_nodes();
  const std::vector<void*> sent = allocate(some, 64);
  std::thread([&] { free_all(sent, 64); }).join();
  const std::vector<void*> next = allocate(some, 64);
  const std::set<void*> known(sent.begin(), sent.end());
  const auto returned = std::ranges::count_if(next, [&](void* node) { return known.contains(node); });
  EXPECT_GT(returned, static_cast<std::ptrdiff_t>(some * 3 / 4));
  free_all(next, 64);
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
