// How fast weights get from a mapped file into a .tflite file, and in how much memory.
//   stream_bench DIRECTORY [MEGABYTES] [CASE]
// Each case runs in the state that the one before left the page cache in; `cp` and `copy`, the same
// bytes as they are, are the bar. Prints seconds and the peak of resident memory, mapped pages
// included, so far.
#include <fmt/core.h>

#include <chrono>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <vector>

#include "ir/operators.h"
#include "litert/writer.h"
#include "util/platform.h"

namespace keras_litert {
namespace {

using ir::ConstantPtr;
using ir::DType;
using ir::Shape;

class Timer {
 public:
  double seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

void MakeSource(const std::filesystem::path& path, int64_t bytes) {
  if (std::filesystem::exists(path) &&
      std::filesystem::file_size(path) == static_cast<uintmax_t>(bytes)) {
    return;
  }
  std::ofstream file(path, std::ios::binary);
  std::vector<float> block(1 << 18);
  for (size_t i = 0; i < block.size(); ++i) {
    block[i] = static_cast<float>(i * 2654435761U % 1000) / 1000;
  }
  for (int64_t done = 0; done < bytes; done += static_cast<int64_t>(block.size() * 4)) {
    file.write(reinterpret_cast<const char*>(block.data()),
               std::min<int64_t>(bytes - done, static_cast<int64_t>(block.size() * 4)));
  }
}

void Run(const char* name, const std::filesystem::path& directory, const ConstantPtr& weight) {
  ir::Module module;
  ir::BuildContext context{module, {}, {}, 0};
  ir::Builder b(context, module.main());
  module.input_names = {"x"};
  module.output_names = {"y"};
  ir::Value x(module.main().AddInput(weight->type(), "x"));
  module.main().outputs() = {lrt::Add(b, x, b.Constant(weight)).tensor()};
  const std::filesystem::path path = directory / "stream_bench.tflite";
  std::filesystem::remove(path);
  const Timer timer;
  const std::clock_t cpu = std::clock();
  const auto size = litert::WriteFile(module, path);
  const double seconds = timer.seconds();
  if (!size) {
    fmt::print("{}: {}\n", name, size.error().ToString());
    return;
  }
  fmt::print("{:20} {:6.3f} s  {:5.2f} GB/s  cpu {:6.3f} s  peak {:4} MB\n", name, seconds,
             static_cast<double>(*size) / seconds / 1e9,
             static_cast<double>(std::clock() - cpu) / CLOCKS_PER_SEC, PeakResidentBytes() >> 20);
  std::filesystem::remove(path);
}

int Main(int argc, char** argv) {
  if (argc < 2) {
    fmt::print("usage: stream_bench DIRECTORY [MEGABYTES] [CASE]\n");
    return 2;
  }
  const std::filesystem::path directory = argv[1];
  constexpr int64_t kColumns = 4096;
  const int64_t rows = argc > 2 ? (std::atoll(argv[2]) << 20) / (kColumns * 4) : 25088;
  const std::string only = argc > 3 ? argv[3] : "";
  const int64_t bytes = rows * kColumns * 4;
  const std::filesystem::path source = directory / "stream_bench.weights";
  MakeSource(source, bytes);
  {
    const std::filesystem::path copy = directory / "stream_bench.copy";
    const std::string command = "cp " + source.string() + " " + copy.string();
    const Timer timer;
    if (std::system(command.c_str()) != 0) return 1;
    const double seconds = timer.seconds();
    fmt::print("{:20} {:6.3f} s  {:5.2f} GB/s\n", "cp", seconds,
               static_cast<double>(bytes) / seconds / 1e9);
    std::filesystem::remove(copy);
  }
  const auto file = MappedFile::Open(source);
  if (!file) return 1;
  auto view = [&](Shape shape) {
    return ir::ViewConstant({DType::kFloat32, std::move(shape)}, (*file)->bytes(), *file,
                            [raw = file->get()](size_t at, size_t n) { raw->Release(at, n); });
  };
  auto run = [&](const char* name, const ConstantPtr& weight) {
    if (only.empty() || only == name) Run(name, directory, weight);
  };
  const ConstantPtr matrix = view({rows, kColumns});
  const int64_t strip = rows * kColumns / 16;
  const std::vector<float> halves(kColumns, 0.5F);
  run("copy", matrix);
  run("transpose", ir::Transposed(matrix, {1, 0}));
  run("transpose narrow", ir::Transposed(view({strip, 16}), {1, 0}));
  run("transpose wide", ir::Transposed(view({16, strip}), {1, 0}));
  run("transpose 4-D", ir::Transposed(view({rows / 16, 16, 8, kColumns / 8}), {2, 0, 3, 1}));
  run("scale", ir::ScaledAlong(matrix, 1, halves));
  run("scale + transpose", ir::Transposed(ir::ScaledAlong(matrix, 1, halves), {1, 0}));
  run("cast to float16", ir::Casted(matrix, DType::kFloat16));
  std::filesystem::remove(source);
  return 0;
}

}  // namespace
}  // namespace keras_litert

int main(int argc, char** argv) {
  return keras_litert::Main(argc, argv);
}
