// OutputFile: complete under its name, or not there at all.

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <span>
#include <string>

#include "util/platform.h"

namespace keras_litert {
namespace {

namespace fs = std::filesystem;

class OutputFileTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "output_file_XXXXXX").string();
    folder_ = mkdtemp(pattern.data());
    target_ = folder_ / "model.tflite";
  }
  void TearDown() override { fs::remove_all(folder_); }

  void WriteOld() { std::ofstream(target_) << "old"; }
  std::string Content() const {
    std::ifstream stream(target_);
    return {std::istreambuf_iterator<char>(stream), {}};
  }
  int NumFiles() const {
    return static_cast<int>(
        std::distance(fs::directory_iterator(folder_), fs::directory_iterator()));
  }
  // Writes "new" but does not commit it.
  std::unique_ptr<OutputFile> WriteNew() const {
    auto file = OutputFile::Create(target_);
    if (!file) return nullptr;
    const std::array<std::byte, 3> bytes = {std::byte{'n'}, std::byte{'e'}, std::byte{'w'}};
    if (!(*file)->Reserve(3) || !(*file)->WriteAt(0, bytes)) return nullptr;
    return *std::move(file);
  }

  fs::path folder_;
  fs::path target_;
};

TEST_F(OutputFileTest, CommitReplaces) {
  WriteOld();
  const auto file = WriteNew();
  ASSERT_NE(file, nullptr);
  EXPECT_EQ(Content(), "old");
  ASSERT_TRUE(file->Commit().has_value());
  EXPECT_EQ(Content(), "new");
  EXPECT_EQ(NumFiles(), 1);
}

TEST_F(OutputFileTest, WithoutCommitNothingChanges) {
  WriteOld();
  auto file = WriteNew();
  ASSERT_NE(file, nullptr);
  EXPECT_EQ(NumFiles(), 2);
  file.reset();
  EXPECT_EQ(Content(), "old");
  EXPECT_EQ(NumFiles(), 1);
}

// Windows begin and end inside of pages, which they share with each other and with writes.
TEST_F(OutputFileTest, WindowsAreTheFilesBytes) {
  constexpr size_t kSize = 50000;
  const auto made = OutputFile::Create(target_);
  ASSERT_TRUE(made.has_value());
  OutputFile& file = **made;
  EXPECT_EQ(file.Map(0, 100), nullptr) << "nothing is reserved yet";
  ASSERT_TRUE(file.Reserve(kSize).has_value());
  std::string expected(kSize, '\0');
  if (file.Map(0, 1) == nullptr) GTEST_SKIP() << "this file system gives no windows";
  auto fill = [&](size_t offset, size_t size, char value) {
    const auto window = file.Map(static_cast<int64_t>(offset), size);
    ASSERT_NE(window, nullptr);
    ASSERT_EQ(window->bytes().size(), size);
    std::ranges::fill(window->bytes(), static_cast<std::byte>(value));
    std::fill_n(expected.begin() + static_cast<ptrdiff_t>(offset), size, value);
  };
  fill(0, 5000, 'a');
  fill(5000, 10000, 'b');
  const std::string text = "written";
  ASSERT_TRUE(file.WriteAt(15000, std::as_bytes(std::span(text))).has_value());
  expected.replace(15000, text.size(), text);
  fill(15000 + text.size(), 1, 'c');
  fill(20000, kSize - 20000, 'd');
  ASSERT_TRUE(file.Commit().has_value());
  EXPECT_EQ(Content(), expected);
}

TEST_F(OutputFileTest, SignalsLeaveNothingBehind) {
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    WriteOld();
    EXPECT_EXIT(
        {
          RemoveOutputFilesOnInterrupt();
          const auto file = WriteNew();
          if (file != nullptr) std::raise(signal);
        },
        testing::KilledBySignal(signal), "");
    EXPECT_EQ(Content(), "old");
    EXPECT_EQ(NumFiles(), 1);
  }
}

TEST_F(OutputFileTest, IgnoredSignalsStayIgnored) {
  EXPECT_EXIT(
      {
        std::signal(SIGHUP, SIG_IGN);
        RemoveOutputFilesOnInterrupt();
        const auto file = WriteNew();
        std::raise(SIGHUP);
        std::exit(file != nullptr && file->Commit().has_value() && Content() == "new" ? 0 : 1);
      },
      testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace keras_litert
