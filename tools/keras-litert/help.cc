#include "help.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "command_line.h"

namespace keras_litert::cli {
namespace {

constexpr size_t kWidth = 96;

// Breaks `text` at blanks into lines of at most `width` characters; every line but the first is
// indented.
std::string Wrap(const std::string& text, size_t indent, size_t width = kWidth) {
  std::string result;
  size_t column = indent;
  size_t begin = 0;
  while (begin < text.size()) {
    const size_t end = std::min(text.find(' ', begin), text.size());
    const size_t length = end - begin;
    if (column > indent && column + 1 + length > width) {
      result += "\n" + std::string(indent, ' ');
      column = indent;
    } else if (column > indent) {
      result += ' ';
      ++column;
    }
    result += text.substr(begin, length);
    column += length;
    begin = end + 1;
  }
  return result;
}

// "-o, --output OUT"
std::string Spelling(const CLI::Option& option) {
  std::string text;
  for (const std::string& name : option.get_snames()) text += (text.empty() ? "-" : ", -") + name;
  if (text.empty()) text = "    ";
  for (const std::string& name : option.get_lnames()) {
    text += (text.back() == ' ' ? "--" : ", --") + name;
  }
  if (option.get_expected_max() > 0) text += " " + option.get_type_name();
  return text;
}

std::string Entries(const std::vector<std::pair<std::string, std::string>>& entries) {
  size_t widest = 0;
  for (const auto& [name, description] : entries) widest = std::max(widest, name.size());
  std::string text;
  for (const auto& [name, description] : entries) {
    text += "  " + name + std::string(widest - name.size() + 2, ' ') +
            Wrap(description, widest + 4) + "\n";
  }
  return text;
}

std::vector<const CLI::App*> Subcommands(const CLI::App& app) {
  return app.get_subcommands([](const CLI::App*) { return true; });
}

std::vector<const CLI::Option*> Named(const CLI::App& app) {
  return app.get_options([](const CLI::Option* option) { return option->nonpositional(); });
}

std::string Replace(std::string text, std::string_view from, std::string_view to) {
  for (size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size())) {
    text.replace(at, from.size(), to);
  }
  return text;
}

// 'text' as one word of a POSIX shell or of fish.
std::string Quoted(const std::string& text) {
  return "'" + Replace(text, "'", "'\\''") + "'";
}

// The words that follow an option, where they are known.
std::vector<std::string> ValuesOf(const CLI::Option& option) {
  if (option.check_name("--dump-after")) return DumpPoints();
  return {};
}

// The extensions of the files that complete an option or, with null, the positional argument.
std::vector<std::string> ExtensionsOf(const CLI::App& command, const CLI::Option* option) {
  if (option == nullptr) {
    if (command.get_name() == "convert") return {"keras", "h5", "hdf5"};
    if (command.get_name() == "inspect") return {"keras", "h5", "hdf5", "tflite"};
    return {"tflite"};
  }
  if (option->check_name("--output")) return {"tflite"};
  if (option->check_name("--report")) return {"html"};
  if (option->check_name("--save-recipe")) return {"json"};
  if (option->check_name("--inputs") || option->check_name("--expected")) return {"npz"};
  if (option->check_name("--runtime")) return {"so", "dylib", "dll"};
  return {};
}

std::string Join(const std::vector<std::string>& words, std::string_view separator) {
  return fmt::format("{}", fmt::join(words, separator));
}

// A description's first sentence, for menus.
std::string Short(const std::string& description) {
  const size_t end = description.find_first_of(".;(");
  std::string text = description.substr(0, end);
  while (!text.empty() && text.back() == ' ') text.pop_back();
  return text;
}

std::string BashScript(const CLI::App& app) {
  std::vector<std::string> names;
  std::string cases;
  for (const CLI::App* command : Subcommands(app)) {
    names.push_back(command->get_name());
    std::vector<std::string> options;
    std::string values;
    for (const CLI::Option* option : Named(*command)) {
      std::vector<std::string> spellings;
      for (const std::string& name : option->get_snames()) spellings.push_back("-" + name);
      for (const std::string& name : option->get_lnames()) spellings.push_back("--" + name);
      options.insert(options.end(), spellings.begin(), spellings.end());
      if (option->get_expected_max() == 0) continue;
      const auto words = ValuesOf(*option);
      const auto extensions = ExtensionsOf(*command, option);
      values += "        " + Join(spellings, "|") + ") ";
      if (!words.empty()) {
        values += "COMPREPLY=($(compgen -W " + Quoted(Join(words, " ")) + " -- \"$cur\")); return";
      } else if (!extensions.empty()) {
        values += "_keras_litert_files " + Quoted(Join(extensions, "|")) + "; return";
      } else if (option->check_name("--dump-dir")) {
        values += "COMPREPLY=($(compgen -d -- \"$cur\")); return";
      } else {
        values += "return";
      }
      values += " ;;\n";
    }
    cases += "    " + command->get_name() + ")\n";
    if (!values.empty()) cases += "      case $prev in\n" + values + "      esac\n";
    cases += "      if [[ $cur == -* ]]; then COMPREPLY=($(compgen -W " +
             Quoted(Join(options, " ")) + " -- \"$cur\"));\n";
    if (command->get_name() == "completion") {
      cases += "      else COMPREPLY=($(compgen -W 'bash zsh fish' -- \"$cur\")); fi ;;\n";
    } else {
      cases += "      else _keras_litert_files " +
               Quoted(Join(ExtensionsOf(*command, nullptr), "|")) + "; fi ;;\n";
    }
  }
  return fmt::format(R"(# bash completion for keras-litert
_keras_litert_files() {{
  local file
  compopt -o filenames 2>/dev/null
  COMPREPLY=($(compgen -d -- "$cur"))
  while IFS= read -r file; do
    [[ $file =~ \.($1)$ ]] && COMPREPLY+=("$file")
  done < <(compgen -f -- "$cur")
}}

_keras_litert() {{
  local IFS=$' \t\n' cur=${{COMP_WORDS[COMP_CWORD]}} prev=${{COMP_WORDS[COMP_CWORD-1]}}
  if ((COMP_CWORD == 1)); then
    COMPREPLY=($(compgen -W {} -- "$cur"))
    return
  fi
  case ${{COMP_WORDS[1]}} in
{}  esac
}}
complete -F _keras_litert keras-litert
)",
                     Quoted(Join(names, " ") + " --help --version"), cases);
}

