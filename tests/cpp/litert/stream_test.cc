// The weights' bytes in the file are the constants' bytes, whatever the tiles, threads and memory.
#include "litert/stream.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <mutex>

#include "ir/operators.h"
#include "litert/plan.h"

namespace keras_litert::litert {
namespace {

using ir::ConstantPtr;
using ir::DType;

class StreamTest : public ::testing::Test {
 protected:
  StreamTest()
      : path_(std::filesystem::path(::testing::TempDir()) /
              ::testing::UnitTest::GetInstance()->current_test_info()->name()) {}
  ~StreamTest() override { std::filesystem::remove(path_); }

  void Add(const ConstantPtr& weight) {
    module_.input_names.push_back("x" + std::to_string(weights_.size()));
    module_.output_names.push_back("y" + std::to_string(weights_.size()));
    ir::Value x(module_.main().AddInput(weight->type(), module_.input_names.back()));
    module_.main().outputs().push_back(lrt::Add(b_, x, b_.Constant(weight)).tensor());
    weights_.push_back(weight);
  }
  Status Stream(const StreamOptions& options) {
    KL_ASSIGN_OR_RETURN(const Plan plan, MakePlan(module_));
    layout_ = LayOut(module_, plan, {}, int64_t{1} << 30);
    KL_ASSIGN_OR_RETURN(const std::unique_ptr<OutputFile> file, OutputFile::Create(path_));
    KL_RETURN_IF_ERROR(file->Reserve(layout_.total));
    KL_RETURN_IF_ERROR(StreamFile(plan, layout_, *file, options));
    return file->Commit();
  }
  std::string FileBytes() const {
    std::ifstream file(path_, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }

  std::filesystem::path path_;
  ir::Module module_;
  ir::BuildContext context_{module_, {}, {}, 0};
  ir::Builder b_{context_, module_.main()};
  std::vector<ConstantPtr> weights_;
  Layout layout_;
};

ConstantPtr Matrix(int64_t rows, int64_t columns) {
  std::vector<float> values(static_cast<size_t>(rows * columns));
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i * 31 % 1009);
  return ir::MakeConstant<float>(DType::kFloat32, {rows, columns}, values);
}
ConstantPtr Reader(const ConstantPtr& x) {
  return ir::ReaderConstant(x->type(), [x](std::span<std::byte> out) { return x->Evaluate(out); });
}

TEST_F(StreamTest, AnyTilesThreadsAndMemoryGiveTheSameBytes) {
  Add(Matrix(300, 200));
  Add(ir::Transposed(Matrix(260, 210), {1, 0}));
  Add(Reader(Matrix(50, 70)));
  Add(ir::Transposed(Reader(Matrix(130, 90)), {1, 0}));
  Add(ir::ScaledAlong(ir::Transposed(Matrix(64, 48), {1, 0}), 0, std::vector<float>(48, 3)));
  Add(ir::Casted(Matrix(128, 64), DType::kFloat64));
  // Tiles that are one run, and in tiles of 4 KB not even a row.
  Add(ir::ScaledAlong(ir::Transposed(Matrix(1200, 300), {1, 0}), 1, std::vector<float>(1200, 3)));
  for (const unsigned threads : {1U, 3U}) {
    for (const size_t tile_bytes : {size_t{4096}, size_t{1} << 20}) {
      for (const size_t memory : {size_t{1}, size_t{10000}, size_t{1} << 30}) {
        SCOPED_TRACE(testing::Message() << threads << " threads, tiles of " << tile_bytes);
        std::vector<int64_t> progress;
        const Status status = Stream({.progress =
                                          [&](int64_t written, int64_t total) {
                                            EXPECT_EQ(total, layout_.total);
                                            progress.push_back(written);
                                          },
                                      .threads = threads,
                                      .tile_bytes = tile_bytes,
                                      .bytes_in_flight = memory});
        ASSERT_TRUE(status.has_value()) << status.error().ToString();
        EXPECT_TRUE(std::is_sorted(progress.begin(), progress.end()));
        EXPECT_EQ(progress.back(), layout_.total);
        const std::string bytes = FileBytes();
        ASSERT_EQ(layout_.placements.size(), weights_.size());
        for (size_t i = 0; i < weights_.size(); ++i) {
          const Placement& place = layout_.placements[i];
          const auto expected = ir::EvaluateBytes(*weights_[i]);
          ASSERT_EQ(static_cast<size_t>(place.size), expected->size());
          EXPECT_EQ(std::memcmp(bytes.data() + place.offset, expected->data(), expected->size()), 0)
              << weights_[i]->Describe();
        }
      }
    }
  }
}

TEST_F(StreamTest, TheFirstErrorInTheFilesOrderIsReported) {
  auto broken = [](const std::string& message) {
    return ir::ReaderConstant({DType::kFloat32, {1000, 600}}, [message](std::span<std::byte>) {
      return Status(keras_litert::Fail("", "read-1", message));
    });
  };
  Add(Matrix(1000, 600));
  Add(broken("the first"));
  Add(broken("the second"));
  const Status status = Stream({.threads = 2});
  ASSERT_FALSE(status.has_value());
  EXPECT_THAT(status.error().ToString(), ::testing::HasSubstr("the first"));
}

TEST_F(StreamTest, PagesAreReleasedBehindTheWrite) {
  const auto source = std::make_shared<std::vector<std::byte>>(size_t{16} << 20);
  std::mutex mutex;
  size_t released = 0;
  const ConstantPtr view = ir::ViewConstant({DType::kFloat32, {65536, 64}}, *source, source,
                                            [&](size_t offset, size_t size) {
                                              const std::lock_guard lock(mutex);
                                              EXPECT_LE(offset + size, source->size());
                                              if (size < source->size()) released += size;
                                            });
  Add(view);
  Add(ir::Transposed(view, {1, 0}));
  ASSERT_TRUE(Stream({.tile_bytes = size_t{1} << 20}).has_value());
  EXPECT_EQ(released, 2 * source->size()) << "each tile's pages, once";
}

}  // namespace
}  // namespace keras_litert::litert
