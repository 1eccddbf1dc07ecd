#include "command_line.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <cmath>
#include <string_view>
#include <system_error>

#include "help.h"
#include "keras_litert/convert.h"
#include "util/near_match.h"

namespace keras_litert::cli {
namespace {

namespace fs = std::filesystem;

constexpr const char* kExitCodes = R"(Exit codes:
  0  done
  1  the model cannot be converted, or verification failed
  2  the command line is wrong, or samples that it names do not fit the model
  3  a file cannot be read or written, or is damaged
  4  the LiteRT runtime is missing or failed
  5  a bug in keras-litert)";

constexpr const char* kExamples = R"(Examples:
  keras-litert convert model.keras                      # writes model.tflite
  keras-litert convert model.h5 -o out/model.tflite
  keras-litert inspect model.tflite
  keras-litert verify model.tflite --inputs x.npz --expected y.npz

`keras-litert COMMAND --help` tells more of a command.
)";

constexpr const char* kConvertExamples = R"(Examples:
  keras-litert convert model.keras
  keras-litert convert model.keras -o out/model.tflite --static-batch 1
  keras-litert convert text.keras --shape tokens=?,128 --shape mask=?,128
  keras-litert convert model.keras --quantize dynamic_int8
  keras-litert convert model.keras --quantize int8 --calibrate samples.npz
  keras-litert convert model.keras --quantize auto --min-sqnr 45 --calibrate samples.npz
  keras-litert convert model.keras --json | jq .file_bytes
)";

constexpr const char* kInspectExamples = R"(Examples:
  keras-litert inspect model.keras
  keras-litert inspect model.tflite --top 0
  keras-litert inspect model.tflite --json | jq .operators
)";

constexpr const char* kVerifyExamples = R"(An .npz file holds named arrays; in Python:
  np.savez("x.npz", image=image); np.savez("y.npz", output_0=model.predict(image))

Examples:
  keras-litert verify model.tflite --inputs x.npz --expected y.npz
  keras-litert verify model.tflite --inputs x.npz --expected y.npz --tolerance 1e-5 --json
)";

constexpr const char* kCompletionExamples = R"(Examples:
  source <(keras-litert completion bash)      # for this shell
  keras-litert completion zsh > ~/.zfunc/_keras-litert
  keras-litert completion fish > ~/.config/fish/completions/keras-litert.fish
)";

std::string Footer(const char* examples) {
  return std::string(examples) + "\n" + kExitCodes;
}

// Everything the command line may say. CLI11 keeps the declarations and reads well-formed lines;
// what is wrong with a line is found and worded here, so that every message has a hint.
struct Declaration {
  CLI::App app{
      "Converts saved Keras models (.keras, .h5) into LiteRT files (.tflite). Needs no Python.",
      "keras-litert"};
  CLI::App* convert = nullptr;
  CLI::App* inspect = nullptr;
  CLI::App* verify = nullptr;
  CLI::App* completion = nullptr;

  Request request;
  std::string static_batch;
  std::string top;
  std::string tolerance;
  std::string shell;
  bool version = false;

