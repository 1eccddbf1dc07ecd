#include "terminal.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <iterator>

#include "util/platform.h"

namespace keras_litert::cli {
namespace {

bool ColorsWanted() {
  const char* no_color = std::getenv("NO_COLOR");
  const char* term = std::getenv("TERM");
  return (no_color == nullptr || *no_color == '\0') && term != nullptr &&
         std::string_view(term) != "dumb";
}

std::string Styled(bool colors, Style style, std::string text) {
  if (!colors) return text;
  const char* code = "";
  switch (style) {
    case Style::kBold:
      code = "1";
      break;
    case Style::kDim:
      code = "2";
      break;
    case Style::kRed:
      code = "1;31";
      break;
    case Style::kGreen:
      code = "1;32";
      break;
    case Style::kYellow:
      code = "33";
      break;
  }
  return fmt::format("\x1b[{}m{}\x1b[0m", code, text);
}

int64_t NowMs() {
  using std::chrono::steady_clock;
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             steady_clock::now().time_since_epoch())
      .count();
}

// Characters that a cell takes on a terminal: UTF-8 lead bytes, escape sequences left out.
size_t Width(std::string_view text) {
  size_t width = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\x1b') {
      i = std::min(text.find('m', i), text.size());
    } else if ((static_cast<unsigned char>(text[i]) & 0xC0) != 0x80) {
      ++width;
    }
  }
  return width;
}

}  // namespace

std::string StyledOut(Style style, std::string text) {
  static const bool colors = ColorsWanted() && StdoutIsTerminal();
  return Styled(colors, style, std::move(text));
}

std::string StyledErr(Style style, std::string text) {
  static const bool colors = ColorsWanted() && StderrIsTerminal();
  return Styled(colors, style, std::move(text));
}

std::string Printable(std::string_view text) {
  std::string result;
  result.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    // U+0080 … U+009F are control characters too; in UTF-8 they are C2 80 … C2 9F.
    const bool wide_control =
        byte == 0xC2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xA0;
    if (byte < 0x20 || byte == 0x7F || wide_control) {
      fmt::format_to(std::back_inserter(result), "\\x{:02x}", byte);
    } else {
      result += text[i];
    }
  }
  return result;
}

std::string FormatBytes(int64_t bytes) {
  constexpr const char* kUnits[] = {"kB", "MB", "GB", "TB", "PB", "EB"};
  if (bytes < 1000) return fmt::format("{} bytes", bytes);
  double value = static_cast<double>(bytes) / 1000;
  size_t unit = 0;
  while (value >= 999.95 && unit + 1 < std::size(kUnits)) {
    value /= 1000;
    ++unit;
  }
  return fmt::format("{:.1f} {}", value, kUnits[unit]);
}

std::string FormatCount(int64_t count) {
  std::string digits = std::to_string(count);
  for (auto place = static_cast<ptrdiff_t>(digits.size()) - 3; place > 0; place -= 3) {
    digits.insert(static_cast<size_t>(place), ",");
  }
  return digits;
}

std::string FormatSeconds(double seconds) {
  if (seconds < 1e-3) return fmt::format("{:.0f} µs", seconds * 1e6);
  if (seconds < 0.01) return fmt::format("{:.1f} ms", seconds * 1e3);
  return fmt::format("{:.2f} s", seconds);
}

std::string FormatType(const std::string& dtype, const std::vector<int64_t>& shape) {
  std::string text = Printable(dtype) + "[";
  for (size_t i = 0; i < shape.size(); ++i) {
    if (i > 0) text += ", ";
    text += shape[i] < 0 ? "?" : std::to_string(shape[i]);
  }
  return text + "]";
}

std::string Plural(int64_t count, std::string_view noun) {
  return fmt::format("{} {}{}", FormatCount(count), noun, count == 1 ? "" : "s");
}

std::string Table(const std::vector<std::vector<std::string>>& rows, std::string_view indent,
                  const std::vector<size_t>& right) {
  std::vector<size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], Width(row[i]));
  }
  std::string text;
  for (const auto& row : rows) {
    std::string line(indent);
    for (size_t i = 0; i < row.size(); ++i) {
      if (i > 0) line += "  ";
      const std::string padding(widths[i] - Width(row[i]), ' ');
      const bool to_right = std::find(right.begin(), right.end(), i) != right.end();
      line += to_right ? padding + row[i] : row[i] + padding;
    }
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + "\n";
  }
  return text;
}

void PrintOut(std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
}
void PrintErr(std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stderr);
}

void PrintError(const Error& error) {
  for (const Diagnostic& diagnostic : error.diagnostics()) {
    std::string text;
    if (const std::string where = diagnostic.Where(); !where.empty()) {
      text += StyledErr(Style::kBold, Printable(where)) + ": ";
    }
    if (!diagnostic.code.empty()) text += StyledErr(Style::kRed, diagnostic.code) + ": ";
    text += Printable(diagnostic.message) + "\n";
    if (!diagnostic.hint.empty()) {
      text += "  " + StyledErr(Style::kGreen, "help") + ": " + Printable(diagnostic.hint) + "\n";
    }
    PrintErr(text);
  }
  if (error.diagnostics().size() > 1) {
    PrintErr(fmt::format("{} problems\n", error.diagnostics().size()));
  }
}

Progress::Progress(bool enabled) : enabled_(enabled && StderrIsTerminal()), started_ms_(NowMs()) {}

void Progress::Update(int64_t done, int64_t total) {
  if (total <= 0) return;
  const double part = std::clamp(static_cast<double>(done) / static_cast<double>(total), 0.0, 1.0);
  Show(
      fmt::format("writing {:3.0f}%  {} of {}", part * 100, FormatBytes(done), FormatBytes(total)));
}

void Progress::Update(std::string_view work, int64_t done, int64_t total) {
  Show(fmt::format("{} {} of {}", work, FormatCount(done), FormatCount(total)));
}

void Progress::Show(const std::string& text) {
  if (!enabled_) return;
  const int64_t now = NowMs();
  if (now - started_ms_ < 500 || now - last_ms_ < 100) return;
  last_ms_ = now;
  shown_ = true;
  PrintErr("\r\x1b[K" + text);
  std::fflush(stderr);
}

void Progress::Finish() {
  if (shown_) PrintErr("\r\x1b[K");
  shown_ = false;
}

}  // namespace keras_litert::cli
