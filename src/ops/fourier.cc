// keras.ops.math: Fourier transforms of pairs (real, imaginary), and of sliding windows.
//
// A transform of n places along the last axis is a product with the matrix of its cosines and
// sines, FULLY_CONNECTED on [real, imaginary]; where n is a power of two beyond kMatrixSize it is
// RFFT2D of each part, whose spectra are continued by X[n - k] = conj(X[k]).
#include <fmt/core.h>

#include <cmath>
#include <cstring>
#include <numbers>

#include "ir/operators.h"
#include "ops/axes.h"
#include "ops/broadcast.h"
#include "ops/elementwise.h"
#include "ops/padding.h"
#include "ops/shape.h"
#include "ops/table.h"

namespace keras_litert::ops {
namespace {

constexpr int64_t kMatrixSize = 512;
constexpr int64_t kMaxElements = int64_t{1} << 24;  // of a matrix in the file
constexpr int64_t kMaxLength = 1 << 20;

struct Complex {
  Value real;
  Value imaginary;
  bool ok() const { return real.ok() && imaginary.ok(); }
  Argument AsArgument() const { return Argument::List({real, imaginary}); }
};

// A part of the matrix  scale · exp(i · sign · 2π · j · k / n),  of columns j and rows k:
//   [real; imaginary] = [cos, -sign · sin; sign · sin, cos] · [real; imaginary]
// with one or both of the parts on either side. Written only when the file is.
struct Waves {
  int64_t n = 1;
  int sign = -1;
  double scale = 1;
  int64_t rows = 1;  // of each part
  int64_t row_offset = 0;
  int row_parts = 2;  // 1: real alone
  std::vector<double> row_weights;
  int64_t columns = 1;
  int64_t column_offset = 0;
  int column_parts = 2;
  std::vector<double> column_weights;
};

// float32 [row_parts · rows, column_parts · columns], or `shape`, which has as many elements.
Value WaveMatrix(Builder& b, const Waves& w, const std::optional<Shape>& given = std::nullopt) {
  const Shape shape = given.value_or(Shape{w.row_parts * w.rows, w.column_parts * w.columns});
  if (w.row_parts * w.rows > kMaxElements / (w.column_parts * w.columns)) {
    return b.Fail("fft-2",
                  fmt::format("a Fourier transform of {} places would need a matrix of {} x {}",
                              w.n, w.row_parts * w.rows, w.column_parts * w.columns),
                  "Use lengths that are powers of two, or shorter ones.");
  }
  return b.Constant(
      ir::ReaderConstant({DType::kFloat32, shape}, [w](std::span<std::byte> out) -> Status {
        std::vector<double> cosines(static_cast<size_t>(w.n));
        std::vector<double> sines(static_cast<size_t>(w.n));
        for (int64_t i = 0; i < w.n; ++i) {
          const double angle =
              2 * std::numbers::pi * static_cast<double>(i) / static_cast<double>(w.n);
          cosines[static_cast<size_t>(i)] = std::cos(angle);
          sines[static_cast<size_t>(i)] = std::sin(angle);
        }
        std::byte* to = out.data();
        for (int64_t r = 0; r < w.row_parts * w.rows; ++r) {
          const int64_t k = r % w.rows + w.row_offset;
          for (int64_t c = 0; c < w.column_parts * w.columns; ++c, to += sizeof(float)) {
            const int64_t j = c % w.columns + w.column_offset;
            const auto place = static_cast<size_t>(j * k % w.n);
            const bool imaginary_row = r >= w.rows;
            const bool imaginary_column = c >= w.columns;
            double value = imaginary_row == imaginary_column ? cosines[place]
                           : imaginary_row                   ? w.sign * sines[place]
                                                             : -w.sign * sines[place];
            value *= w.scale;
            if (!w.row_weights.empty()) value *= w.row_weights[static_cast<size_t>(r % w.rows)];
            if (!w.column_weights.empty()) {
              value *= w.column_weights[static_cast<size_t>(c % w.columns)];
            }
            const auto number = static_cast<float>(value);
            std::memcpy(to, &number, sizeof(float));
          }
        }
        return {};
      }));
}

bool IsPowerOfTwo(int64_t n) {
  return n > 0 && (n & (n - 1)) == 0;
}

// W · x along the last axis.
Value Along(Builder& b, Value x, Value matrix) {
  if (!x.ok() || !matrix.ok()) return Value();
  matrix = lrt::Cast(b, matrix, x.dtype());
  if (x.rank() > 1) return lrt::FullyConnected(b, x, matrix, Builder::Absent());
  const Value row = lrt::FullyConnected(b, lrt::ExpandDims(b, x, 0), matrix, Builder::Absent());
  return lrt::Reshape(b, row, Shape{row.dim(1)});
}

Value Join(Builder& b, const Complex& x) {
  return lrt::Concatenation(b, {x.real, x.imaginary}, x.real.rank() - 1);
}

Complex Halves(Builder& b, Value x) {
  if (!x.ok()) return {};
  const int64_t n = x.dim(-1).value() / 2;
  return {Range(b, x, x.rank() - 1, 0, n), Range(b, x, x.rank() - 1, n, 2 * n)};
}

// The first n / 2 + 1 places of the spectrum of real numbers. REQUIRES: n is a power of two.
Complex HalfSpectrum(Builder& b, Value x, int64_t n) {
  Dim rows = 1;
  for (int i = 0; i + 1 < x.rank(); ++i) rows = b.symbols().Product(rows, x.dim(i));
  Shape shape = x.shape();
  shape.Set(-1, n / 2 + 1);
  const DType dtype = x.dtype();
  const Value columns = lrt::Reshape(b, lrt::Cast(b, x, DType::kFloat32), Shape{rows, 1, Dim(n)});
  const Shape half{rows, 1, n / 2 + 1};
  const Value y = b.Emit(BuiltinOperator::RFFT2D, {columns, b.Vector({1, static_cast<int32_t>(n)})},
                         {DType::kComplex64, half});
  auto part = [&](BuiltinOperator code) {
    const Value v = b.Emit(code, {y}, {DType::kFloat32, half});
    return lrt::Cast(b, lrt::Reshape(b, v, shape), dtype);
  };
  return {part(BuiltinOperator::REAL), part(BuiltinOperator::IMAG)};
}

// The whole spectrum of real numbers.
Complex WholeSpectrum(Builder& b, Value x, int64_t n) {
  const Complex half = HalfSpectrum(b, x, n);
  if (!half.ok()) return {};
  std::vector<int32_t> backwards;
  for (int64_t k = n / 2 - 1; k > 0; --k) backwards.push_back(static_cast<int32_t>(k));
  const int last = x.rank() - 1;
  auto rest = [&](Value v) { return GatherConstant(b, v, last, backwards); };
  return {
      lrt::Concatenation(b, {half.real, rest(half.real)}, last),
      lrt::Concatenation(
          b, {half.imaginary, lrt::Unary(b, BuiltinOperator::NEG, rest(half.imaginary))}, last)};
}

bool CheckLength(Builder& b, Value x) {
  if (!x.ok()) return false;
  const Dim n = x.dim(-1);
  if (x.rank() < 1 || !n.is_static() || n.value() < 1 || n.value() > kMaxLength) {
    b.Fail("fft-1",
           fmt::format("a Fourier transform of {}: the axis must have a static size",
                       x.shape().ToString()),
           "Fix the axis's size: in the model's Input, or with --shape.");
    return false;
  }
  return true;
}

//   inverse(x) = conj(transform(conj(x))) / n
Complex Transform(Builder& b, const Complex& x, bool inverse) {
  if (!x.ok() || !CheckLength(b, x.real)) return {};
  const int64_t n = x.real.dim(-1).value();
  if (n <= kMatrixSize || !IsPowerOfTwo(n)) {
    const Waves waves{.n = n,
                      .sign = inverse ? 1 : -1,
                      .scale = inverse ? 1.0 / static_cast<double>(n) : 1.0,
                      .rows = n,
                      .columns = n};
    return Halves(b, Along(b, Join(b, x), WaveMatrix(b, waves)));
  }
  // F(a + ib) = F(a) + i F(b)
  const Complex a = WholeSpectrum(b, x.real, n);
  const Complex c =
      WholeSpectrum(b, inverse ? lrt::Unary(b, BuiltinOperator::NEG, x.imaginary) : x.imaginary, n);
  if (!a.ok() || !c.ok()) return {};
  const Complex y{lrt::Sub(b, a.real, c.imaginary), lrt::Add(b, a.imaginary, c.real)};
  if (!inverse) return y;
  const double scale = 1.0 / static_cast<double>(n);
  return {Multiply(b, y.real, scale), Multiply(b, y.imaginary, -scale)};
}

std::optional<Complex> ReadPair(Builder& b, Arguments& a) {
  const std::vector<Value> parts = a.Tensors(0, "x");
  if (parts.size() != 2) {
    b.Fail("fft-3", fmt::format("{}: x must be a pair (real, imaginary)", a.function()));
    return std::nullopt;
  }
  if (!parts[0].ok() || !parts[1].ok()) return std::nullopt;
  if (!ir::IsFloat(parts[0].dtype()) || parts[0].rank() != parts[1].rank()) {
    b.Fail("fft-4", fmt::format("{}: both parts of x must be floats of one shape", a.function()));
    return std::nullopt;
  }
  return Complex{parts[0], lrt::Cast(b, parts[1], parts[0].dtype())};
}

template <bool kInverse>
Argument FftOp(Builder& b, Arguments& a) {
  const std::optional<Complex> x = ReadPair(b, a);
  return x ? Transform(b, *x, kInverse).AsArgument() : Value();
}

// Along the last axis, then along the one before.
template <bool kInverse>
Argument Fft2Op(Builder& b, Arguments& a) {
  const std::optional<Complex> x = ReadPair(b, a);
  if (!x) return Value();
  if (x->real.rank() < 2) return b.Fail("fft-5", "a transform of two axes needs a matrix");
  std::vector<int> order;
  for (int i = 0; i < x->real.rank(); ++i) order.push_back(i);
  std::swap(order[order.size() - 1], order[order.size() - 2]);
  auto turn = [&](const Complex& v) {
    return v.ok() ? Complex{lrt::Transpose(b, v.real, order), lrt::Transpose(b, v.imaginary, order)}
                  : Complex{};
  };
  return turn(Transform(b, turn(Transform(b, *x, kInverse)), kInverse)).AsArgument();
}

// The last axis cut or filled up with zeros.
Value Resized(Builder& b, Value x, int64_t n) {
  if (!x.ok()) return x;
  const int64_t size = x.dim(-1).value();
  if (size > n) return Range(b, x, x.rank() - 1, 0, n);
  std::vector<lrt::AxisPadding> padding(static_cast<size_t>(x.rank()));
  padding.back().after = n - size;
  return ops::Pad(b, x, padding);
}

std::optional<int64_t> ReadLength(Builder& b, Arguments& a, int64_t fallback) {
  const int64_t n = a.OptionalInt(1, "fft_length").value_or(fallback);
  if (n < 1 || n > kMaxLength) {
    b.Fail("fft-6", fmt::format("{}: fft_length = {}", a.function(), n));
    return std::nullopt;
  }
  return n;
}

Argument RfftOp(Builder& b, Arguments& a) {
  Value x = a.Tensor(0, "x");
  if (!x.ok()) return x;
  if (!ir::IsFloat(x.dtype())) x = lrt::Cast(b, x, kFloatX);
  if (!CheckLength(b, x)) return Value();
  const std::optional<int64_t> n = ReadLength(b, a, x.dim(-1).value());
  if (!n) return Value();
  x = Resized(b, x, *n);
  if (*n > kMatrixSize && IsPowerOfTwo(*n)) return HalfSpectrum(b, x, *n).AsArgument();
  const Waves waves{.n = *n, .rows = *n / 2 + 1, .columns = *n, .column_parts = 1};
  return Halves(b, Along(b, x, WaveMatrix(b, waves))).AsArgument();
}

// What a half spectrum's places count in the whole one: 2, but 1 for 0 and n / 2, whose imaginary
// parts are nothing because their sines are 0.
std::vector<double> HalfWeights(int64_t n) {
  std::vector<double> weights(static_cast<size_t>(n / 2 + 1), 2);
  weights[0] = 1;
  if (n % 2 == 0) weights.back() = 1;
  return weights;
}

Argument IrfftOp(Builder& b, Arguments& a) {
  const std::optional<Complex> x = ReadPair(b, a);
  if (!x || !CheckLength(b, x->real)) return Value();
  const std::optional<int64_t> n = ReadLength(b, a, 2 * (x->real.dim(-1).value() - 1));
  if (!n) return Value();
  const int64_t bins = *n / 2 + 1;
  const Complex half{Resized(b, x->real, bins), Resized(b, x->imaginary, bins)};
  if (!half.ok()) return Value();
  if (*n > kMatrixSize && IsPowerOfTwo(*n)) {
    // The real part of the inverse of the half spectrum with its weights.
    std::vector<float> weights;
    for (double w : HalfWeights(*n)) weights.push_back(static_cast<float>(w));
    const Value factors =
        lrt::Cast(b, b.Constant(DType::kFloat32, Shape{bins}, weights), half.real.dtype());
    auto weighted = [&](Value v) { return Resized(b, lrt::Mul(b, v, factors), *n); };
    return Transform(b, {weighted(half.real), weighted(half.imaginary)}, true).real;
  }
  const Waves waves{.n = *n,
                    .sign = 1,
                    .scale = 1.0 / static_cast<double>(*n),
                    .rows = *n,
                    .row_parts = 1,
                    .columns = bins,
                    .column_weights = HalfWeights(*n)};
  return Along(b, Join(b, half), WaveMatrix(b, waves));
}

// ---- Sliding windows ----

// y[..., t, i] = x[..., stride · t + i]
Argument ExtractSequencesOp(Builder& b, Arguments& a) {
  const Value x = a.Tensor(0, "x");
  const int64_t length = a.Int(1, "sequence_length");
  const int64_t stride = a.Int(2, "sequence_stride");
  if (!x.ok()) return x;
  const Dim time = x.dim(-1);
  if (x.rank() < 1 || length < 1 || stride < 1 || length > kMaxLength || stride > kMaxLength ||
      (time.is_static() && time.value() < length)) {
    return b.Fail("sequences-1", fmt::format("sequences of {} every {} places of {}", length,
                                             stride, x.shape().ToString()));
  }
  const Dim count = b.symbols().FloorDiv(b.symbols().Sum(time, stride - length), stride);
  std::vector<int32_t> within;
  for (int64_t i = 0; i < length; ++i) within.push_back(static_cast<int32_t>(i));
  auto number = [&](int64_t v) { return b.Scalar(static_cast<double>(v), DType::kInt32); };
  const Value starts =
      lrt::Mul(b, lrt::Range(b, number(0), b.SizeOf(count), number(1), count), number(stride));
  const Value places = lrt::Add(b, lrt::Reshape(b, starts, {count, 1}),
                                lrt::Reshape(b, b.Vector(within), {1, length}));
  return lrt::Gather(b, x, places, x.rank() - 1);
}

struct Windowing {
  int64_t length = 1;  // of the window
  int64_t stride = 1;
  int64_t fft = 1;
  int64_t before = 0;  // places of a frame before the window
  std::vector<double> window;
  bool has_window = true;
  bool center = true;
};

// scipy.signal.get_window(name, n): periodic windows.
std::optional<Windowing> ReadWindowing(Builder& b, Arguments& a, int window_at) {
  Windowing w;
  w.length = a.Int(1, "sequence_length");
  w.stride = a.Int(2, "sequence_stride");
  w.fft = a.Int(3, "fft_length");
  w.has_window = !a.IsNone(window_at, "window");
  const bool given = a.Has(window_at, "window");
  const Argument& window = a.Get(window_at, "window");
  w.center = a.Bool(window_at + 1, "center", true);
  if (w.length < 1 || w.stride < 1 || w.fft < w.length || w.fft > kMaxLength ||
      w.stride > kMaxLength) {
    b.Fail("stft-5", fmt::format("{}: sequence_length = {}, sequence_stride = {}, fft_length = {}",
                                 a.function(), w.length, w.stride, w.fft));
    return std::nullopt;
  }
  if (!w.has_window) {
    w.length = w.fft;
    w.window.assign(static_cast<size_t>(w.fft), 1.0);
    return w;
  }
  w.before = (w.fft - w.length) / 2;
  const std::string name = !given                                     ? "hann"
                           : window.kind() == Argument::Kind::kString ? window.string()
                                                                      : "";
  if (name == "hann" || name == "hamming") {
    const double level = name == "hann" ? 0.5 : 0.54;
    for (int64_t i = 0; i < w.length; ++i) {
      w.window.push_back(level -
                         (1 - level) * std::cos(2 * std::numbers::pi * static_cast<double>(i) /
                                                static_cast<double>(w.length)));
    }
  } else if (window.is_list()) {
    for (const Argument& v : window.items()) w.window.push_back(v.is_number() ? v.number() : 0);
  } else if (window.is_tensor() && window.tensor().ok() && window.tensor().is_constant()) {
    auto numbers = ir::EvaluateAs<double>(window.tensor().constant());
    if (numbers) w.window.assign(numbers->begin(), numbers->end());
  }
  if (static_cast<int64_t>(w.window.size()) != w.length) {
    b.Fail("stft-6", fmt::format("{}: the window must be 'hann', 'hamming', None or {} constants",
                                 a.function(), w.length));
    return std::nullopt;
  }
  return w;
}

// Frames begin every `stride` places; what the window leaves out of them is not computed.
//   CONV_2D(x [n, 1, time, 1], [2 · bins, 1, length, 1], stride)
Argument StftOp(Builder& b, Arguments& a) {
  Value x = a.Tensor(0, "x");
  const std::optional<Windowing> w = ReadWindowing(b, a, 4);
  if (!x.ok() || !w) return Value();
  if (x.rank() < 1 || !ir::IsFloat(x.dtype())) {
    return b.Fail("stft-7", "stft: x must be floats");
  }
  const Dim time = x.dim(-1);
  const int64_t half = w->center ? w->fft / 2 : 0;
  if (time.is_static() && (time.value() <= half || time.value() + 2 * half < w->fft)) {
    return b.Fail("stft-8", fmt::format("stft: {} places are too few for frames of {}",
                                        time.value(), w->fft));
  }
  Shape leading = x.shape();
  leading.Erase(leading.rank() - 1);
  Dim rows = 1;
  for (Dim d : leading) rows = b.symbols().Product(rows, d);
  x = lrt::Reshape(b, x, Shape{rows, time});
  const int64_t after = w->fft - w->length - w->before;
  x = w->center ? ops::Pad(b, x, {{}, {half - w->before, std::max<int64_t>(0, half - after)}},
                           PadMode::kReflect)
                : x;
  std::vector<lrt::AxisPadding> cut(2);
  if (!w->center) cut[1] = {w->before, after};
  if (w->center && half < after) cut[1].after = after - half;
  x = Crop(b, x, cut);
  if (!x.ok()) return x;
  const int64_t bins = w->fft / 2 + 1;
  const Waves waves{.n = w->fft,
                    .rows = bins,
                    .columns = w->length,
                    .column_offset = w->before,
                    .column_parts = 1,
                    .column_weights = w->window};
  const Value filters =
      lrt::Cast(b, WaveMatrix(b, waves, Shape{2 * bins, 1, w->length, 1}), x.dtype());
  const Value frames =
      lrt::Conv2D(b, lrt::Reshape(b, x, {x.dim(0), 1, x.dim(1), 1}), filters, Builder::Absent(),
                  {.stride_w = static_cast<int>(w->stride), .padding = lrt::Padding::VALID});
  if (!frames.ok()) return frames;
  Shape shape = leading;
  shape.Append(frames.dim(2));
  shape.Append(2 * bins);
  return Halves(b, lrt::Reshape(b, frames, shape)).AsArgument();
}

// Inverse transforms times the window, added where they overlap, over the sum of squared windows
// there (D. Griffin and J. Lim, "Signal estimation from modified short-time Fourier transform",
// 1984).
//   TRANSPOSE_CONV(x [n, 1, frames, 2 · bins], [1, 1, length, 2 · bins], stride) /
//   TRANSPOSE_CONV(1 [1, 1, frames, 1], window² [1, 1, length, 1], stride)
Argument IstftOp(Builder& b, Arguments& a) {
  const std::optional<Complex> x = ReadPair(b, a);
  const std::optional<int64_t> wanted = a.OptionalInt(4, "length");
  const std::optional<Windowing> w = ReadWindowing(b, a, 5);
  if (!x || !w) return Value();
  const int rank = x->real.rank();
  const int64_t bins = w->fft / 2 + 1;
  if (rank < 2 || x->real.dim(-1) != Dim(bins)) {
    return b.Fail("istft-1", fmt::format("istft: {} are no spectra of {} places",
                                         x->real.shape().ToString(), bins));
  }
  Shape leading = x->real.shape();
  leading.Erase(rank - 1);
  leading.Erase(rank - 2);
  Dim rows = 1;
  for (Dim d : leading) rows = b.symbols().Product(rows, d);
  const Dim frames = x->real.dim(-2);
  const DType dtype = x->real.dtype();
  const Value spectra = lrt::Reshape(b, Join(b, *x), {rows, 1, frames, 2 * bins});
  const Waves waves{.n = w->fft,
                    .sign = 1,
                    .scale = 1.0 / static_cast<double>(w->fft),
                    .rows = w->length,
                    .row_offset = w->before,
                    .row_parts = 1,
                    .row_weights = w->window,
                    .columns = bins,
                    .column_weights = HalfWeights(w->fft)};
  const Value filters = lrt::Cast(b, WaveMatrix(b, waves, Shape{1, 1, w->length, 2 * bins}), dtype);
  const Dim size = b.symbols().Sum(b.symbols().Sum(frames, -1) * w->stride, w->length);
  const lrt::Window2D window{.stride_w = static_cast<int>(w->stride),
                             .padding = lrt::Padding::VALID};
  const Value sum =
      lrt::TransposeConv(b, spectra, filters, Builder::Absent(), {rows, 1, size, 1}, window);
  std::vector<float> squares;
  for (double v : w->window) squares.push_back(static_cast<float>(v * v));
  const Value ones = lrt::Fill(b, {1, 1, frames, 1}, b.Scalar(1, DType::kFloat32));
  const Value norm =
      lrt::TransposeConv(b, ones, b.Constant(DType::kFloat32, Shape{1, 1, w->length, 1}, squares),
                         Builder::Absent(), {1, 1, size, 1}, window);
  if (!sum.ok() || !norm.ok()) return Value();
  const Value some =
      Elementwise(b, BuiltinOperator::GREATER, norm, b.Scalar(1e-10, DType::kFloat32));
  const Value divisor = Select(b, some, norm, b.Scalar(1, DType::kFloat32));
  Value y = lrt::Reshape(b, lrt::Div(b, sum, lrt::Cast(b, divisor, dtype)), {rows, size});
  if (!w->has_window) {
    y = Multiply(b, y, static_cast<double>(w->fft) / static_cast<double>(w->stride));
  }
  // The frames lie from w->before on; the result from half a frame on, where they were centered.
  const int64_t start = w->center ? w->fft / 2 : 0;
  const int64_t after = w->fft - w->length - w->before;
  std::vector<lrt::AxisPadding> cut(2);
  std::vector<lrt::AxisPadding> add(2);
  auto place = [](int64_t& cut_off, int64_t& added, int64_t have, int64_t want) {
    (have < want ? cut_off : added) = std::abs(want - have);
  };
  place(cut[1].before, add[1].before, w->before, start);
  if (wanted) {
    if (!frames.is_static() || *wanted < 1 || *wanted > kMaxLength * 64) {
      return b.Fail("istft-2", "istft: length needs a static number of frames");
    }
    // As far as the last frame reaches.
    const int64_t all = w->fft + w->stride * (frames.value() - 1);
    place(cut[1].after, add[1].after, after, std::max<int64_t>(0, all - start - *wanted));
  } else {
    place(cut[1].after, add[1].after, after, start);
  }
  y = ops::Pad(b, Crop(b, y, cut), add);
  if (!y.ok()) return y;
  Shape shape = leading;
  shape.Append(y.dim(1));
  return lrt::Reshape(b, y, shape);
}

}  // namespace

std::span<const OpEntry> FourierOps() {
  static constexpr OpEntry kOps[] = {
      {"math.extract_sequences", ExtractSequencesOp},
      {"math.fft", FftOp<false>},
      {"math.fft2", Fft2Op<false>},
      {"math.ifft", FftOp<true>},
      {"math.ifft2", Fft2Op<true>},
      {"math.irfft", IrfftOp},
      {"math.istft", IstftOp},
      {"math.rfft", RfftOp},
      {"math.stft", StftOp},
  };
  return kOps;
}

}  // namespace keras_litert::ops