std::string ZshScript(const CLI::App& app) {
  std::string commands;
  std::string cases;
  // In _arguments, ':' and brackets of descriptions are syntax.
  const auto escape = [](const std::string& text) {
    return Replace(Replace(Replace(Short(text), ":", "\\:"), "[", "("), "]", ")");
  };
  const auto files = [](const std::vector<std::string>& extensions) {
    return "_files -g \"*.(" + Join(extensions, "|") + ")\"";
  };
  for (const CLI::App* command : Subcommands(app)) {
    commands +=
        "    " + Quoted(command->get_name() + ":" + escape(command->get_description())) + "\n";
    cases += "    " + command->get_name() + ")\n      _arguments";
    for (const CLI::Option* option : Named(*command)) {
      std::string value;
      if (option->get_expected_max() > 0) {
        const auto words = ValuesOf(*option);
        const auto extensions = ExtensionsOf(*command, option);
        value = ":" + option->get_type_name() + ":";
        if (!words.empty()) {
          value += "(" + Join(words, " ") + ")";
        } else if (!extensions.empty()) {
          value += files(extensions);
        } else if (option->check_name("--dump-dir")) {
          value += "_files -/";
        }
      }
      for (const bool is_long : {false, true}) {
        for (const std::string& name : is_long ? option->get_lnames() : option->get_snames()) {
          cases += " \\\n        " + Quoted("*" + std::string(is_long ? "--" : "-") + name + "[" +
                                            escape(option->get_description()) + "]" + value);
        }
      }
    }
    cases += " \\\n        " +
             Quoted(command->get_name() == "completion"
                        ? "1:shell:(bash zsh fish)"
                        : "1:file:" + files(ExtensionsOf(*command, nullptr))) +
             " ;;\n";
  }
  return fmt::format(R"(#compdef keras-litert
_keras_litert() {{
  local -a commands
  commands=(
{}  )
  if ((CURRENT == 2)); then
    _describe command commands
    return
  fi
  local command=$words[2]
  shift words
  ((CURRENT--))
  case $command in
{}  esac
}}
if [[ $funcstack[1] == _keras_litert ]]; then _keras_litert "$@"; else compdef _keras_litert keras-litert; fi
)",
                     commands, cases);
}

