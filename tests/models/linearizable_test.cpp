// The judge can say no.
#include "models/linearizable.hpp"

#include <gtest/gtest.h>

#include <chrono>

namespace {

using namespace spool_test;
using namespace std::chrono_literals;

operation did(unsigned fiber, action what, std::uint8_t value, std::uint32_t invoked, std::uint32_t returned,
              answer result = answer::ok) {
  operation op;
  op.fiber = fiber;
  op.what = what;
  op.value = value;
  op.invoked = invoked;
  op.returned = returned;
  op.result = result;
  op.returned_at = spool::detail::time_point(std::chrono::nanoseconds(returned));
  return op;
}

history of(std::uint8_t capacity, std::vector<operation> operations) { return {std::move(operations), {capacity}, 1}; }

TEST(Linearizable, AcceptsWhatAChannelDoes) {
  EXPECT_TRUE(is_linearizable(of(2, {did(1, action::send, 1, 1, 2), did(1, action::send, 2, 3, 4), did(2, action::recv, 1, 5, 6)})));
  // Two at once may have come in either order.
  EXPECT_TRUE(is_linearizable(of(2, {did(1, action::send, 1, 1, 4), did(2, action::send, 2, 2, 3), did(3, action::recv, 2, 5, 6),
                                     did(3, action::recv, 1, 7, 8)})));
  // A rendezvous.
  EXPECT_TRUE(is_linearizable(of(0, {did(1, action::send, 1, 1, 4), did(2, action::recv, 1, 2, 3)})));
}

TEST(Linearizable, RejectsValuesOutOfOrder) {
  EXPECT_FALSE(is_linearizable(of(2, {did(1, action::send, 1, 1, 2), did(1, action::send, 2, 3, 4), did(2, action::recv, 2, 5, 6)})));
}

TEST(Linearizable, RejectsAValueTwiceAndAValueThatNobodySent) {
  EXPECT_FALSE(is_linearizable(of(1, {did(1, action::send, 1, 1, 2), did(2, action::recv, 1, 3, 5), did(3, action::recv, 1, 4, 6)})));
  EXPECT_FALSE(is_linearizable(of(1, {did(1, action::recv, 9, 1, 2)})));
}

TEST(Linearizable, RejectsAReceiveBeforeItsSend) {
  EXPECT_FALSE(is_linearizable(of(1, {did(1, action::recv, 1, 1, 2), did(2, action::send, 1, 3, 4)})));
  EXPECT_FALSE(is_linearizable(of(0, {did(1, action::send, 1, 1, 2), did(2, action::recv, 1, 3, 4)})));
}

TEST(Linearizable, RejectsRoomThatIsNotThere) {
  EXPECT_FALSE(is_linearizable(of(1, {did(1, action::send, 1, 1, 2), did(1, action::send, 2, 3, 4)})));
  EXPECT_FALSE(is_linearizable(of(1, {did(1, action::send, 1, 1, 2, answer::would_block)})));
}

TEST(Linearizable, RejectsALostWakeUp) {
  // Something had been sent before time moved on, and still the receiver timed out.
  EXPECT_FALSE(is_linearizable(of(1, {did(1, action::recv, 0, 1, 4, answer::timeout), did(2, action::send, 1, 2, 3)})));
  // At the same time it may have come too late.
  history h = of(1, {did(1, action::recv, 0, 1, 4, answer::timeout), did(2, action::send, 1, 2, 3)});
  h.operations[1].returned_at = h.operations[0].returned_at;
  EXPECT_TRUE(is_linearizable(h));
}

TEST(Linearizable, RejectsSendsAfterClose) {
  EXPECT_FALSE(is_linearizable(of(1, {did(1, action::close, 0, 1, 2), did(2, action::send, 1, 3, 4)})));
  EXPECT_FALSE(is_linearizable(of(1, {did(1, action::send, 1, 1, 2), did(1, action::close, 0, 3, 4),
                                      did(2, action::recv, 0, 5, 6, answer::closed)})));
  EXPECT_TRUE(is_linearizable(of(1, {did(1, action::close, 0, 1, 2), did(2, action::send, 1, 3, 4, answer::closed)})));
  EXPECT_FALSE(is_linearizable(of(1, {did(1, action::close, 0, 1, 2), did(2, action::close, 0, 3, 4)})));
}

TEST(Linearizable, RejectsTwoHolders) {
  EXPECT_FALSE(is_linearizable(of(1, {did(1, action::lock, 0, 1, 2), did(2, action::lock, 0, 3, 4)})));
  EXPECT_FALSE(is_linearizable(of(1, {did(1, action::acquire, 1, 1, 2), did(2, action::acquire, 1, 3, 4)})));
  EXPECT_TRUE(is_linearizable(of(1, {did(1, action::lock, 0, 1, 2), did(2, action::lock, 0, 3, 6), did(1, action::unlock, 0, 4, 5)})));
}

TEST(Linearizable, WhoAsksForMoreStandsInFrontUntilItTimesOut) {
  // One of two units is free; who waits for both was there before who tries for one.
  history h = of(1, {did(1, action::acquire, 1, 1, 2), did(2, action::acquire, 2, 3, 8, answer::timeout),
                     did(3, action::acquire, 1, 4, 5, answer::would_block), did(3, action::send, 1, 6, 7)});
  h.units = 2;
  EXPECT_TRUE(is_linearizable(h));
  h.operations.erase(h.operations.begin() + 1);
  EXPECT_FALSE(is_linearizable(h));
}

TEST(Linearizable, RejectsACancellationThatNobodyMade) {
  EXPECT_FALSE(is_linearizable(of(1, {did(1, action::recv, 0, 1, 2, answer::canceled)})));
  EXPECT_TRUE(is_linearizable(of(1, {did(1, action::recv, 0, 1, 4, answer::canceled), did(2, action::cancel, 0, 2, 3)})));
}

}  // namespace
