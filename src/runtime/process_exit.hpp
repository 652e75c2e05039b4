// What becomes of a worker when one of its fibers ends the process by std::exit.
#pragma once

namespace spool::detail {

class worker;

/// On w's thread, once Boost has its contexts there.
void watch_for_exit(worker& w);

}  // namespace spool::detail
