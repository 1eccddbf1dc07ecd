#include "tuning/images.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>
#include <csetjmp>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#ifdef KERAS_LITERT_PNG
#include <png.h>
#endif
#ifdef KERAS_LITERT_JPEG
#include <jpeglib.h>
#endif

namespace keras_litert {
namespace {

// Files of more pixels are refused: damaged headers ask for any amount of memory.
constexpr uint64_t kMostPixels = uint64_t{1} << 26;
constexpr size_t kMostErrors = 8;

struct Image {
  size_t height = 0;
  size_t width = 0;
  std::vector<uint8_t> pixels;  // row-major [height, width, channels]
};

[[maybe_unused]] bool IsTooLarge(uint64_t height, uint64_t width) {
  return height == 0 || width == 0 || height > kMostPixels / width;
}

using Decoded = std::expected<Image, std::string>;

#ifdef KERAS_LITERT_PNG
Decoded DecodePng(const std::vector<uint8_t>& file, int64_t channels) {
  png_image header = {};
  header.version = PNG_IMAGE_VERSION;
  const std::unique_ptr<png_image, void (*)(png_image*)> owner(&header, png_image_free);
  if (png_image_begin_read_from_memory(&header, file.data(), file.size()) == 0) {
    return std::unexpected(std::string(header.message));
  }
  if (IsTooLarge(header.height, header.width)) return std::unexpected("it is too large");
  // Gray is computed here: libpng would do it in linear light, which no other library does.
  header.format = PNG_FORMAT_RGBA;
  std::vector<uint8_t> colors(PNG_IMAGE_SIZE(header));
  if (png_image_finish_read(&header, nullptr, colors.data(), 0, nullptr) == 0) {
    return std::unexpected(std::string(header.message));
  }
  // Transparency is left out, as Keras and Pillow do when they make a picture RGB.
  Image image{header.height, header.width, {}};
  image.pixels.reserve(image.height * image.width * static_cast<size_t>(channels));
  for (size_t i = 0; i < colors.size(); i += 4) {
    const uint32_t r = colors[i];
    const uint32_t g = colors[i + 1];
    const uint32_t b = colors[i + 2];
    if (channels == 1) {
      // Luma of ITU-R BT.601: 0.299 R + 0.587 G + 0.114 B, as JPEG's.
      image.pixels.push_back(
          static_cast<uint8_t>((19595 * r + 38470 * g + 7471 * b + 32768) >> 16));
    } else {
      image.pixels.insert(image.pixels.end(), {colors[i], colors[i + 1], colors[i + 2]});
    }
  }
  return image;
}
#endif

#ifdef KERAS_LITERT_JPEG
struct JpegErrors {
  jpeg_error_mgr manager;  // first: libjpeg knows this struct by it
  std::jmp_buf back;
  std::array<char, JMSG_LENGTH_MAX> message;
};

// libjpeg's own report exits the process.
[[noreturn]] void OnJpegError(j_common_ptr info) {
  auto* errors = reinterpret_cast<JpegErrors*>(info->err);
  info->err->format_message(info, errors->message.data());
  std::longjmp(errors->back, 1);
}

void OnJpegMessage(j_common_ptr info, int level) {
  // Level -1: data is damaged, and libjpeg would go on with a guess.
  if (level < 0) OnJpegError(info);
}

// No object with a destructor lives in here: longjmp passes by. Gives false with a message.
bool DecodeJpegInto(const std::vector<uint8_t>& file, int64_t channels, Image& image,
                    JpegErrors& errors, std::vector<uint8_t*>& rows) {
  jpeg_decompress_struct info = {};
  info.err = jpeg_std_error(&errors.manager);
  errors.manager.error_exit = OnJpegError;
  errors.manager.emit_message = OnJpegMessage;
  errors.message[0] = '\0';
  if (setjmp(errors.back) != 0) {
    jpeg_destroy_decompress(&info);
    return false;
  }
  jpeg_create_decompress(&info);
  jpeg_mem_src(&info, file.data(), static_cast<unsigned long>(file.size()));
  jpeg_read_header(&info, TRUE);
  if (IsTooLarge(info.image_height, info.image_width)) {
    std::snprintf(errors.message.data(), errors.message.size(), "it is too large");
    jpeg_destroy_decompress(&info);
    return false;
  }
  info.out_color_space = channels == 1 ? JCS_GRAYSCALE : JCS_RGB;
  jpeg_start_decompress(&info);
  image.height = info.output_height;
  image.width = info.output_width;
  const size_t stride = image.width * static_cast<size_t>(channels);
  image.pixels.resize(image.height * stride);
  rows.resize(image.height);
  for (size_t y = 0; y < image.height; ++y) rows[y] = image.pixels.data() + y * stride;
  while (info.output_scanline < info.output_height) {
    jpeg_read_scanlines(&info, rows.data() + info.output_scanline,
                        info.output_height - info.output_scanline);
  }
  jpeg_finish_decompress(&info);
  jpeg_destroy_decompress(&info);
  return true;
}

Decoded DecodeJpeg(const std::vector<uint8_t>& file, int64_t channels) {
  Image image;
  JpegErrors errors;
  std::vector<uint8_t*> rows;
  if (!DecodeJpegInto(file, channels, image, errors, rows)) {
    return std::unexpected(std::string(errors.message.data()));
  }
  return image;
}
#endif

Decoded Decode(const std::filesystem::path& path, [[maybe_unused]] int64_t channels) {
  std::ifstream stream(path, std::ios::binary);
  const std::vector<uint8_t> file{std::istreambuf_iterator<char>(stream), {}};
  if (!stream || file.empty()) return std::unexpected("the file cannot be read, or is empty");
  static constexpr std::array<uint8_t, 4> kPng = {0x89, 'P', 'N', 'G'};
  static constexpr std::array<uint8_t, 3> kJpeg = {0xFF, 0xD8, 0xFF};
  const auto starts = [&](const auto& magic) {
    return file.size() >= magic.size() && std::equal(magic.begin(), magic.end(), file.begin());
  };
  if (starts(kPng)) {
#ifdef KERAS_LITERT_PNG
    return DecodePng(file, channels);
#else
    return std::unexpected("this build of keras-litert reads no PNG files");
#endif
  }
  if (starts(kJpeg)) {
#ifdef KERAS_LITERT_JPEG
    return DecodeJpeg(file, channels);
#else
    return std::unexpected("this build of keras-litert reads no JPEG files");
#endif
  }
  return std::unexpected("it is neither PNG nor JPEG");
}

// What pixels of one axis become a new pixel, and how much each counts: a triangle around the new
// pixel's center, as wide as the axis shrinks. Weights sum to 1.
struct Taps {
  size_t first = 0;
  std::vector<float> weights;
};

std::vector<Taps> Resampling(size_t from, size_t to) {
  const double ratio = static_cast<double>(from) / static_cast<double>(to);
  const double reach = std::max(1.0, ratio);
  std::vector<Taps> all(to);
  for (size_t i = 0; i < to; ++i) {
    const double center = (static_cast<double>(i) + 0.5) * ratio;
    const auto low = static_cast<int64_t>(std::max(0.0, center - reach));
    const auto high =
        std::min<int64_t>(static_cast<int64_t>(center + reach) + 1, static_cast<int64_t>(from));
    all[i].first = static_cast<size_t>(low);
    double sum = 0;
    for (int64_t x = low; x < high; ++x) {
      const double weight =
          std::max(0.0, 1 - std::abs((static_cast<double>(x) + 0.5 - center) / reach));
      all[i].weights.push_back(static_cast<float>(weight));
      sum += weight;
    }
    for (float& weight : all[i].weights) weight = static_cast<float>(weight / sum);
  }
  return all;
}

void Resize(const Image& image, const ImageShape& shape, const ImageFormat& format, float* out) {
  const auto channels = static_cast<size_t>(shape.channels);
  const auto height = static_cast<size_t>(shape.height);
  const auto width = static_cast<size_t>(shape.width);
  const std::vector<Taps> down = Resampling(image.height, height);
  const std::vector<Taps> across = Resampling(image.width, width);
  std::vector<float> rows(image.height * width * channels);
  for (size_t y = 0; y < image.height; ++y) {
    for (size_t x = 0; x < width; ++x) {
      for (size_t c = 0; c < channels; ++c) {
        float sum = 0;
        for (size_t t = 0; t < across[x].weights.size(); ++t) {
          const size_t at = (y * image.width + across[x].first + t) * channels + c;
          sum += across[x].weights[t] * static_cast<float>(image.pixels[at]);
        }
        rows[(y * width + x) * channels + c] = sum;
      }
    }
  }
  const float scale = (format.high - format.low) / 255;
  for (size_t y = 0; y < height; ++y) {
    for (size_t x = 0; x < width * channels; ++x) {
      float sum = 0;
      for (size_t t = 0; t < down[y].weights.size(); ++t) {
        sum += down[y].weights[t] * rows[(down[y].first + t) * width * channels + x];
      }
      out[y * width * channels + x] = format.low + scale * sum;
    }
  }
}

bool IsImage(const std::filesystem::path& path) {
  std::string extension = path.extension().string();
  std::transform(extension.begin(), extension.end(), extension.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return extension == ".png" || extension == ".jpg" || extension == ".jpeg";
}

}  // namespace

Result<archive::NpzArray> ReadImages(const std::filesystem::path& folder, const ImageShape& shape,
                                     const ImageFormat& format) {
  std::vector<std::filesystem::path> paths;
  std::error_code error;
  std::filesystem::directory_iterator entries(folder, error);
  while (!error && entries != std::filesystem::directory_iterator()) {
    if (IsImage(entries->path())) paths.push_back(entries->path());
    entries.increment(error);
  }
  if (error || paths.empty()) {
    return Fail(folder.string(), "samples-6",
                error ? "the folder cannot be read: " + error.message()
                      : "the folder has no .png, .jpg or .jpeg files",
                "Name a folder with a few hundred typical images.");
  }
  std::sort(paths.begin(), paths.end());
  const auto size = static_cast<size_t>(shape.height * shape.width * shape.channels);
  archive::NpzArray array;
  array.type = {ir::DType::kFloat32,
                {static_cast<int64_t>(paths.size()), shape.height, shape.width, shape.channels}};
  array.bytes.resize(paths.size() * size * sizeof(float));
  std::vector<Diagnostic> errors;
  std::vector<float> values(size);
  for (size_t i = 0; i < paths.size() && errors.size() < kMostErrors; ++i) {
    const Decoded image = Decode(paths[i], shape.channels);
    if (!image) {
      errors.push_back({paths[i].string(), "samples-7",
                        "the image cannot be used: " + image.error(),
                        "Repair the file, or take it away."});
      continue;
    }
    Resize(*image, shape, format, values.data());
    std::memcpy(array.bytes.data() + i * size * sizeof(float), values.data(), size * sizeof(float));
  }
  if (!errors.empty()) return std::unexpected(Error(std::move(errors)));
  return array;
}

}  // namespace keras_litert
