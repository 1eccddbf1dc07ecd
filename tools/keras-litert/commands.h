// The tool's commands: each does its work, prints its result and returns what was wrong.
#pragma once

#include "command_line.h"
#include "exit_code.h"
#include "keras_litert/result.h"

namespace keras_litert::cli {

// Each returns kOk, or the exit code of a result that is no error but no success either (outputs
// that differ).
Result<ExitCode> RunConvert(const ConvertArguments& arguments, bool json);
Result<ExitCode> RunInspect(const InspectArguments& arguments, bool json);
Result<ExitCode> RunVerify(const VerifyArguments& arguments, bool json);

}  // namespace keras_litert::cli
