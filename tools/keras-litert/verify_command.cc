#include <fmt/format.h>

#include "commands.h"
#include "json_report.h"
#include "keras_litert/verify.h"
#include "terminal.h"

namespace keras_litert::cli {

// PASS  model.tflite  largest error 1.3e-07 of the output's range, 1e-04 allowed
//   output                     largest error  of the range
//   output_0  float32[32, 10]        1.2e-07       1.3e-07  ok
Result<ExitCode> RunVerify(const VerifyArguments& arguments, bool json) {
  VerifyOptions options;
  options.tolerance = arguments.tolerance;
  options.runtime = arguments.runtime;
  KL_ASSIGN_OR_RETURN(const VerifyReport report,
                      Verify(arguments.model, arguments.inputs, arguments.expected, options));
  const ExitCode exit_code = report.passed ? ExitCode::kOk : ExitCode::kModel;
  if (json) {
    Json object = {{"model", arguments.model}};
    object.update(ToJson(report));
    PrintJson(object);
    return exit_code;
  }
  if (arguments.quiet && report.passed) return exit_code;
  std::string text =
      report.passed ? StyledOut(Style::kGreen, "PASS") : StyledOut(Style::kRed, "FAIL");
  text += fmt::format("  {}  tolerance {:.0e} of each output's range, {}\n",
                      Printable(arguments.model), report.tolerance, FormatSeconds(report.seconds));
  std::vector<std::vector<std::string>> rows = {{"output", "", "largest error", "of the range"}};
  for (const OutputComparison& output : report.outputs) {
    rows.push_back({Printable(output.name), FormatType(output.dtype, output.shape),
                    fmt::format("{:.1e}", output.max_absolute_error),
                    fmt::format("{:.1e}", output.max_relative_error),
                    output.passed ? StyledOut(Style::kGreen, "ok")
                                  : StyledOut(Style::kRed, Printable(output.reason))});
  }
  PrintOut(text + Table(rows, "  ", {2, 3}));
  return exit_code;
}

}  // namespace keras_litert::cli
