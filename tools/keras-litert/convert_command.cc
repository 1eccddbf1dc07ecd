#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <system_error>

#include "commands.h"
#include "json_report.h"
#include "keras_litert/convert.h"
#include "terminal.h"

namespace keras_litert::cli {
namespace {

std::string Signature(const char* label, const std::vector<TensorReport>& tensors) {
  std::vector<std::vector<std::string>> rows;
  for (const TensorReport& tensor : tensors) {
    rows.push_back({rows.empty() ? label : "", Printable(tensor.name),
                    FormatType(tensor.dtype, tensor.shape)});
  }
  return Table(rows, "  ");
}

bool SameRules(const std::vector<QuantizeRule>& a, const std::vector<QuantizeRule>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const QuantizeRule& x, const QuantizeRule& y) {
                      return x.layer == y.layer && x.op == y.op && x.recipe == y.recipe;
                    });
}

// "35 CONV_2D, 10 ADD, MEAN", at most two lines of it.
std::string Operators(const std::vector<OperatorCount>& operators) {
  constexpr size_t kShown = 12;
  std::string text;
  for (size_t i = 0; i < operators.size() && i < kShown; ++i) {
    if (i > 0) text += ", ";
    if (operators[i].count > 1) text += FormatCount(operators[i].count) + " ";
    text += Printable(operators[i].name);
  }
  if (operators.size() > kShown) {
    text += fmt::format(", {} more kinds", operators.size() - kShown);
  }
  return text;
}

//   weights  13.9 MB as float32, 3.6 MB now: 52 dynamic_wi8_afp32, float32; the noisiest …
std::string Quantized(const std::vector<QuantizedOperator>& operators) {
  if (operators.empty()) return "";
  std::vector<OperatorCount> recipes;
  int64_t before = 0;
  int64_t after = 0;
  const QuantizedOperator* worst = nullptr;
  for (const QuantizedOperator& op : operators) {
    before += op.bytes_before;
    after += op.bytes_after;
    auto found = std::find_if(recipes.begin(), recipes.end(),
                              [&](const OperatorCount& r) { return r.name == op.recipe; });
    if (found == recipes.end()) found = recipes.insert(found, {op.recipe, 0});
    ++found->count;
    if (op.recipe == "float32") continue;
    if (worst == nullptr || op.weights_sqnr < worst->weights_sqnr) worst = &op;
  }
  std::string text =
      fmt::format("  weights  {} as float32, {} now:", FormatBytes(before), FormatBytes(after));
  for (const OperatorCount& recipe : recipes) {
    text += fmt::format("{} {} {}", &recipe == recipes.data() ? "" : ",", FormatCount(recipe.count),
                        recipe.name);
  }
  if (worst != nullptr) {
    text += fmt::format("; the noisiest are those of {}, {:.1f} dB", Printable(worst->layer),
                        worst->weights_sqnr);
  }
  return text + "\n";
}

// The operators that stayed float although they were to compute in integers, and the noisiest:
//   float    conv3d/CONV_3D: LiteRT has no int8 kernel for it
//   error    output_0: 38.1 dB, at most 0.012 (1.2 % of its range)
//   noisiest dense_1 FULLY_CONNECTED 31.0 dB, conv2d CONV_2D 33.4 dB
std::string Measured(const ConvertReport& report) {
  constexpr size_t kShown = 5;
  std::string text;
  size_t reasons = 0;
  for (const QuantizedOperator& op : report.quantized) {
    if (op.reason.empty() || op.recipe != "float32" || op.bytes_before > 0) continue;
    if (++reasons > kShown) continue;
    text += fmt::format("  float    {} {}: {}\n", Printable(op.layer), op.op, op.reason);
  }
  if (reasons > kShown) text += fmt::format("  float    and {} more\n", reasons - kShown);
  for (const OutputError& error : report.output_errors) {
    if (error.max_absolute == 0) {
      text += fmt::format("  error    {}: none\n", Printable(error.name));
      continue;
    }
    text += fmt::format("  error    {}: {:.1f} dB, at most {:.2g} ({:.2g} % of its range)\n",
                        Printable(error.name), error.sqnr, error.max_absolute,
                        100 * error.max_relative);
  }
  std::vector<const QuantizedOperator*> measured;
  for (const QuantizedOperator& op : report.quantized) {
    if (std::isfinite(op.output_sqnr)) measured.push_back(&op);
  }
  std::stable_sort(measured.begin(), measured.end(),
                   [](const auto* a, const auto* b) { return a->output_sqnr < b->output_sqnr; });
  if (measured.size() > kShown) measured.resize(kShown);
  for (const QuantizedOperator* op : measured) {
    text += fmt::format("{}{} {} {:.1f} dB", op == measured.front() ? "  noisiest " : ", ",
                        Printable(op->layer), op->op, op->output_sqnr);
  }
  return measured.empty() ? text : text + "\n";
}

// What a search tried, and which of them it chose:
//   tried    float32                 204.0 kB  exact
//            dynamic_int8             67.7 kB  48.9 dB  differs by 0.036 of the range
//          > dynamic_int8, 2 float16  75.0 kB  61.0 dB  differs by 0.009 of the range
std::string Tried(const ConvertReport& report) {
  std::vector<std::vector<std::string>> rows;
  for (const Trial& trial : report.trials) {
    const bool chosen = trial.failure.empty() && trial.recipe == report.recipe &&
                        SameRules(trial.rules, report.rules);
    std::vector<std::string> row{rows.empty() ? "tried" : "", chosen ? ">" : "",
                                 Printable(trial.name)};
    if (!trial.failure.empty()) {
      row.push_back("fails: " + Printable(trial.failure));
    } else {
      row.push_back(FormatBytes(trial.file_bytes));
      row.push_back(std::isfinite(trial.sqnr) ? fmt::format("{:.1f} dB", trial.sqnr) : "exact");
      row.push_back(fmt::format("differs by {:.2g} of the range", trial.max_relative));
    }
    rows.push_back(std::move(row));
  }
  return Table(rows, "  ", {3, 4});
}

