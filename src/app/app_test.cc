#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "app/backoff.h"
#include "app/ownership.h"
#include "app/process.h"
#include "app/roles.h"
#include "app/run_files.h"
#include "app/users.h"

namespace telltale::app {
namespace {

using namespace std::chrono_literals;

TEST(BackoffTest, ARoleThatDiesAtOnceWaitsTwiceAsLongEachTimeUpToFiveSeconds) {
  Backoff backoff;
  std::vector<std::int64_t> delays_ms;
  for (int i = 0; i < 9; ++i) {
    backoff = AfterEnd(backoff, 0ms);
    delays_ms.push_back(backoff.delay.count());
  }
  EXPECT_EQ(delays_ms,
            (std::vector<std::int64_t>{100, 200, 400, 800, 1600, 3200, 5000, 5000, 5000}));
  EXPECT_EQ(backoff.early_ends, 9u);
}

TEST(BackoffTest, TenSecondsAliveBeginAnew) {
  Backoff backoff;
  for (int i = 0; i < 6; ++i) backoff = AfterEnd(backoff, 9'999ms);
  EXPECT_EQ(backoff.delay, 3200ms);
  backoff = AfterEnd(backoff, 10s);
  EXPECT_EQ(backoff.delay, 100ms);
  EXPECT_EQ(backoff.early_ends, 0u);
  backoff = AfterEnd(backoff, 1ms);
  EXPECT_EQ(backoff.delay, 100ms);
  EXPECT_EQ(AfterEnd(backoff, 1ms).delay, 200ms);
}

class AppTest : public testing::Test {
 protected:
  AppTest() {
    std::string pattern = testing::TempDir() + "/app-XXXXXX";
    folder_ = std::filesystem::canonical(mkdtemp(pattern.data())).string();
  }
  ~AppTest() override { std::filesystem::remove_all(folder_); }
  std::string folder_;
};

TEST_F(AppTest, AProgramGetsItsArgumentsAndItsVariablesInPlaceOfOurs) {
  setenv("TELLTALE_TEST_VARIABLE", "ours", 1);
  Program program;
  program.name = "shell";
  program.arguments = {"/bin/sh", "-c",
                       "test \"$1\" = 'a b' && test \"$TELLTALE_TEST_VARIABLE\" = theirs", "sh",
                       "a b"};
  program.variables = {"TELLTALE_TEST_VARIABLE=theirs"};
  const auto pid = Start(program);
  ASSERT_TRUE(pid.ok()) << pid.error().ToString();
  EXPECT_EQ(DescribeEnd(*WaitFor(*pid)), "exited with code 0");
}

TEST_F(AppTest, AMissingProgramIsNamedAndLeavesNoChild) {
  Program program;
  program.name = "nothing";
  program.arguments = {folder_ + "/nothing"};
  const auto started = Start(program);
  ASSERT_FALSE(started.ok());
  EXPECT_EQ(started.error().code, Code::kUnavailable);
  EXPECT_NE(started.error().message.find(folder_ + "/nothing"), std::string::npos);
  EXPECT_EQ(waitpid(-1, nullptr, WNOHANG), -1);
}

TEST_F(AppTest, TheEndOfAProcessIsSaidInWords) {
  Program program;
  program.name = "shell";
  program.arguments = {"/bin/sh", "-c", "exit 3"};
  EXPECT_EQ(DescribeEnd(*WaitFor(*Start(program))), "exited with code 3");
  program.arguments = {"/bin/sh", "-c", "kill -9 $$"};
  EXPECT_EQ(DescribeEnd(*WaitFor(*Start(program))), "was killed by signal 9 (Killed)");
}

TEST_F(AppTest, AChildHasDefaultSignalsEvenWhenOursAreBlocked) {
  sigset_t blocked;
  sigset_t before;
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGTERM);
  sigprocmask(SIG_BLOCK, &blocked, &before);
  Program program;
  program.name = "shell";
  program.arguments = {"/bin/sh", "-c", "kill -TERM $$; exit 0"};
  const auto status = WaitFor(*Start(program));
  sigprocmask(SIG_SETMASK, &before, nullptr);
  EXPECT_EQ(DescribeEnd(*status), "was killed by signal 15 (Terminated)");
}

TEST_F(AppTest, ARunFileReplacesALinkAndDoesNotFollowIt) {
  const RunFiles files(folder_);
  const std::string outside = folder_ + "/outside";
  std::ofstream(outside) << "untouched";
  std::filesystem::create_symlink(outside, folder_ + "/gateway.pid");
  std::filesystem::create_symlink(outside, folder_ + "/gateway.pid.new");
  ASSERT_TRUE(files.Write("gateway.pid", "17\n").ok());
  EXPECT_EQ(files.ReadPid("gateway"), 17);
  std::string content;
  std::getline(std::ifstream(outside) >> std::ws, content);
  EXPECT_EQ(content, "untouched");
}

TEST_F(AppTest, WhatAnEarlierRunLeftIsRemovedAndNothingElse) {
  const RunFiles files(folder_);
  for (const char* name : {"gateway.pid", "feed.port", "ready", "roles", "kept"}) {
    ASSERT_TRUE(files.Write(name, "1\n").ok());
  }
  files.RemoveStale();
  EXPECT_FALSE(files.Exists("gateway.pid") || files.Exists("feed.port") || files.Exists("ready"));
  EXPECT_FALSE(files.Exists("roles"));
  EXPECT_TRUE(files.Exists("kept"));
}

TEST_F(AppTest, EveryRoleIsWantedUntilTheListSaysWhich) {
  const RunFiles files(folder_);
  EXPECT_TRUE(files.IsWanted("lake"));
  ASSERT_TRUE(files.WriteWanted({"registry", "gateway"}).ok());
  EXPECT_TRUE(files.IsWanted("registry") && files.IsWanted("gateway"));
  EXPECT_FALSE(files.IsWanted("lake") || files.IsWanted("gate"));
}

TEST_F(AppTest, AFolderHasOneSupervisor) {
  {
    const auto first = SupervisorLock::Take(folder_);
    ASSERT_TRUE(first.ok());
    EXPECT_TRUE(SupervisorLock::IsHeld(folder_));
    EXPECT_EQ(SupervisorLock::Take(folder_).error().code, Code::kExists);
  }
  EXPECT_FALSE(SupervisorLock::IsHeld(folder_));
  EXPECT_TRUE(SupervisorLock::Take(folder_).ok());
}

TEST_F(AppTest, AClosedFolderOnTheWayIsNamed) {
  const std::string closed = folder_ + "/closed";
  std::filesystem::create_directories(closed + "/inside");
  const User stranger{65'533, 65'533};
  ASSERT_TRUE(SetMode(folder_, 0755).ok());
  ASSERT_TRUE(SetMode(closed, 0755).ok());
  EXPECT_TRUE(CheckReachable(stranger, closed + "/inside/new").ok());
  ASSERT_TRUE(SetMode(closed, 0700).ok());
  const Status refused = CheckReachable(stranger, closed + "/inside/new");
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, Code::kRefused);
  EXPECT_NE(refused.error().message.find(closed), std::string::npos);
  EXPECT_TRUE(CheckReachable({geteuid(), getegid()}, closed + "/inside/new").ok());
}

mode_t ModeOf(const std::string& path) {
  struct stat info{};
  EXPECT_EQ(stat(path.c_str(), &info), 0) << path;
  return info.st_mode & 07777;
}

TEST_F(AppTest, TheVaultsFolderIsClosedAndSealedIsInheritedByItsGroup) {
  PosixDisk disk;
  const Paths paths(folder_ + "/dir");
  ASSERT_TRUE(MakeFolders(disk, paths).ok());
  std::filesystem::create_directories(paths.log() + "/sealed/shard-0");
  std::ofstream(paths.log() + "/sealed/shard-0/1.seg") << "x";
  std::filesystem::permissions(paths.log() + "/sealed/shard-0/1.seg", std::filesystem::perms(0640));
  ASSERT_TRUE(SetOwnership(paths, std::nullopt).ok());
  EXPECT_EQ(ModeOf(paths.vault()), 0700u);
  EXPECT_EQ(ModeOf(paths.log() + "/sealed/shard-0"), 02750u);
  EXPECT_EQ(ModeOf(paths.log() + "/sealed/shard-0/1.seg"), 0640u);
  EXPECT_EQ(ModeOf(paths.data()), 0751u);
}

TEST(RolesTest, OnlyTheVaultRunsAsTheVaultsUser) {
  ServeOptions options;
  options.dir = "/srv/t";
  options.layout = Layout::At("/opt/telltale");
  const Users users{{10, 10}, {20, 20}};
  for (const char* role : kRoles) {
    const Program program = ProgramOf(role, options, "abc", users);
    EXPECT_EQ(program.user->uid, std::string(role) == "vault" ? 20u : 10u) << role;
    EXPECT_EQ(program.arguments[0], ProgramPathOf(role, options.layout));
  }
  EXPECT_FALSE(ProgramOf("vault", options, "abc", std::nullopt).user.has_value());
}

TEST(RolesTest, TheSeedGoesToTheRegistryAlone) {
  ServeOptions options;
  options.dir = "/srv/t";
  options.demo = true;
  options.seed = 7;
  for (const char* role : kRoles) {
    const auto arguments = ProgramOf(role, options, "abc", std::nullopt).arguments;
    const bool seeded = std::find(arguments.begin(), arguments.end(), "--seed") != arguments.end();
    EXPECT_EQ(seeded, std::string(role) == "registry") << role;
  }
}

}  // namespace
}  // namespace telltale::app