  Declaration() {
    app.set_help_flag("-h,--help", "Show this help");
    app.add_flag("--version", version, "Show the version");
    app.footer(Footer(kExamples));

    convert = app.add_subcommand("convert", "Convert a saved Keras model into a LiteRT file.");
    ConvertArguments& c = request.convert;
    convert->add_option("MODEL", c.model, "The model: a .keras, .h5 or .hdf5 file")
        ->type_name("MODEL");
    convert
        ->add_option(
            "-o,--output", c.output,
            "Where to write; ends in .tflite. Default: beside the model, with that suffix. "
            "An existing file is replaced once the new one is complete")
        ->type_name("FILE");
    convert
        ->add_option("--static-batch", static_batch,
                     "Fix the unknown first dimension of every input to N")
        ->type_name("N");
    convert
        ->add_option("--shape", c.shapes,
                     "Fix an input's shape: NAME=1,224,224,3; -1 or ? keeps a dimension dynamic. "
                     "Once for each input")
        ->type_name("NAME=DIMS")
        ->allow_extra_args(false);
    convert
        ->add_option("--quantize", c.quantize.recipe,
                     fmt::format("Store weights in fewer bits: {}", fmt::join(RecipeNames(), ", ")))
        ->type_name("RECIPE");
    convert
        ->add_option("--quantize-rule", c.quantize.rules,
                     "Another recipe for some layers: 'encoder/*=float16', '@CONV_2D=float32' or "
                     "both, 'encoder/*@CONV_2D=float32'; may be repeated, the last match counts")
        ->type_name("LAYER=RECIPE")
        ->allow_extra_args(false);
    convert
        ->add_option("--quantize-file", c.quantize.file,
                     "A JSON file with a recipe and rules; what the command line says comes after")
        ->type_name("FILE");
    convert
        ->add_option(
            "--calibrate", c.quantize.samples,
            "Typical inputs, for int8 and int16x8: a NumPy file, .npz with an array for "
            "each input by name, or .npy, each row of the first axis a sample; or a folder of "
            ".png and .jpg images, see --image-scale")
        ->type_name("FILE");
    convert
        ->add_option("--image-size", c.quantize.image_size,
                     "Of a folder of images for --calibrate: what they are resized to; needed "
                     "where the model takes any size")
        ->type_name("HxW");
    convert
        ->add_option("--image-scale", c.quantize.image_scale,
                     "Of such a folder: what black and white become: 0:255, 0:1 or -1:1")
        ->type_name("LOW:HIGH");
    convert
        ->add_option("--calibrate-method", c.quantize.method,
                     fmt::format("How ranges follow from samples: {} (default {})",
                                 fmt::join(RangeMethodNames(), ", "), RangeMethodNames()[0]))
        ->type_name("METHOD");
    convert
        ->add_option("--input-type", c.quantize.input_type,
                     "Dtype of the file's float inputs, with int8 or int16x8: float32 (default), "
                     "int8, uint8 or int16")
        ->type_name("DTYPE");
    convert->add_option("--output-type", c.quantize.output_type, "As --input-type, of the outputs")
        ->type_name("DTYPE");
    convert
        ->add_option("--min-sqnr", c.quantize.min_sqnr,
                     "With `auto`: the smallest file whose outputs have this signal-to-noise ratio "
                     "against the float model's on the samples")
        ->type_name("DB");
    convert
        ->add_option(
            "--max-loss", c.quantize.max_loss,
            "With `auto`: the smallest file whose outputs differ from the float model's by "
            "at most this fraction of their range")
        ->type_name("X");
    convert
        ->add_option("--max-size", c.quantize.max_size,
                     "With `auto`: the file's limit, 250kB or 1.5MB; alone: the most accurate file "
                     "of this size")
        ->type_name("SIZE");
    convert
        ->add_option("--auto-recipe", c.quantize.auto_recipes,
                     fmt::format("With `auto`: a recipe that layers may get; may be repeated. "
                                 "Default: {}",
                                 fmt::join(AutoRecipes(), ", ")))
        ->type_name("RECIPE")
        ->allow_extra_args(false);
    convert
        ->add_option("--save-recipe", c.quantize.save_recipe,
                     "Write recipe and rules as a file for --quantize-file, which does the same")
        ->type_name("FILE");
    convert
        ->add_option("--report", c.quantize.report,
                     "Write what quantization did as a web page, one .html file: sizes, noise and "
                     "errors by layer with plots, and with samples what --advise tells")
        ->type_name("FILE");
    convert->add_flag("--advise", c.quantize.advise,
                      "Measure on the samples which layers to give another recipe, and what that "
                      "gains");
    convert
        ->add_option("--runtime", c.quantize.runtime,
                     "LiteRT's libLiteRt.so or its folder, which runs the samples")
        ->type_name("FILE");
    convert
        ->add_option(
            "--dump-after", c.dump_after,
            fmt::format("Print the graph after a pass, on standard error; may be repeated. "
                        "Passes, in order: {}",
                        fmt::join(DumpPoints(), ", ")))
        ->type_name("PASS")
        ->allow_extra_args(false);
    convert
        ->add_option("--dump-dir", c.dump_dir,
                     "Write the graphs of --dump-after to PASS.txt in this folder instead")
        ->type_name("DIR");
    convert->add_flag("-q,--quiet", c.quiet, "Print nothing but errors");
    convert->footer(Footer(kConvertExamples));

    inspect = app.add_subcommand("inspect", "Show what is in a .tflite, .keras or .h5 file.");
    inspect->add_option("FILE", request.inspect.file, "The file; its content tells what it is")
        ->type_name("FILE");
    inspect
        ->add_option("--top", top, "How many weights to list, largest first (default 10; 0: none)")
        ->type_name("N");
    inspect->footer(kInspectExamples);

    verify = app.add_subcommand(
        "verify", "Run a .tflite file in LiteRT and compare its outputs with recorded ones.");
    VerifyArguments& v = request.verify;
    verify->add_option("MODEL", v.model, "The .tflite file")->type_name("MODEL");
    verify->add_option("--inputs", v.inputs, "Arrays to run on, named as the inputs (.npz)")
        ->type_name("X.npz")
        ->group("Required");
    verify->add_option("--expected", v.expected, "The outputs' expected arrays (.npz)")
        ->type_name("Y.npz")
        ->group("Required");
    verify
        ->add_option("--tolerance", tolerance,
                     "The largest error that passes, relative to the range of the expected output "
                     "(default 1e-4)")
        ->type_name("T");
    verify
        ->add_option(
            "--runtime", v.runtime,
            "LiteRT's library, libLiteRt.so, or its folder. Default: $KERAS_LITERT_RUNTIME, "
            "else the one of the ai_edge_litert Python package")
        ->type_name("PATH");
    verify->add_flag("-q,--quiet", v.quiet, "Print nothing but errors");
    verify->footer(Footer(kVerifyExamples));

    completion = app.add_subcommand("completion", "Print the completion script of a shell.");
    completion->add_option("SHELL", shell, "bash, zsh or fish")->type_name("SHELL");
    completion->footer(kCompletionExamples);

    for (CLI::App* command : {convert, inspect, verify}) {
      command->add_flag("--json", request.json, "Print JSON on standard output, errors too");
    }
    for (CLI::App* command : {convert, inspect, verify, completion}) {
      command->set_help_flag("-h,--help", "Show this help");
    }
  }
};

