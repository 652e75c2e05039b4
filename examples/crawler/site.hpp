#pragma once

#include <string>
#include <string_view>

#include "http/server.hpp"

namespace crawler {

// The files below a directory as a web site. A folder is its index.html, or else a generated list of what is in it;
// every page has one URL, others lead to it by a redirection. Nothing outside of the directory can be had, neither by
// ".." nor by a symbolic link. Thread safe.
class site {
 public:
  // std::system_error: no such directory.
  explicit site(const std::string& root);

  // Reads files, so it may wait for a disk: to be called through spool::blocking.
  http::response answer(const http::request& asked) const;

 private:
  http::response answer_directory(const http::request& asked, const std::string& real, std::string_view path) const;
  http::response answer_file(const http::request& asked, const std::string& real) const;
  std::string index(const std::string& real, std::string_view path) const;
  bool is_inside(std::string_view real) const noexcept;

  std::string root_;  // without symbolic links in it
};

}  // namespace crawler
