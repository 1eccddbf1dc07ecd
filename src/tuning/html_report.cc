// A conversion's report as one HTML file: styles and plots are in it, nothing is loaded, no script
// runs. Every number stands in full in a data-value attribute beside its rounded form. Colors
// follow the reader's light or dark scheme; plots repeat what the tables say, for eyes only.
#include "tuning/html_report.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <string>
#include <string_view>
#include <vector>

namespace keras_litert {
namespace {

constexpr std::string_view kStyle = R"css(
:root{color-scheme:light dark;--bg:#fff;--fg:#1b1f24;--dim:#59636e;--line:#d1d9e0;--a:#0969da;
--b:#bf8700;--row:#f6f8fa}
@media(prefers-color-scheme:dark){:root{--bg:#0d1117;--fg:#e6edf3;--dim:#9198a1;--line:#3d444d;
--a:#4493f8;--b:#d29922;--row:#151b23}}
body{background:var(--bg);color:var(--fg);font:16px/1.5 system-ui,sans-serif;max-width:70rem;
margin:2rem auto;padding:0 1rem}
h1{font-size:1.6rem}h2{font-size:1.2rem;margin-top:2.5rem}
p,caption{color:var(--dim)}caption{text-align:left;padding-bottom:.5rem}
.wide{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
th,td{padding:.25rem .6rem;border-bottom:1px solid var(--line);text-align:left;vertical-align:top}
th{font-weight:600}th[scope=row]{font-weight:400;overflow-wrap:anywhere}
td[data-value]{text-align:right;white-space:nowrap}
tbody tr:nth-child(odd){background:var(--row)}
tr.chosen{font-weight:600}
svg{display:block;width:100%;height:auto}
svg text{fill:var(--fg);font-size:12px}svg text.n{fill:var(--dim)}
svg .a{fill:var(--a)}svg .b{fill:var(--b)}
)css";

// Of a UTF-8 character, by its first byte; 0: it is none.
size_t LengthOf(unsigned char byte) {
  if (byte < 0x80) return 1;
  if (byte < 0xC2) return 0;
  if (byte < 0xE0) return 2;
  if (byte < 0xF0) return 3;
  return byte < 0xF5 ? 4 : 0;
}

// Text for HTML's content and attributes: markup escaped; control characters and what is no UTF-8
// become U+FFFD.
std::string Escaped(std::string_view text) {
  constexpr std::string_view kReplacement = "\xEF\xBF\xBD";
  std::string result;
  for (size_t i = 0; i < text.size();) {
    const auto byte = static_cast<unsigned char>(text[i]);
    const size_t length = LengthOf(byte);
    bool valid = length > 0 && i + length <= text.size();
    for (size_t j = 1; valid && j < length; ++j) {
      valid = (static_cast<unsigned char>(text[i + j]) & 0xC0) == 0x80;
    }
    if (valid && length > 1) {
      // Overlong forms, surrogates, what lies beyond Unicode, and C1 controls.
      const auto second = static_cast<unsigned char>(text[i + 1]);
      valid = !(byte == 0xE0 && second < 0xA0) && !(byte == 0xED && second >= 0xA0) &&
              !(byte == 0xF0 && second < 0x90) && !(byte == 0xF4 && second >= 0x90) &&
              !(byte == 0xC2 && second < 0xA0);
    }
    if (!valid || byte < 0x20 || byte == 0x7F) {
      result += kReplacement;
      i += 1;
      continue;
    }
    switch (text[i]) {
      case '&':
        result += "&amp;";
        break;
      case '<':
        result += "&lt;";
        break;
      case '>':
        result += "&gt;";
        break;
      case '"':
        result += "&quot;";
        break;
      case '\'':
        result += "&#39;";
        break;
      default:
        result += text.substr(i, length);
    }
    i += length;
  }
  return result;
}

std::string Bytes(int64_t bytes) {
  const auto value = static_cast<double>(bytes);
  if (std::abs(value) < 1e3) return fmt::format("{} bytes", bytes);
  if (std::abs(value) < 1e6) return fmt::format("{:.1f} kB", value / 1e3);
  if (std::abs(value) < 1e9) return fmt::format("{:.1f} MB", value / 1e6);
  return fmt::format("{:.2f} GB", value / 1e9);
}

std::string BytesCell(int64_t bytes) {
  return fmt::format("<td data-value=\"{}\">{}</td>", bytes, Bytes(bytes));
}

// An infinite or unknown number has no value: `without` stands for it.
std::string Cell(double value, const std::string& text, std::string_view without) {
  if (!std::isfinite(value)) return fmt::format("<td data-value=\"\">{}</td>", without);
  return fmt::format("<td data-value=\"{}\">{}</td>", value, text);
}

std::string DecibelCell(double value) {
  return Cell(value, fmt::format("{:.1f} dB", value), std::isnan(value) ? "–" : "exact");
}

std::string NumberCell(double value) {
  return Cell(value, fmt::format("{:.2g}", value), "–");
}

std::string TextCell(std::string_view text) {
  return fmt::format("<td>{}</td>", Escaped(text));
}

std::string RowHead(std::string_view text) {
  return fmt::format("<th scope=\"row\">{}</th>", Escaped(text));
}

std::string TableOf(std::string_view id, std::string_view caption,
                    const std::vector<std::string_view>& heads,
                    const std::vector<std::string>& rows) {
  std::string html = fmt::format(
      "<div class=\"wide\"><table id=\"{}\"><caption>{}</caption><thead><tr>", id, caption);
  for (const std::string_view head : heads) {
    html += fmt::format("<th scope=\"col\">{}</th>", head);
  }
  html += "</tr></thead><tbody>\n";
  for (const std::string& row : rows) html += row + "\n";
  return html + "</tbody></table></div>\n";
}

// One bar of a plot, or two above each other.
struct Bar {
  std::string name;
  double value = 0;
  std::string text;
  double second = -1;  // negative: none
  std::string second_text = {};
};

// Horizontal bars from 0, each with its name and number.
std::string Plot(std::string_view id, std::string_view label, const std::vector<Bar>& bars) {
  constexpr int kLeft = 260;
  constexpr int kWidth = 560;
  constexpr int kHeight = 12;
  double most = 0;
  int height = 4;
  for (const Bar& bar : bars) {
    most = std::max({most, bar.value, bar.second});
    height += (bar.second >= 0 ? 2 : 1) * kHeight + 8;
  }
  const auto width = [&](double value) {
    return most > 0 ? std::max(0.0, value) / most * kWidth : 0.0;
  };
  std::string svg =
      fmt::format("<svg id=\"{}\" role=\"img\" aria-label=\"{}\" viewBox=\"0 0 {} {}\">\n", id,
                  Escaped(label), kLeft + kWidth + 90, height);
  int y = 4;
  for (const Bar& bar : bars) {
    constexpr size_t kShown = 36;
    // Names are cut between characters, not within one.
    size_t cut = std::min(kShown, bar.name.size());
    while (cut < bar.name.size() && cut > 0 &&
           (static_cast<unsigned char>(bar.name[cut]) & 0xC0) == 0x80) {
      --cut;
    }
    const std::string shown = bar.name.size() > cut ? bar.name.substr(0, cut) + "…" : bar.name;
    svg += fmt::format("<g><title>{}: {}{}</title>", Escaped(bar.name), bar.text,
                       bar.second >= 0 ? " → " + bar.second_text : "");
    svg += fmt::format("<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text>", kLeft - 8,
                       y + kHeight - 2, Escaped(shown));
    const auto draw = [&](double value, const std::string& text, char kind) {
      svg += fmt::format(
          "<rect class=\"{}\" x=\"{}\" y=\"{}\" width=\"{:.1f}\" height=\"{}\"/>"
          "<text class=\"n\" x=\"{:.1f}\" y=\"{}\">{}</text>",
          kind, kLeft, y, width(value), kHeight - 1, kLeft + width(value) + 6, y + kHeight - 2,
          text);
      y += kHeight;
    };
    draw(bar.value, bar.text, 'a');
    if (bar.second >= 0) draw(bar.second, bar.second_text, 'b');
    svg += "</g>\n";
    y += 8;
  }
  return svg + "</svg>\n";
}

std::string NameOf(const QuantizedOperator& op) {
  return (op.layer.empty() ? "" : op.layer + " ") + op.op;
}

std::string Summary(const ConvertReport& report) {
  int64_t before = 0;
  int64_t after = 0;
  for (const QuantizedOperator& op : report.quantized) {
    before += op.bytes_before;
    after += op.bytes_after;
  }
  std::vector<std::string> rows;
  rows.push_back("<tr>" + RowHead("file") + BytesCell(report.file_bytes) + "</tr>");
  rows.push_back("<tr>" + RowHead("weights as float32") + BytesCell(before) + "</tr>");
  rows.push_back("<tr>" + RowHead("weights now") + BytesCell(after) + "</tr>");
  rows.push_back("<tr>" + RowHead("recipe") +
                 TextCell(report.recipe.empty() ? std::string(kFloatRecipe) : report.recipe) +
                 "</tr>");
  for (const QuantizeRule& rule : report.rules) {
    const std::string where = rule.op.empty() ? rule.layer : rule.layer + "@" + rule.op;
    rows.push_back("<tr>" + RowHead("rule " + where) + TextCell(rule.recipe) + "</tr>");
  }
  return TableOf("summary", "The file, and what its layers were given", {"what", "value"}, rows);
}

std::string Outputs(const ConvertReport& report) {
  if (report.output_errors.empty()) {
    return "<p>No samples were given, so nothing was measured in the running model.</p>\n";
  }
  std::vector<std::string> rows;
  std::vector<Bar> bars;
  for (const OutputError& error : report.output_errors) {
    rows.push_back("<tr>" + RowHead(error.name) + DecibelCell(error.sqnr) +
                   NumberCell(error.max_absolute) + NumberCell(error.max_relative) + "</tr>");
    bars.push_back(
        {error.name, error.max_relative, fmt::format("{:.2g} of the range", error.max_relative)});
  }
  return "<h2>Error of the outputs</h2>\n" +
         TableOf("outputs", "Against the float model, on the samples in LiteRT",
                 {"output", "SQNR", "largest difference", "as a fraction of the range"}, rows) +
         Plot("plot-outputs", "Largest difference of each output, as a fraction of its range",
              bars);
}

std::string AdviceOf(const ConvertReport& report) {
  if (report.advice.empty()) return "";
  std::vector<std::string> rows;
  for (const Advice& one : report.advice) {
    const std::string where = one.op.empty() ? one.layer : one.layer + " " + one.op;
    rows.push_back("<tr>" + RowHead(where) + TextCell(one.from) + TextCell(one.recipe) +
                   Cell(one.gain, fmt::format("{:+.1f} dB", one.gain), "–") +
                   DecibelCell(one.sqnr) +
                   fmt::format("<td data-value=\"{}\">{}{}</td>", one.bytes,
                               one.bytes > 0 ? "+" : "", Bytes(one.bytes)) +
                   "</tr>");
  }
  return "<h2>What to change next</h2>\n" +
         TableOf("advice", "Each change alone, tried and measured; the costliest layers first",
                 {"layer", "now", "give it", "gain", "output then", "file"}, rows);
}

std::string Trials(const ConvertReport& report) {
  if (report.trials.empty()) return "";
  std::vector<std::string> rows;
  std::vector<Bar> bars;
  for (const Trial& trial : report.trials) {
    if (!trial.failure.empty()) {
      rows.push_back("<tr>" + RowHead(trial.name) + TextCell("fails: " + trial.failure) +
                     "<td></td><td></td><td>no</td></tr>");
      continue;
    }
    const bool chosen = trial.fits && trial.file_bytes == report.file_bytes &&
                        trial.recipe == report.recipe && trial.rules.size() == report.rules.size();
    rows.push_back(fmt::format("<tr{}>", chosen ? " class=\"chosen\"" : "") + RowHead(trial.name) +
                   BytesCell(trial.file_bytes) + DecibelCell(trial.sqnr) +
                   NumberCell(trial.max_relative) + (trial.fits ? "<td>yes</td>" : "<td>no</td>") +
                   "</tr>");
    bars.push_back({trial.name, static_cast<double>(trial.file_bytes), Bytes(trial.file_bytes)});
  }
  return "<h2>What the search tried</h2>\n" +
         TableOf("trials", "In order; what was chosen is bold",
                 {"recipe", "file", "SQNR", "largest difference", "in the budget"}, rows) +
         Plot("plot-trials", "Size of each file that was tried", bars);
}

// The noise that tells what an operator costs: of its result where that was measured, else of its
// weights. Infinite for what is exact.
double RatioOf(const QuantizedOperator& op) {
  if (!std::isnan(op.output_sqnr)) return op.output_sqnr;
  return op.recipe != kFloatRecipe ? op.weights_sqnr : HUGE_VAL;
}

// Places in the report, those that cost most accuracy first.
std::vector<size_t> ByCost(const ConvertReport& report) {
  std::vector<size_t> order(report.quantized.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return RatioOf(report.quantized[a]) < RatioOf(report.quantized[b]);
  });
  return order;
}

std::string Layers(const ConvertReport& report) {
  if (report.quantized.empty()) return "";
  std::vector<std::string> rows;
  std::vector<Bar> noise;
  std::vector<Bar> sizes;
  for (const size_t place : ByCost(report)) {
    const QuantizedOperator& op = report.quantized[place];
    const bool noisy = op.recipe != kFloatRecipe;
    const double weights = noisy ? op.weights_sqnr : HUGE_VAL;
    rows.push_back("<tr>" + RowHead(op.layer) + TextCell(op.op) +
                   TextCell(std::to_string(place + 1)) + TextCell(op.recipe) +
                   BytesCell(op.bytes_before) + BytesCell(op.bytes_after) + DecibelCell(weights) +
                   DecibelCell(op.output_sqnr) + TextCell(op.reason) + "</tr>");
    if (std::isfinite(op.output_sqnr)) {
      noise.push_back({NameOf(op), op.output_sqnr, fmt::format("{:.1f} dB", op.output_sqnr)});
    } else if (report.output_errors.empty() && std::isfinite(weights)) {
      noise.push_back({NameOf(op), weights, fmt::format("{:.1f} dB", weights)});
    }
    if (op.bytes_before > 0) {
      sizes.push_back({NameOf(op), static_cast<double>(op.bytes_before), Bytes(op.bytes_before),
                       static_cast<double>(op.bytes_after), Bytes(op.bytes_after)});
    }
  }
  std::string html = "<h2>Layers</h2>\n";
  if (!noise.empty()) {
    const bool measured = !report.output_errors.empty();
    html += fmt::format("<h3>Signal-to-quantization-noise ratio{}</h3>\n",
                        measured ? " of results, in the running model" : " of weights");
    html += Plot("plot-sqnr", "Signal-to-quantization-noise ratio of each operator", noise);
  }
  if (!sizes.empty()) {
    html += "<h3>Weights, as float32 and now</h3>\n";
    html += Plot("plot-sizes", "Bytes of the weights of each operator, before and after", sizes);
  }
  return html + TableOf("layers",
                        "Operators with weights or integers, those that cost most accuracy first, "
                        "numbered as they run; noise of results includes that of the operators "
                        "before",
                        {"layer", "operator", "runs as", "recipe", "before", "after",
                         "weights' SQNR", "result's SQNR", "why not as asked"},
                        rows);
}

}  // namespace

std::string HtmlReport(const ConvertReport& report) {
  const std::string name = Escaped(report.model_name.empty() ? "model" : report.model_name);
  std::string html = fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\">"
      "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">"
      "<title>{0}: quantization</title><style>{1}</style></head>\n<body><main>\n"
      "<h1>{0}: quantization</h1>\n",
      name, kStyle);
  html += Summary(report) + Outputs(report) + AdviceOf(report) + Trials(report) + Layers(report);
  return html + "</main></body></html>\n";
}

}  // namespace keras_litert