std::unexpected<Error> UsageError(const std::string& command, std::string code, std::string message,
                                  std::string hint) {
  return Fail(command.empty() ? "keras-litert" : "keras-litert " + command, std::move(code),
              std::move(message), std::move(hint));
}

// "did you mean `x`?", or `otherwise`.
std::string DidYouMean(std::string_view word, const std::vector<std::string>& names,
                       std::string otherwise) {
  const std::vector<std::string_view> views(names.begin(), names.end());
  if (const auto near = NearMatch(word, views)) return "Did you mean `" + *near + "`?";
  return otherwise;
}

// The long names, without their dashes.
std::vector<std::string> OptionNames(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::Option* option : app.get_options()) {
    names.insert(names.end(), option->get_lnames().begin(), option->get_lnames().end());
  }
  return names;
}

Status UnknownOption(const CLI::App& app, const std::string& command, const std::string& word,
                     std::string otherwise) {
  std::string_view bare = word;
  bare.remove_prefix(std::min(bare.find_first_not_of('-'), bare.size()));
  const std::vector<std::string> names = OptionNames(app);
  const std::vector<std::string_view> views(names.begin(), names.end());
  const auto near = NearMatch(bare, views);
  return UsageError(command, "usage-1", "unknown option `" + word + "`",
                    near ? "Did you mean `--" + *near + "`?" : std::move(otherwise));
}

