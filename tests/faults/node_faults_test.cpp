// The memory of tasks and jobs, where operator new is counted and refused.
#include "faults.hpp"

#include <spool/runtime/detail/node_memory.hpp>

#include <gtest/gtest.h>

#include <new>
#include <vector>

namespace {

using spool::detail::allocate_node;
using spool::detail::drop_free_nodes;
using spool::detail::free_node;

TEST(NodeFaults, WhatIsFreeCanBeDropped) {
  constexpr std::size_t some = 70;  // two batches and a part of one
  drop_free_nodes();
  std::vector<void*> nodes(some);
  const std::int64_t before = faults::live_allocations();
  for (void*& node : nodes) node = allocate_node(64);
  EXPECT_EQ(faults::live_allocations() - before, std::int64_t{some});
  for (void* node : nodes) free_node(node, 64);
  drop_free_nodes();
  EXPECT_EQ(faults::live_allocations(), before);
}

TEST(NodeFaults, ARefusalIsTold) {
  drop_free_nodes();
  const faults::injection first(faults::kind::allocation, 1);
  EXPECT_THROW((void)allocate_node(64), std::bad_alloc);
}

}  // namespace
