#include "site.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <optional>
#include <system_error>
#include <vector>

#include "html_text.hpp"
#include "page_url.hpp"

namespace crawler {
namespace {

namespace fs = std::filesystem;
using boost::beast::http::field;
using boost::beast::http::status;
using boost::beast::http::verb;

constexpr off_t largest_file_bytes = 64 << 20;
constexpr std::string_view html_type = "text/html; charset=utf-8";

http::response refuse(const http::request& asked, status code, std::string_view why) {
  return http::reply(asked, code, std::string(why) + "\n", "text/plain");
}

http::response refuse(const http::request& asked, int error_number) {
  switch (error_number) {
    case ENOENT:
    case ENOTDIR:
    case ENAMETOOLONG: return refuse(asked, status::not_found, "no such page");
    case EACCES:
    case ELOOP: return refuse(asked, status::forbidden, "this page may not be read");
    default: return refuse(asked, status::internal_server_error, std::generic_category().message(error_number));
  }
}

http::response redirect(const http::request& asked, std::string_view target) {
  http::response answer = refuse(asked, status::moved_permanently, "moved");
  answer.set(field::location, {target.data(), target.size()});
  return answer;
}

bool climbs(std::string_view path) {
  for (std::size_t start = 0; start <= path.size();) {
    const std::size_t end = std::min(path.find('/', start), path.size());
    if (path.substr(start, end - start) == "..") return true;
    start = end + 1;
  }
  return false;
}

std::string_view type_of(std::string_view file) {
  struct known_type {
    std::string_view ending, type;
  };
  static constexpr std::array<known_type, 12> known{{{".html", html_type},
                                                     {".htm", html_type},
                                                     {".txt", "text/plain; charset=utf-8"},
                                                     {".css", "text/css"},
                                                     {".js", "text/javascript"},
                                                     {".json", "application/json"},
                                                     {".xml", "application/xml"},
                                                     {".gz", "application/gzip"},
                                                     {".pdf", "application/pdf"},
                                                     {".png", "image/png"},
                                                     {".jpg", "image/jpeg"},
                                                     {".svg", "image/svg+xml"}}};
  for (const auto& [ending, type] : known) {
    if (file.ends_with(ending)) return type;
  }
  return "application/octet-stream";
}

// The path without symbolic links, or an error number.
struct real_path {
  std::string path;
  int error_number = 0;
};

real_path follow(const std::string& path) {
  const std::unique_ptr<char, decltype(&std::free)> found(::realpath(path.c_str(), nullptr), &std::free);
  if (found == nullptr) return {{}, errno};
  return {found.get(), 0};
}

bool is_file(const std::string& path) {
  std::error_code unreadable;
  return fs::is_regular_file(path, unreadable);
}

class open_file {
 public:
  // Without waiting for a writer, should it be a pipe.
  explicit open_file(const std::string& path)
      : fd_(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW)) {}
  ~open_file() {
    if (fd_ >= 0) ::close(fd_);
  }
  open_file(const open_file&) = delete;
  open_file& operator=(const open_file&) = delete;

  bool status(struct stat& into) const noexcept { return fd_ >= 0 && ::fstat(fd_, &into) == 0; }

  // At most `expected` bytes; what a file gains meanwhile is left. Nothing: errno says why.
  std::optional<std::string> read(std::size_t expected) const {
    std::string content(expected, '\0');
    std::size_t filled = 0;
    while (filled < content.size()) {
      const ssize_t got = ::read(fd_, content.data() + filled, content.size() - filled);
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return std::nullopt;
      if (got == 0) break;
      filled += static_cast<std::size_t>(got);
    }
    content.resize(filled);
    return content;
  }

 private:
  int fd_;
};

}  // namespace

site::site(const std::string& root) {
  const real_path found = follow(root);
  if (found.error_number != 0) throw std::system_error(found.error_number, std::generic_category(), root);
  if (!fs::is_directory(found.path)) throw std::system_error(ENOTDIR, std::generic_category(), root);
  root_ = found.path == "/" ? "" : found.path;
}