// Checks the options' names and that each has its value, which CLI11 would report less helpfully.
Status CheckOptions(const CLI::App& app, const std::vector<std::string>& words, size_t begin) {
  const std::string& command = app.get_parent() == nullptr ? "" : app.get_name();
  const std::string see =
      "See `keras-litert " + command + (command.empty() ? "" : " ") + "--help`.";
  for (size_t i = begin; i < words.size(); ++i) {
    const std::string& word = words[i];
    if (word == "--") return {};
    if (word.size() < 2 || word[0] != '-') continue;
    const bool is_long = word[1] == '-';
    const size_t equals = is_long ? word.find('=') : std::string::npos;
    const std::string name = is_long ? word.substr(0, equals) : word.substr(0, 2);
    const CLI::Option* found = nullptr;
    for (const CLI::Option* option : app.get_options()) {
      if (option->nonpositional() && option->check_name(name)) found = option;
    }
    // "-output" is a long option with a dash too few, not "-o utput".
    const std::vector<std::string> long_names = OptionNames(app);
    const bool lacks_dash =
        !is_long && std::find(long_names.begin(), long_names.end(),
                              word.substr(1, word.find('=') - 1)) != long_names.end();
    if (found == nullptr || (lacks_dash && word.size() > 2)) {
      return UnknownOption(app, command, word.substr(0, word.find('=')), see);
    }
    const bool takes_value = found->get_expected_max() > 0;
    const bool has_value = is_long ? equals != std::string::npos : word.size() > 2;
    if (!takes_value && has_value && is_long) {
      return UsageError(command, "usage-2", "option `" + name + "` takes no value", see);
    }
    if (!takes_value && has_value) {
      // A short flag with more behind it: "-qo" would read as two options.
      return UnknownOption(app, command, word, see);
    }
    if (!takes_value || has_value) continue;
    if (i + 1 >= words.size() || (words[i + 1].size() > 1 && words[i + 1].starts_with("--"))) {
      return UsageError(command, "usage-2", "option `" + name + "` needs a value",
                        "Write `" + name + " " + found->get_type_name() + "`.");
    }
    ++i;
  }
  return {};
}

Result<int64_t> ParseInteger(const std::string& command, const char* option,
                             const std::string& text, int64_t least) {
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < least) {
    return UsageError(command, "usage-3",
                      fmt::format("{} `{}` is no number of {} or more", option, text, least),
                      fmt::format("For example `{} {}`.", option, std::max<int64_t>(least, 1)));
  }
  return value;
}

Result<double> ParseTolerance(const std::string& text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value) ||
      value < 0) {
    return UsageError("verify", "usage-3", "--tolerance `" + text + "` is no number of 0 or more",
                      "For example `--tolerance 1e-4`.");
  }
  return value;
}

const CLI::App* FindCommand(const CLI::App& app, const std::string& name) {
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
    if (command->get_name() == name) return command;
  }
  return nullptr;
}

Status CheckConvert(ConvertArguments& arguments, const std::string& static_batch) {
  if (arguments.model.empty()) {
    return UsageError("convert", "usage-4", "which model?",
                      "For example `keras-litert convert model.keras`.");
  }
  const fs::path model(arguments.model);
  if (arguments.output.empty()) arguments.output = DefaultOutput(model).string();
  const fs::path output(arguments.output);
  std::error_code ignored;
  if (fs::is_directory(output, ignored)) {
    return UsageError(
        "convert", "usage-5", "the output `" + output.string() + "` is a folder",
        "Name the file: `-o " + (output / DefaultOutput(model).filename()).string() + "`.");
  }
  if (output.extension() != ".tflite") {
    fs::path better = output;
    better.replace_extension(".tflite");
    return UsageError("convert", "usage-5",
                      "the output `" + output.string() + "` does not end in .tflite",
                      "For example `-o " + better.string() + "`.");
  }
  if (fs::equivalent(model, output, ignored)) {
    return UsageError("convert", "usage-5",
                      "the output `" + output.string() + "` is the model itself",
                      "Name another file with -o.");
  }
  if (!static_batch.empty()) {
    KL_ASSIGN_OR_RETURN(arguments.static_batch,
                        ParseInteger("convert", "--static-batch", static_batch, 1));
  }
  std::map<std::string, std::vector<int64_t>> shapes;
  for (const std::string& text : arguments.shapes) KL_RETURN_IF_ERROR(ParseShape(text, shapes));
  const std::vector<std::string> points = DumpPoints();
  for (const std::string& pass : arguments.dump_after) {
    if (std::find(points.begin(), points.end(), pass) == points.end()) {
      return UsageError(
          "convert", "usage-6", "there is no pass `" + pass + "`",
          DidYouMean(pass, points, fmt::format("The passes are {}.", fmt::join(points, ", "))));
    }
  }
  if (!arguments.dump_dir.empty() && arguments.dump_after.empty()) {
    return UsageError("convert", "usage-6", "--dump-dir without --dump-after",
                      "Name a pass, too: `--dump-after " + points.back() + "`.");
  }
  return {};
}

