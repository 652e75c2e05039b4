// The parts of examples/digest_tree that need no fibers. The command as a whole: digest_tree.sh.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>
#include <string>
#include <system_error>
#include <vector>

#include "command/line_output.hpp"
#include "command/tree_walk.hpp"
#include "escape.hpp"
#include "file_hash.hpp"
#include "options.hpp"
#include "path_list.hpp"

namespace {

namespace fs = std::filesystem;
using namespace digest_tree;
using command::line_output;
using command::tree_walk;
using namespace std::string_literals;

class scratch_directory {
 public:
  scratch_directory() {
    std::string name = (fs::temp_directory_path() / "digest_tree_XXXXXX").string();
    path_ = ::mkdtemp(name.data()) != nullptr ? name : throw std::system_error(errno, std::generic_category(), name);
  }
  ~scratch_directory() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  scratch_directory(const scratch_directory&) = delete;
  scratch_directory& operator=(const scratch_directory&) = delete;

  const std::string& path() const { return path_; }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

  std::string file(const std::string& name, const std::string& content = "x") const {
    const std::string where = *this / name;
    fs::create_directories(fs::path(where).parent_path());
    std::ofstream(where, std::ios::binary) << content;
    return where;
  }

 private:
  std::string path_;
};

std::vector<std::string> walked(const std::string& root) {
  std::vector<std::string> files;
  tree_walk walk(root);
  for (auto step = walk.next(); step != tree_walk::step::end; step = walk.next()) {
    EXPECT_NE(step, tree_walk::step::unreadable) << walk.path();
    if (step == tree_walk::step::file) {
      files.push_back(walk.path());
    }
  }
  return files;
}

// The definition: all full paths, sorted as bytes (char_traits<char> compares as unsigned char).
std::vector<std::string> listed_and_sorted(const std::string& root) {
  std::vector<std::string> files;
  for (const auto& entry : fs::recursive_directory_iterator(root)) {
    if (!entry.is_symlink() && entry.is_regular_file()) {
      files.push_back(entry.path().string());
    }
  }
  std::sort(files.begin(), files.end());
  return files;
}

std::string line_for(std::string_view name) {
  std::string out;
  append_line(out, "00ff", name);
  return out;
}

TEST(DigestTreeEscape, PlainNamesStayAsTheyAre) {
  EXPECT_EQ(line_for("a b/-c\t\xff\xc3\x28'\""), "00ff  a b/-c\t\xff\xc3\x28'\"\n");
}

TEST(DigestTreeEscape, BackslashNewlineAndReturnMarkTheLine) {
  EXPECT_EQ(line_for("a\\b"), "\\00ff  a\\\\b\n");
  EXPECT_EQ(line_for("a\nb"), "\\00ff  a\\nb\n");
  EXPECT_EQ(line_for("a\rb"), "\\00ff  a\\rb\n");
  EXPECT_EQ(line_for("\\\n\r"), "\\00ff  \\\\\\n\\r\n");
}

TEST(DigestTreeEscape, MarkStandsAtTheStartOfItsOwnLine) {
  std::string out = "before\n";
  append_line(out, "00ff", "\n");
  EXPECT_EQ(out, "before\n\\00ff  \\n\n");
}

TEST(DigestTreeEscape, ComplaintsCarryNoControlCharacters) {
  std::string out;
  append_complaint(out, "a\x1b[2J\n\x7f\xc3\xa4", ENOENT);
  EXPECT_EQ(out, "digest_tree: a\\033[2J\\012\\177\xc3\xa4: No such file or directory\n");
}

TEST(DigestTreePathList, GivesPathsBackInOrderUntilToldToStop) {
  path_list paths;
  EXPECT_TRUE(paths.empty());
  for (const char* path : {"a", "b\nb", "c"}) {
    paths.append(path);
  }
  std::vector<std::string> seen;
  paths.for_each([&](const char* path) {
    seen.emplace_back(path);
    return seen.size() < 2;
  });
  EXPECT_EQ(paths.size(), 3U);
  EXPECT_EQ(seen, (std::vector<std::string>{"a", "b\nb"}));
}

TEST(DigestTreeWalk, DirectoriesSortAsNameAndSlash) {
  const scratch_directory top;
  for (const char* name : {"a/x", "a.b", "a0", "a-", "ab/x", "a b", "A", "a/", "\xff/1", "\x01", "\xc3\xa4"}) {
    if (name[std::string_view(name).size() - 1] != '/') {
      top.file(name);
    }
  }
  const std::vector<std::string> expected{top / "\x01", top / "A",  top / "a b",  top / "a-",       top / "a.b",
                                          top / "a/x",  top / "a0", top / "ab/x", top / "\xc3\xa4", top / "\xff/1"};
  EXPECT_EQ(walked(top.path()), expected);
}

// Names from few, well-chosen bytes around '/' make collisions of prefixes likely.
TEST(DigestTreeWalk, RandomTreesComeInByteOrderOfFullPaths) {
  unsigned seed = std::random_device{}();
  if (const char* given = std::getenv("SPOOL_TEST_SEED")) {
    seed = static_cast<unsigned>(std::strtoul(given, nullptr, 10));
  }
  SCOPED_TRACE("SPOOL_TEST_SEED=" + std::to_string(seed));
  std::mt19937 random(seed);
  const std::string alphabet = "a.-0 \n\\\xff\x01";
  const auto below = [&](std::size_t n) { return std::uniform_int_distribution<std::size_t>(0, n - 1)(random); };
  for (int round = 0; round < 40; ++round) {
    const scratch_directory top;
    std::vector<std::string> directories{top.path()};
    for (int made = 0; made < 60; ++made) {
      std::string name;
      for (std::size_t length = 1 + below(3); name.size() < length;) {
        name.push_back(alphabet[below(alphabet.size())]);
      }
      const std::string where = directories[below(directories.size())] + "/" + name;
      if (name == "." || name == ".." || fs::exists(fs::symlink_status(where))) {
        continue;
      }
      if (below(3) == 0) {
        fs::create_directory(where);
        directories.push_back(where);
      } else {
        std::ofstream(where) << "";
      }
    }
    ASSERT_EQ(walked(top.path()), listed_and_sorted(top.path()));
  }
}

TEST(DigestTreeWalk, TakesRegularFilesOnly) {
  const scratch_directory top;
  top.file("d/file");
  fs::create_directory(top / "empty");
  fs::create_symlink("file", top / "d/link");
  fs::create_directory_symlink("d", top / "dlink");
  ASSERT_EQ(::mkfifo((top / "fifo").c_str(), 0600), 0);
  const int socket = ::socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  (top / "socket").copy(address.sun_path, sizeof address.sun_path - 1);
  ASSERT_EQ(::bind(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  EXPECT_EQ(walked(top.path()), std::vector<std::string>{top / "d/file"});
  ::close(socket);
}

TEST(DigestTreeWalk, RootIsSpelledAsGiven) {
  const scratch_directory top;
  top.file("d/f");
  fs::create_directory_symlink("d", top / "link");
  EXPECT_EQ(walked(top / "d/"), std::vector<std::string>{top / "d/f"});
  EXPECT_EQ(walked(top / "d//"), std::vector<std::string>{top / "d//f"});
  EXPECT_EQ(walked(top / "d/../d/."), std::vector<std::string>{top / "d/../d/./f"});
  EXPECT_EQ(walked(top / "d/f"), std::vector<std::string>{top / "d/f"});
  EXPECT_EQ(walked(top / "link"), std::vector<std::string>{});
  EXPECT_EQ(walked(top / "link/"), std::vector<std::string>{top / "link/f"});
}

TEST(DigestTreeWalk, MissingRootThrowsWhy) {
  const scratch_directory top;
  for (const auto& [root, why] : {std::pair{top / "nope", ENOENT}, {""s, ENOENT}, {top.file("f") + "/", ENOTDIR}}) {
    try {
      tree_walk walk(root);
      ADD_FAILURE() << root;
    } catch (const std::system_error& failure) {
      EXPECT_EQ(failure.code().value(), why) << root;
    }
  }
}

TEST(DigestTreeWalk, VanishedDirectoryIsReportedAndSteppedOver) {
  const scratch_directory top;
  top.file("a/f");
  top.file("b/f");
  tree_walk walk(top.path());
  ASSERT_EQ(walk.next(), tree_walk::step::directory);  // lists a and b
  fs::remove_all(top / "a");
  ASSERT_EQ(walk.next(), tree_walk::step::unreadable);
  EXPECT_EQ(walk.path(), top / "a");
  EXPECT_EQ(walk.error_number(), ENOENT);
  ASSERT_EQ(walk.next(), tree_walk::step::directory);
  ASSERT_EQ(walk.next(), tree_walk::step::file);
  EXPECT_EQ(walk.path(), top / "b/f");
  EXPECT_EQ(walk.next(), tree_walk::step::end);
  EXPECT_EQ(walk.next(), tree_walk::step::end);
}

TEST(DigestTreeWalk, DeepTreesNeedNoDescriptors) {
  const scratch_directory top;
  std::string path = top.path();
  while (path.size() < 3900) {
    path += "/d";
    ASSERT_EQ(::mkdir(path.c_str(), 0700), 0);
  }
  path += "/f";
  std::ofstream(path) << "";
  EXPECT_EQ(walked(top.path()), std::vector<std::string>{path});
}

class plain_reads final : public read_policy {
 public:
  ssize_t read_cold(int fd, void* into, std::size_t bytes) override {
    const ssize_t got = ::read(fd, into, bytes);
    return got < 0 ? -errno : got;
  }
  bool advance(std::size_t bytes) override {
    seen += bytes;
    return seen < stop_at;
  }
  std::size_t seen = 0;
  std::size_t stop_at = static_cast<std::size_t>(-1);
};

TEST(DigestTreeHash, KnownDigestsOneAfterTheOther) {
  const scratch_directory top;
  const sha256_algorithm algorithm;
  file_hasher hasher(algorithm);
  plain_reads reads;
  ASSERT_EQ(hasher.digest(top.file("abc", "abc").c_str(), reads), 0);
  EXPECT_EQ(hasher.hex(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  ASSERT_EQ(hasher.digest(top.file("empty", "").c_str(), reads), 0);
  EXPECT_EQ(hasher.hex(), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  ASSERT_EQ(hasher.digest(top.file("million", std::string(1'000'000, 'a')).c_str(), reads), 0);
  EXPECT_EQ(hasher.hex(), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
  EXPECT_EQ(reads.seen, 1'000'003U);
}

TEST(DigestTreeHash, FailuresAndGivingUpLeaveTheHasherUsable) {
  const scratch_directory top;
  const sha256_algorithm algorithm;
  file_hasher hasher(algorithm);
  plain_reads reads;
  fs::create_symlink("abc", top / "link");
  EXPECT_EQ(hasher.digest((top / "nope").c_str(), reads), ENOENT);
  EXPECT_EQ(hasher.digest(top.path().c_str(), reads), EISDIR);
  EXPECT_EQ(hasher.digest((top / "link").c_str(), reads), ELOOP);
  const std::string large = top.file("large", std::string(300'000, 'a'));
  reads.stop_at = 1;
  EXPECT_EQ(hasher.digest(large.c_str(), reads), file_hasher::gave_up);
  EXPECT_LT(reads.seen, 300'000U);
  plain_reads again;
  ASSERT_EQ(hasher.digest(top.file("abc", "abc").c_str(), again), 0);
  EXPECT_EQ(hasher.hex(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

struct pipe_pair {
  pipe_pair() {
    if (::pipe2(ends, O_CLOEXEC) != 0) {
      throw std::system_error(errno, std::generic_category(), "pipe2");
    }
  }
  ~pipe_pair() {
    ::close(ends[0]);
    ::close(ends[1]);
  }
  std::string take(std::size_t most) const {
    std::string got(most, '\0');
    got.resize(static_cast<std::size_t>(::read(ends[0], got.data(), most)));
    return got;
  }
  int ends[2];
};

TEST(DigestTreeOutput, FullPipeBlocksBetweenLinesAndLosesNothing) {
  const pipe_pair pipe;
  line_output out(pipe.ends[1]);
  EXPECT_TRUE(out.is_pipe());
  std::string all;
  for (int line = 0; line < 10'000; ++line) {
    all += std::to_string(line) + std::string(static_cast<std::size_t>(line % 90), '.') + "\n";
  }
  out.append(all);
  EXPECT_TRUE(out.due());
  std::string taken;
  int blocked = 0;
  for (bool clear = false; !clear;) {
    switch (out.write_pending()) {
      case line_output::state::clear: clear = true; break;
      case line_output::state::blocked: ++blocked; break;
      case line_output::state::failed: FAIL() << out.error_number();
    }
    taken += pipe.take(1 << 20);
    ASSERT_EQ(taken.back(), '\n');  // what is in the pipe when we stop is whole lines
  }
  EXPECT_GT(blocked, 0);
  EXPECT_EQ(taken, all);
  EXPECT_FALSE(out.due());
}

TEST(DigestTreeOutput, LineLongerThanAPipeTakesAtOnceGoesWhole) {
  const pipe_pair pipe;
  line_output out(pipe.ends[1]);
  const std::string all = "short\n" + std::string(9'000, 'x') + "\n" + "end\n";
  out.append(all);
  ASSERT_EQ(out.write_pending(), line_output::state::clear);
  EXPECT_EQ(pipe.take(1 << 20), all);
}

TEST(DigestTreeOutput, FailureNamesItsReason) {
  line_output out(-1);
  out.append("x\n");
  ASSERT_EQ(out.write_pending(), line_output::state::failed);
  EXPECT_EQ(out.error_number(), EBADF);
}

parse_result parsed(std::vector<std::string> words, options& into, std::string& complaint) {
  words.insert(words.begin(), "digest_tree");
  std::vector<char*> argv;
  for (std::string& word : words) {
    argv.push_back(word.data());
  }
  argv.push_back(nullptr);
  ::optind = 0;  // glibc: start over
  return parse(static_cast<int>(words.size()), argv.data(), into, complaint);
}

TEST(DigestTreeOptions, MayStandOnBothSidesOfTheDirectory) {
  options got;
  std::string complaint;
  ASSERT_EQ(parsed({"--queue=7", "dir", "--workers", "3"}, got, complaint), parse_result::run) << complaint;
  EXPECT_EQ(got.root, "dir");
  EXPECT_EQ(got.queue_files, 7U);
  EXPECT_EQ(got.workers, 3U);
  ASSERT_EQ(parsed({"--", "-dir"}, got, complaint), parse_result::run);
  EXPECT_EQ(got.root, "-dir");
  EXPECT_EQ(parsed({"--help"}, got, complaint), parse_result::help);
}

TEST(DigestTreeOptions, BadOnesAreNamed) {
  const std::pair<std::vector<std::string>, std::string> cases[] = {
      {{}, "which directory?"},
      {{"a", "b"}, "one directory at a time"},
      {{"a", "--workers"}, "--workers needs a value"},
      {{"a", "--workers", "0"}, "--workers takes a number from 1 to 1024, not '0'"},
      {{"a", "--workers=-1"}, "--workers takes a number from 1 to 1024, not '-1'"},
      {{"a", "--queue", "9999999999999999999999"},
       "--queue takes a number from 1 to 1000000, not '9999999999999999999999'"},
      {{"a", "--queue", "5x"}, "--queue takes a number from 1 to 1000000, not '5x'"},
      {{"a", "--queue", ""}, "--queue takes a number from 1 to 1000000, not ''"},
      {{"a", "--fast"}, "unknown option '--fast'"},
      {{"-xy", "a"}, "unknown option '-x'"},
  };
  for (const auto& [words, reason] : cases) {
    options got;
    std::string complaint;
    EXPECT_EQ(parsed(words, got, complaint), parse_result::bad) << reason;
    EXPECT_EQ(complaint, reason);
  }
}

}  // namespace
