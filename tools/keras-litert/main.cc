// keras-litert: the command line tool. See docs/cli.md.

#include <cstdio>
#include <exception>
#include <string_view>

#include "command_line.h"
#include "commands.h"
#include "exit_code.h"
#include "json_report.h"
#include "terminal.h"
#include "util/platform.h"

namespace keras_litert::cli {
namespace {

Result<ExitCode> Run(const Request& request) {
  switch (request.command) {
    case Request::Command::kText:
      PrintOut(request.text);
      return ExitCode::kOk;
    case Request::Command::kConvert:
      return RunConvert(request.convert, request.json);
    case Request::Command::kInspect:
      return RunInspect(request.inspect, request.json);
    case Request::Command::kVerify:
      return RunVerify(request.verify, request.json);
  }
  return ExitCode::kInternal;
}

ExitCode Report(const Error& error, bool json) {
  const ExitCode exit_code = ExitCodeFor(error);
  if (json) {
    PrintJson(ToJson(error, exit_code));
  } else {
    PrintError(error);
  }
  return exit_code;
}

ExitCode Main(int argc, const char* const* argv) {
  // A wrong command line that asks for JSON gets its errors as JSON, too.
  bool json = false;
  for (int i = 1; i < argc; ++i) json |= std::string_view(argv[i]) == "--json";
  try {
    const Result<Request> request = ParseCommandLine(argc, argv);
    if (!request) return Report(request.error(), json);
    const Result<ExitCode> exit_code = Run(*request);
    if (!exit_code) return Report(exit_code.error(), json);
    if (std::fflush(stdout) != 0) {
      return Report(Error(Diagnostic{"standard output", "file-8", "cannot be written",
                                     "Check for a full disk or a closed pipe."}),
                    false);
    }
    return *exit_code;
  } catch (const std::exception& exception) {
    return Report(
        Error(Diagnostic{"", "internal-1", exception.what(),
                         "This is a bug in keras-litert: please report it with the file."}),
        json);
  }
}

}  // namespace
}  // namespace keras_litert::cli

int main(int argc, char** argv) {
  keras_litert::RemoveOutputFilesOnInterrupt();
  return static_cast<int>(keras_litert::cli::Main(argc, argv));
}
