// notify_context: a context that signals cancel.
#pragma once

#include <spool/context/cancel_scope.hpp>
#include <spool/context/context.hpp>

#include <initializer_list>
#include <span>

namespace spool {

/// Done when one of the signals arrives, when cancelled, or when parent is. err() is errc::canceled; the cause names
/// the signal ("signal: interrupt"). From here on the signals do not have their usual effect, not even when the context
/// is done, until the scope has ended or was cancelled: then, unless another context watches a signal, its former
/// handling is back, and a second one kills the process as it would have before. Works without a runtime; one thread
/// takes the signals of all such contexts, and exists only while there are any.
/// No signal, or one that cannot be caught: std::invalid_argument. Go: signal.NotifyContext.
///
///   auto [ctx, stop] = notify_context(context::background(), {SIGINT, SIGTERM});
cancel_scope notify_context(const context& parent, std::span<const int> signals);

inline cancel_scope notify_context(const context& parent, std::initializer_list<int> signals) {
  return notify_context(parent, std::span<const int>(signals.begin(), signals.size()));
}

}  // namespace spool
