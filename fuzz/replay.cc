// Runs a fuzz target on inputs that are the same in every build and on every machine:
//
//   TARGET_replay COUNT FIRST LAST_INPUT SEED_FOLDER…
//
// Input number i, from FIRST on, is a seed changed as the target's mutator changes it, with numbers
// drawn from i alone. libFuzzer's own runs follow what they cover, so no two of them are equal:
// they search, this one judges a commit. Before a run its input is written to LAST_INPUT; one that
// takes more than half a minute ends the process.

#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);
extern "C" __attribute__((weak)) size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size,
                                                                size_t max_size, unsigned int seed);

namespace {

using Bytes = std::vector<uint8_t>;
using Random = std::minstd_rand;

Random& Numbers() {
  static Random random;
  return random;
}

// A run of bytes is overwritten, removed, repeated or brought to a bound.
size_t MutateBytes(uint8_t* data, size_t size, size_t max_size) {
  static constexpr uint8_t kOdd[] = {0, 1, 0x7f, 0x80, 0xff, '0', '"', '{'};
  Random& random = Numbers();
  if (size == 0) return 0;
  const size_t at = random() % size;
  const size_t length = std::min<size_t>(1 + random() % 8, size - at);
  switch (random() % 5) {
    case 0:
      for (size_t i = 0; i < length; ++i) data[at + i] = static_cast<uint8_t>(random());
      return size;
    case 1:
      std::fill_n(data + at, length, kOdd[random() % std::size(kOdd)]);
      return size;
    case 2:
      data[at] = static_cast<uint8_t>(data[at] ^ (1U << random() % 8));
      return size;
    case 3:
      std::copy(data + at + length, data + size, data + at);
      return size - length;
    default:
      if (size + length > max_size) return size;
      std::copy_backward(data + at, data + size, data + size + length);
      return size + length;
  }
}

Bytes ReadFile(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::vector<Bytes> ReadSeeds(char** begin, char** end) {
  std::vector<std::filesystem::path> paths;
  for (; begin != end; ++begin) {
    for (const auto& entry : std::filesystem::directory_iterator(*begin)) {
      paths.push_back(entry.path());
    }
  }
  std::sort(paths.begin(), paths.end());
  std::vector<Bytes> seeds;
  for (const auto& path : paths) seeds.push_back(ReadFile(path));
  return seeds;
}

Bytes Input(const std::vector<Bytes>& seeds, uint32_t number) {
  Random& random = Numbers();
  random.seed(number + 1);
  random.discard(4);  // Close seeds start with close numbers.
  Bytes input = seeds[random() % seeds.size()];
  size_t size = input.size();
  input.resize(size + 4096);
  for (unsigned rounds = 1 + random() % 5; rounds > 0; --rounds) {
    size = LLVMFuzzerCustomMutator != nullptr
               ? LLVMFuzzerCustomMutator(input.data(), size, input.size(),
                                         static_cast<unsigned>(random()))
               : MutateBytes(input.data(), size, input.size());
  }
  input.resize(size);
  input.shrink_to_fit();  // A read beyond the end is found.
  return input;
}

}  // namespace

// What libFuzzer gives to custom mutators.
extern "C" size_t LLVMFuzzerMutate(uint8_t* data, size_t size, size_t max_size) {
  return MutateBytes(data, size, max_size);
}

int main(int argc, char** argv) {
  if (argc < 5) {
    std::fprintf(stderr, "usage: %s COUNT FIRST LAST_INPUT SEED_FOLDER...\n", argv[0]);
    return 2;
  }
  const auto count = static_cast<uint32_t>(std::strtoul(argv[1], nullptr, 10));
  const auto first = static_cast<uint32_t>(std::strtoul(argv[2], nullptr, 10));
  const std::vector<Bytes> seeds = ReadSeeds(argv + 4, argv + argc);
  if (seeds.empty()) {
    std::fprintf(stderr, "no seeds\n");
    return 2;
  }
  for (const Bytes& seed : seeds) LLVMFuzzerTestOneInput(seed.data(), seed.size());
  for (uint32_t i = 0; i < count; ++i) {
    const Bytes input = Input(seeds, first + i);
    std::ofstream(argv[3], std::ios::binary)
        .write(reinterpret_cast<const char*>(input.data()),
               static_cast<std::streamsize>(input.size()));
    alarm(30);
    LLVMFuzzerTestOneInput(input.data(), input.size());
  }
  std::printf("%zu seeds and %u inputs changed from them: no finding\n", seeds.size(), count);
  return 0;
}