Status CheckVerify(VerifyArguments& arguments, const std::string& tolerance) {
  constexpr const char* kLine =
      "For example `keras-litert verify model.tflite --inputs x.npz --expected y.npz`.";
  if (arguments.model.empty()) return UsageError("verify", "usage-4", "which .tflite file?", kLine);
  if (arguments.inputs.empty())
    return UsageError("verify", "usage-4", "--inputs is missing", kLine);
  if (arguments.expected.empty()) {
    return UsageError("verify", "usage-4", "--expected is missing", kLine);
  }
  if (!tolerance.empty()) {
    KL_ASSIGN_OR_RETURN(arguments.tolerance, ParseTolerance(tolerance));
  }
  return {};
}

bool LooksLikeModel(const std::string& word) {
  const std::string extension = fs::path(word).extension().string();
  return extension == ".keras" || extension == ".h5" || extension == ".hdf5" ||
         extension == ".tflite";
}

Result<Request> TextRequest(std::string text) {
  Request request;
  request.text = std::move(text);
  return request;
}

}  // namespace

std::vector<std::string> DumpPoints() {
  std::vector<std::string> points = PassNames();
  if (std::find(points.begin(), points.end(), "lower") == points.end()) {
    points.insert(points.begin(), "lower");
  }
  return points;
}

fs::path DefaultOutput(const fs::path& model) {
  fs::path output = model.has_filename() ? model : model.parent_path();
  const std::string extension = output.extension().string();
  if (extension == ".keras" || extension == ".h5" || extension == ".hdf5") {
    output.replace_extension(".tflite");
  } else {
    output += ".tflite";
  }
  return output;
}

Status ParseShape(const std::string& text, std::map<std::string, std::vector<int64_t>>& shapes) {
  constexpr const char* kForm =
      "Write `--shape NAME=1,224,224,3`, with -1 or ? for a dynamic dimension.";
  const size_t equals = text.rfind('=');
  if (equals == std::string::npos || equals == 0) {
    return UsageError("convert", "usage-7", "--shape `" + text + "` names no input", kForm);
  }
  const std::string name = text.substr(0, equals);
  std::vector<int64_t> sizes;
  std::string_view rest = std::string_view(text).substr(equals + 1);
  while (!rest.empty() || !sizes.empty()) {  // "NAME=" is a scalar
    const size_t comma = std::min(rest.find(','), rest.size());
    std::string_view word = rest.substr(0, comma);
    while (word.starts_with(' ')) word.remove_prefix(1);
    while (word.ends_with(' ')) word.remove_suffix(1);
    int64_t size = -1;
    if (word != "?") {
      const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), size);
      if (error != std::errc() || end != word.data() + word.size() || (size < 1 && size != -1)) {
        return UsageError("convert", "usage-7",
                          "--shape `" + text + "`: `" + std::string(word) + "` is no dimension",
                          kForm);
      }
    }
    sizes.push_back(size);
    if (comma == rest.size()) break;
    rest.remove_prefix(comma + 1);
  }
  if (!shapes.emplace(name, std::move(sizes)).second) {
    return UsageError("convert", "usage-7", "--shape names the input `" + name + "` twice",
                      "Give each input one shape.");
  }
  return {};
}

