#pragma once

namespace command::exit_status {

inline constexpr int success = 0;
inline constexpr int some_failed = 1;
inline constexpr int bad_usage = 2;
inline constexpr int interrupted = 128 + 2;  // as a shell reports SIGINT, SIGPIPE, SIGTERM
inline constexpr int reader_gone = 128 + 13;
inline constexpr int terminated = 128 + 15;

}  // namespace command::exit_status
