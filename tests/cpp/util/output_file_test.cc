// OutputFile: complete under its name, or not there at all.

#include <gtest/gtest.h>

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

TEST_F(OutputFileTest, ManyPiecesBecomeOneFile) {
  const auto made = OutputFile::Create(target_);
  ASSERT_TRUE(made.has_value());
  OutputFile& file = **made;
  std::string expected(300001, '\0');
  for (size_t i = 0; i < expected.size(); ++i) expected[i] = static_cast<char>(i * 7 % 253);
  ASSERT_TRUE(file.Reserve(static_cast<int64_t>(expected.size())).has_value());
  const auto bytes = std::as_bytes(std::span(expected));
  ASSERT_TRUE(file.WriteAt(99, bytes.subspan(99)).has_value());
  ASSERT_TRUE(file.WriteAt(0, bytes.first(99)).has_value());
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