std::string FishScript(const CLI::App& app) {
  std::string script =
      "# fish completion for keras-litert\n"
      "complete -c keras-litert -f\n"
      "complete -c keras-litert -n __fish_use_subcommand -l help -s h -d 'Show help'\n"
      "complete -c keras-litert -n __fish_use_subcommand -l version -d 'Show the version'\n";
  for (const CLI::App* command : Subcommands(app)) {
    const std::string& name = command->get_name();
    script += fmt::format("complete -c keras-litert -n __fish_use_subcommand -a {} -d {}\n", name,
                          Quoted(Short(command->get_description())));
    const std::string inside =
        fmt::format("complete -c keras-litert -n '__fish_seen_subcommand_from {}'", name);
    for (const CLI::Option* option : Named(*command)) {
      std::string line = inside;
      for (const std::string& spelling : option->get_snames()) line += " -s " + spelling;
      for (const std::string& spelling : option->get_lnames()) line += " -l " + spelling;
      if (option->get_expected_max() > 0) {
        const auto words = ValuesOf(*option);
        line += words.empty() ? " -r -F" : " -x -a " + Quoted(Join(words, " "));
      }
      script += line + " -d " + Quoted(Short(option->get_description())) + "\n";
    }
    script += name == "completion" ? inside + " -a 'bash zsh fish'\n" : inside + " -F\n";
  }
  return script;
}

}  // namespace

std::string HelpText(const CLI::App& app) {
  const bool top = app.get_parent() == nullptr;
  std::string text = Wrap(app.get_description(), 0) + "\n\nUsage:\n  ";
  if (top) {
    text += "keras-litert COMMAND …\n\nCommands:\n";
    std::vector<std::pair<std::string, std::string>> entries;
    for (const CLI::App* command : Subcommands(app)) {
      entries.emplace_back(command->get_name(), command->get_description());
    }
    text += Entries(entries);
  } else {
    text += "keras-litert " + app.get_name();
    std::vector<std::pair<std::string, std::string>> entries;
    for (const CLI::Option* option :
         app.get_options([](const CLI::Option* each) { return each->get_positional(); })) {
      text += " " + option->get_type_name();
      entries.emplace_back(option->get_type_name(), option->get_description());
    }
    for (const CLI::Option* option : Named(app)) {
      if (option->get_group() == "Required") {
        text += " --" + option->get_lnames().front() + " " + option->get_type_name();
      }
    }
    text += " [options]\n\nArguments:\n" + Entries(entries);
  }
  text += "\nOptions:\n";
  std::vector<std::pair<std::string, std::string>> entries;
  for (const CLI::Option* option : Named(app)) {
    if (option != app.get_help_ptr()) {
      entries.emplace_back(Spelling(*option), option->get_description());
    }
  }
  entries.emplace_back(Spelling(*app.get_help_ptr()), app.get_help_ptr()->get_description());
  text += Entries(entries);
  return text + "\n" + app.get_footer() + "\n";
}

std::string CompletionScript(const CLI::App& app, std::string_view shell) {
  if (shell == "bash") return BashScript(app);
  if (shell == "zsh") return ZshScript(app);
  return FishScript(app);
}

}  // namespace keras_litert::cli