//   advice   keep block_3/dense in float16: +6.1 dB for +40.0 kB
//            store head in dynamic_int8: -120.0 kB for -0.2 dB
std::string Advised(const std::vector<Advice>& advice) {
  std::string text;
  for (const Advice& one : advice) {
    const std::string bytes =
        fmt::format("{}{}", one.bytes < 0 ? "-" : "+", FormatBytes(std::abs(one.bytes)));
    const std::string gain = std::isfinite(one.gain)   ? fmt::format("{:+.1f} dB", one.gain)
                             : std::isfinite(one.sqnr) ? fmt::format("{:.1f} dB then", one.sqnr)
                                                       : "exact then";
    const bool smaller = one.bytes < 0 && !(one.gain > 0);
    text += fmt::format("  {:<9}{} {} in {}: {} for {}\n", text.empty() ? "advice" : "",
                        smaller ? "store" : "keep",
                        Printable(one.layer) + (one.op.empty() ? "" : "@" + one.op), one.recipe,
                        smaller ? bytes : gain, smaller ? gain : bytes);
  }
  return text;
}

// model.tflite  14.0 MB, 65 operators, 0.08 s, 52.1 MB of memory
//   inputs   image     float32[?, 224, 224, 3]
//   outputs  output_0  float32[?, 1000]
//   runs     35 CONV_2D, 17 DEPTHWISE_CONV_2D, 10 ADD, MEAN, FULLY_CONNECTED, SOFTMAX
std::string Summary(const std::string& output, const ConvertReport& report) {
  int64_t operators = 0;
  for (const OperatorCount& entry : report.operators) operators += entry.count;
  std::string text = fmt::format("{}  {}, {}, {}", StyledOut(Style::kBold, Printable(output)),
                                 FormatBytes(report.file_bytes), Plural(operators, "operator"),
                                 FormatSeconds(report.seconds));
  if (report.peak_memory_bytes > 0) {
    text += ", " + FormatBytes(report.peak_memory_bytes) + " of memory";
  }
  text += "\n" + Signature("inputs ", report.inputs) + Signature("outputs", report.outputs);
  if (!report.operators.empty()) text += "  runs     " + Operators(report.operators) + "\n";
  text += Tried(report) + Quantized(report.quantized) + Measured(report) + Advised(report.advice);
  for (const std::string& note : report.notes) {
    text += "  " + StyledOut(Style::kYellow, "note") + "     " + Printable(note) + "\n";
  }
  return text;
}

}  // namespace

Result<ExitCode> RunConvert(const ConvertArguments& arguments, bool json) {
  ConvertOptions options;
  options.static_batch = arguments.static_batch;
  for (const std::string& text : arguments.shapes) {
    KL_RETURN_IF_ERROR(ParseShape(text, options.shapes));
  }

  KL_ASSIGN_OR_RETURN(options.quantize, ReadQuantizeOptions(arguments.quantize));

  options.report = arguments.quantize.report;
  options.save_recipe = arguments.quantize.save_recipe;
  options.dump_after = arguments.dump_after;
  const std::filesystem::path folder = arguments.dump_dir;
  std::optional<Diagnostic> dump_problem;
  if (!folder.empty()) {
    std::error_code error;
    std::filesystem::create_directories(folder, error);
    if (error) {
      return Fail(folder.string(), "file-7", "the folder cannot be made: " + error.message(),
                  "Name another folder with --dump-dir.");
    }
  }
  options.dump = [&](const std::string& pass, const std::string& text) {
    if (folder.empty()) {
      PrintErr("; after " + pass + "\n" + text);
      return;
    }
    const std::filesystem::path file = folder / (pass + ".txt");
    std::ofstream stream(file, std::ios::binary);
    stream << text;
    if (!stream.flush()) {
      dump_problem = {file.string(), "file-7", "the graph cannot be written",
                      "Check the folder's permissions and free space."};
    }
  };

  Progress progress(!arguments.quiet && !json);
  options.progress = [&](int64_t done, int64_t total) { progress.Update(done, total); };
  options.quantize.search.progress = [&](size_t done, size_t total) {
    progress.Update("searching a recipe: run", static_cast<int64_t>(done),
                    static_cast<int64_t>(total));
  };
  options.quantize.calibrate.progress = [&](size_t done, size_t total) {
    progress.Update("calibrating: batch", static_cast<int64_t>(done), static_cast<int64_t>(total));
  };
  auto report = Convert(arguments.model, arguments.output, options);
  progress.Finish();
  if (!report) return std::unexpected(std::move(report).error());
  if (dump_problem) return std::unexpected(Error(*dump_problem));

  if (json) {
    Json object = {{"model", arguments.model}, {"output", arguments.output}};
    object.update(ToJson(*report));
    PrintJson(object);
  } else if (!arguments.quiet) {
    PrintOut(Summary(arguments.output, *report));
  }
  return ExitCode::kOk;
}

}  // namespace keras_litert::cli
