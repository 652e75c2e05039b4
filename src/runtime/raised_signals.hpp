// Signals that somebody raises on a worker or a helper thread: they are for that thread alone, which blocks them.
#pragma once

namespace spool::detail {

/// On a thread that blocks signals, before it sleeps and now and then: whoever watches signals gets those that wait for it.
void take_raised_signals() noexcept;

/// By who watches signals: `take` is called on such threads from now on. Null: nobody watches any more.
void give_raised_signals_to(void (*take)() noexcept) noexcept;

}  // namespace spool::detail
