// How the tool speaks: text for people on standard output and standard error.
//
// Names come from untrusted files: everything printed goes through Printable(), so that no file can
// send control sequences to a terminal. Colors appear on terminals only, and never where NO_COLOR
// is set or TERM is "dumb".
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "keras_litert/report.h"
#include "keras_litert/result.h"

namespace keras_litert::cli {

enum class Style { kBold, kDim, kRed, kGreen, kYellow };

// Wraps `text` in the style if that stream shows colors.
std::string StyledOut(Style style, std::string text);
std::string StyledErr(Style style, std::string text);

// `text` with control characters written as \xNN.
std::string Printable(std::string_view text);

// "14.0 MB"; decimal units, as file managers and `ls -lh --si` count.
std::string FormatBytes(int64_t bytes);
// "1,234,567".
std::string FormatCount(int64_t count);
// "0.08 s", "1.2 ms".
std::string FormatSeconds(double seconds);
// "float32[?, 224, 224, 3]".
std::string FormatType(const std::string& dtype, const std::vector<int64_t>& shape);
// "1 layer", "3 layers".
std::string Plural(int64_t count, std::string_view noun);

// Lines of cells with columns padded to equal width, each line after `indent`. Columns named in
// `right` are aligned right. Widths count UTF-8 characters.
std::string Table(const std::vector<std::vector<std::string>>& rows, std::string_view indent,
                  const std::vector<size_t>& right = {});

void PrintOut(std::string_view text);
void PrintErr(std::string_view text);

// Prints each diagnostic as `path: code: message` with its help below.
void PrintError(const Error& error);

// Shows how far long work is, on one line of standard error that Finish() erases. Silent unless
// standard error is a terminal and the work lasts longer than half a second.
class Progress {
 public:
  explicit Progress(bool enabled);
  ~Progress() { Finish(); }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // Bytes that are written.
  void Update(int64_t done, int64_t total);
  // Steps of other work: "calibrating: batch 3 of 16".
  void Update(std::string_view work, int64_t done, int64_t total);
  void Finish();

 private:
  void Show(const std::string& text);

  bool enabled_;
  bool shown_ = false;
  int64_t started_ms_;
  int64_t last_ms_ = 0;
};

}  // namespace keras_litert::cli