Result<Request> ParseCommandLine(int argc, const char* const* argv) {
  Declaration declaration;
  CLI::App& app = declaration.app;
  std::vector<std::string> words(argv + std::min(argc, 1), argv + argc);

  if (words.empty()) {
    return UsageError("", "usage-4", "which command?",
                      "For example `keras-litert convert model.keras`; see `keras-litert --help`.");
  }
  if (words[0] == "help") {  // `help convert` is `convert --help`
    words.erase(words.begin());
    words.push_back("--help");
  }

  const bool starts_with_option = words[0].starts_with('-');
  const CLI::App* command = &app;
  if (!starts_with_option) {
    command = FindCommand(app, words[0]);
    if (command == nullptr) {
      if (LooksLikeModel(words[0])) {
        const char* verb = words[0].ends_with(".tflite") ? "inspect" : "convert";
        return UsageError("", "usage-8", "a command is missing before `" + words[0] + "`",
                          fmt::format("Did you mean `keras-litert {} {}`?", verb, words[0]));
      }
      std::vector<std::string> names;
      for (const CLI::App* each : app.get_subcommands([](CLI::App*) { return true; })) {
        names.push_back(each->get_name());
      }
      return UsageError("", "usage-8", "unknown command `" + words[0] + "`",
                        DidYouMean(words[0], names, "See `keras-litert --help`."));
    }
  }
  // Options of a command that stand before it ("--json convert …") are unknown here; say where they
  // go.
  KL_RETURN_IF_ERROR(CheckOptions(*command, words, starts_with_option ? 0 : 1));
  if (std::any_of(words.begin(), std::find(words.begin(), words.end(), "--"),
                  [](const std::string& word) { return word == "-h" || word == "--help"; })) {
    return TextRequest(HelpText(*command));
  }

  const std::string command_name = command == &app ? "" : command->get_name();
  try {
    std::vector<std::string> reversed(words.rbegin(), words.rend());
    app.parse(reversed);
  } catch (const CLI::ExtrasError&) {
    const std::vector<std::string> extras = app.remaining(true);
    return UsageError(command_name, "usage-9",
                      "unexpected argument `" + (extras.empty() ? "" : extras.front()) + "`",
                      "See `keras-litert " + command_name + " --help`.");
  } catch (const CLI::ParseError& error) {
    return UsageError(command_name, "usage-9", error.what(),
                      "See `keras-litert " + command_name + " --help`.");
  }

  if (declaration.version) return TextRequest("keras-litert " KERAS_LITERT_VERSION "\n");
  Request& request = declaration.request;
  if (command == declaration.convert) {
    KL_RETURN_IF_ERROR(CheckConvert(request.convert, declaration.static_batch));
    request.command = Request::Command::kConvert;
  } else if (command == declaration.inspect) {
    if (request.inspect.file.empty()) {
      return UsageError("inspect", "usage-4", "which file?",
                        "For example `keras-litert inspect model.tflite`.");
    }
    if (!declaration.top.empty()) {
      KL_ASSIGN_OR_RETURN(request.inspect.top,
                          ParseInteger("inspect", "--top", declaration.top, 0));
    }
    request.command = Request::Command::kInspect;
  } else if (command == declaration.verify) {
    KL_RETURN_IF_ERROR(CheckVerify(request.verify, declaration.tolerance));
    request.command = Request::Command::kVerify;
  } else if (command == declaration.completion) {
    if (declaration.shell != "bash" && declaration.shell != "zsh" && declaration.shell != "fish") {
      const bool missing = declaration.shell.empty();
      return UsageError(
          "completion", missing ? "usage-4" : "usage-10",
          missing ? "which shell?" : "there is no completion for `" + declaration.shell + "`",
          DidYouMean(declaration.shell, {"bash", "zsh", "fish"},
                     "The shells are bash, zsh and fish."));
    }
    return TextRequest(CompletionScript(app, declaration.shell));
  }
  return std::move(request);
}

}  // namespace keras_litert::cli
