#pragma once

#include <spool/spool.hpp>

#include <cstddef>
#include <string>
#include <unordered_map>

namespace http {

// At most so many requests to one host at a time; who comes later waits its turn. Knows only the hosts that are in use.
class host_places {
  struct host {
    explicit host(std::size_t places) : free(static_cast<std::ptrdiff_t>(places)) {}
    spool::semaphore free;
    std::size_t users = 0;  // who holds or awaits a place
  };

 public:
  explicit host_places(std::size_t each) : each_(each) {}

  /// A place at a host, kept until it is destroyed. It refers to the host_places.
  class place {
   public:
    place(host_places& home, const std::string& name) : home_(home), name_(name), host_(home.enter(name)) {}
    ~place();
    place(const place&) = delete;
    place& operator=(const place&) = delete;

    /// Waits for the place; once.
    spool::error take(const spool::context& ctx);

   private:
    host_places& home_;
    const std::string& name_;
    host& host_;
    bool taken_ = false;
  };

 private:
  host& enter(const std::string& name);
  void leave(const std::string& name);

  const std::size_t each_;
  spool::mutex mu_;  // guards hosts_ and each host's users
  std::unordered_map<std::string, host> hosts_;
};

}  // namespace http