bool site::is_inside(std::string_view real) const noexcept {
  return real.starts_with(root_) && (real.size() == root_.size() || real[root_.size()] == '/');
}

http::response site::answer(const http::request& asked) const {
  if (asked.method() != verb::get && asked.method() != verb::head) {
    http::response answer = refuse(asked, status::method_not_allowed, "only GET and HEAD");
    answer.set(field::allow, "GET, HEAD");
    return answer;
  }
  const std::string_view target(asked.target().data(), asked.target().size());
  const std::string_view encoded = target.substr(0, target.find_first_of("?#"));
  const auto path = decode_percent(encoded);
  if (!path || !path->starts_with('/') || path->find('\0') != path->npos) {
    return refuse(asked, status::bad_request, "not a path");
  }
  if (climbs(*path)) return refuse(asked, status::forbidden, "'..' is not allowed");
  const real_path real = follow(root_ + *path);
  if (real.error_number != 0) return refuse(asked, real.error_number);
  if (!is_inside(real.path)) return refuse(asked, status::forbidden, "outside of this site");
  struct stat found;
  if (::stat(real.path.c_str(), &found) != 0) return refuse(asked, errno);
  if (S_ISDIR(found.st_mode)) {
    if (!path->ends_with('/')) return redirect(asked, std::string(encoded) + '/');
    return answer_directory(asked, real.path, *path);
  }
  if (path->ends_with("/index.html")) return redirect(asked, encoded.substr(0, encoded.rfind('/') + 1));
  return answer_file(asked, real.path);
}

http::response site::answer_directory(const http::request& asked, const std::string& real,
                                      std::string_view path) const {
  const real_path own = follow(real + "/index.html");
  if (own.error_number == 0 && is_inside(own.path) && is_file(own.path)) return answer_file(asked, own.path);
  try {
    return http::reply(asked, status::ok, index(real, path), html_type);
  } catch (const std::system_error& failure) {
    return refuse(asked, failure.code().value());
  }
}

http::response site::answer_file(const http::request& asked, const std::string& real) const {
  const open_file file(real);
  struct stat found;
  if (!file.status(found)) return refuse(asked, errno);
  if (!S_ISREG(found.st_mode)) return refuse(asked, status::forbidden, "not a file");
  if (found.st_size > largest_file_bytes) return refuse(asked, status::forbidden, "too large");
  auto content = file.read(static_cast<std::size_t>(found.st_size));
  if (!content) return refuse(asked, errno);
  return http::reply(asked, status::ok, std::move(*content), type_of(real));
}

// Symbolic links are listed if they lead to a file of the site. Those to directories would give pages a second URL, or,
// in a circle, any number of them.
std::string site::index(const std::string& real, std::string_view path) const {
  std::vector<std::string> names;
  for (const fs::directory_entry& entry : fs::directory_iterator(real)) {
    const fs::file_type type = entry.symlink_status().type();
    const std::string name = entry.path().filename().string();
    if (type == fs::file_type::directory) names.push_back(name + '/');
    if (type == fs::file_type::regular) names.push_back(name);
    if (type != fs::file_type::symlink) continue;
    const real_path target = follow(entry.path().string());
    if (target.error_number == 0 && is_inside(target.path) && is_file(target.path)) names.push_back(name);
  }
  std::sort(names.begin(), names.end());
  const std::string title = encode_entities(path);
  std::string html = "<!DOCTYPE html>\n<title>" + title + "</title>\n<h1>" + title + "</h1>\n<ul>\n";
  for (const std::string& name : names) {
    const bool is_directory = name.ends_with('/');
    const std::string link = encode_segment(std::string_view(name).substr(0, name.size() - is_directory));
    html.append("<li><a href=\"").append(link).append(is_directory ? "/" : "").append("\">");
    html.append(encode_entities(name)).append("</a>\n");
  }
  return html + "</ul>\n";
}

}  // namespace crawler
