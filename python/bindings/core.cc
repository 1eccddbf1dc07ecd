// keras_litert._core: the C++ API as Python objects, and nothing more. What Python sees here is
// private to the package.
//
// Failures: a function that can fail gives (result, errors); one of them is None. `errors` is a
// list of (path, code, message, hint). Python raises (keras_litert/errors.py).
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/filesystem.h>
#include <nanobind/stl/function.h>
#include <nanobind/stl/map.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <cmath>
#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "keras_litert/convert.h"
#include "keras_litert/graph.h"
#include "keras_litert/model.h"

namespace nb = nanobind;

namespace {

using keras_litert::Array;
using keras_litert::ConvertOptions;
using keras_litert::ConvertReport;
using keras_litert::Error;
using keras_litert::Graph;
using keras_litert::Result;

// Bytes of an array of the caller's, as NumPy shows them (a contiguous view as uint8).
using Bytes = nb::ndarray<const uint8_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

// A tensor of a Graph.
struct TensorHandle {
  Graph::Tensor id;
};

nb::object Errors(const Error& error) {
  nb::list list;
  for (const keras_litert::Diagnostic& d : error.diagnostics()) {
    list.append(nb::make_tuple(d.path, d.code, d.message, d.hint));
  }
  return list;
}

template <typename T>
nb::tuple Outcome(Result<T>&& result) {
  if (!result) return nb::make_tuple(nb::none(), Errors(result.error()));
  return nb::make_tuple(nb::cast(*std::move(result)), nb::none());
}

nb::tuple Outcome(Result<void>&& result) {
  return nb::make_tuple(nb::none(), result ? nb::none() : Errors(result.error()));
}

nb::list ToList(const std::vector<keras_litert::QuantizeRule>& rules) {
  nb::list list;
  for (const keras_litert::QuantizeRule& rule : rules) {
    nb::dict entry;
    entry["layer"] = rule.layer;
    entry["op"] = rule.op;
    entry["recipe"] = rule.recipe;
    list.append(entry);
  }
  return list;
}

// None for what is infinite or not known.
nb::object Finite(double value) {
  return std::isfinite(value) ? nb::cast(value) : nb::none();
}

nb::dict ToDict(const ConvertReport& report) {
  auto tensors = [](const std::vector<keras_litert::TensorReport>& reports) {
    nb::list list;
    for (const keras_litert::TensorReport& t : reports) {
      list.append(nb::make_tuple(t.name, t.dtype, nb::tuple(nb::cast(t.shape))));
    }
    return list;
  };
  nb::dict dict;
  dict["model_name"] = report.model_name;
  dict["inputs"] = tensors(report.inputs);
  dict["outputs"] = tensors(report.outputs);
  nb::dict operators;
  for (const keras_litert::OperatorCount& count : report.operators) {
    operators[count.name.c_str()] = count.count;
  }
  dict["operators"] = operators;
  dict["file_bytes"] = report.file_bytes;
  dict["seconds"] = report.seconds;
  dict["peak_memory_bytes"] = report.peak_memory_bytes;
  dict["notes"] = report.notes;
  nb::list quantized;
  for (const keras_litert::QuantizedOperator& op : report.quantized) {
    nb::dict entry;
    entry["layer"] = op.layer;
    entry["op"] = op.op;
    entry["recipe"] = op.recipe;
    entry["reason"] = op.reason.empty() ? nb::none() : nb::cast(op.reason);
    entry["bytes_before"] = op.bytes_before;
    entry["bytes_after"] = op.bytes_after;
    entry["weights_sqnr_db"] = op.recipe != "float32" ? Finite(op.weights_sqnr) : nb::none();
    entry["output_sqnr_db"] = Finite(op.output_sqnr);
    quantized.append(entry);
  }
  dict["quantized"] = quantized;
  nb::list output_errors;
  for (const keras_litert::OutputError& error : report.output_errors) {
    nb::dict entry;
    entry["name"] = error.name;
    entry["sqnr_db"] = Finite(error.sqnr);
    entry["max_absolute"] = error.max_absolute;
    entry["max_relative"] = error.max_relative;
    output_errors.append(entry);
  }
  dict["output_errors"] = output_errors;
  dict["recipe"] = report.recipe;
  dict["rules"] = ToList(report.rules);
  nb::list trials;
  for (const keras_litert::Trial& trial : report.trials) {
    const auto number = [&](double value) {
      return trial.failure.empty() ? Finite(value) : nb::none();
    };
    nb::dict entry;
    entry["name"] = trial.name;
    entry["recipe"] = trial.recipe;
    entry["rules"] = ToList(trial.rules);
    entry["failure"] = trial.failure.empty() ? nb::none() : nb::cast(trial.failure);
    entry["file_bytes"] = trial.failure.empty() ? nb::cast(trial.file_bytes) : nb::none();
    entry["sqnr_db"] = number(trial.sqnr);
    entry["max_relative"] = number(trial.max_relative);
    entry["metric"] = number(trial.metric);
    entry["fits"] = trial.fits;
    trials.append(entry);
  }
  dict["trials"] = trials;
  nb::list advice;
  for (const keras_litert::Advice& one : report.advice) {
    nb::dict entry;
    entry["layer"] = one.layer;
    entry["op"] = one.op;
    entry["from"] = one.from;
    entry["recipe"] = one.recipe;
    entry["gain_db"] = Finite(one.gain);
    entry["sqnr_db"] = Finite(one.sqnr);
    entry["bytes"] = one.bytes;
    advice.append(entry);
  }
  dict["advice"] = advice;
  return dict;
}

nb::tuple Outcome(Result<ConvertReport>&& report) {
  if (!report) return nb::make_tuple(nb::none(), Errors(report.error()));
  return nb::make_tuple(ToDict(*report), nb::none());
}

void ReadSearch(const nb::dict& given, keras_litert::AutoQuantize& search) {
  search.min_sqnr = nb::cast<std::optional<double>>(given["min_sqnr"]);
  search.max_loss = nb::cast<std::optional<double>>(given["max_loss"]);
  search.max_size = nb::cast<std::optional<int64_t>>(given["max_size"]);
  search.recipes = nb::cast<std::vector<std::string>>(given["recipes"]);
  if (given["metric"].is_none()) return;
  // Shared, for copies of the options are made without the GIL.
  auto metric = std::make_shared<nb::object>(given["metric"]);
  // What it raises stops the conversion, and is raised when that is done (Run).
  search.metric = [metric](const std::filesystem::path& file) -> std::optional<double> {
    const nb::gil_scoped_acquire gil;
    try {
      return nb::cast<double>((*metric)(file.string()));
    } catch (nb::python_error& error) {
      error.restore();
    } catch (const nb::cast_error&) {
      PyErr_SetString(PyExc_TypeError, "the metric gave no number");
    }
    return std::nullopt;
  };
}

// {"static_batch": int | None, "shapes": {name: sizes}, "dump_after": [pass], "dump": callable,
//  "quantize": {"recipe": str, "rules": [(layer, op, recipe)], "input_type": str,
//    "output_type": str, "runtime": str, "method": str,
//    "samples": [{input: (dtype, shape, bytes)}], "advise": bool, "report": str,
//    "save_recipe": str, "search": {"min_sqnr": float | None, "max_loss": float | None,
//    "max_size": int | None, "recipes": [str], "metric": callable | None}}}
ConvertOptions ReadOptions(const nb::dict& given) {
  ConvertOptions options;
  if (given.contains("static_batch") && !given["static_batch"].is_none()) {
    options.static_batch = nb::cast<int64_t>(given["static_batch"]);
  }
  if (given.contains("shapes")) {
    options.shapes = nb::cast<std::map<std::string, std::vector<int64_t>>>(given["shapes"]);
  }
  if (given.contains("quantize")) {
    const auto quantize = nb::cast<nb::dict>(given["quantize"]);
    options.quantize.recipe = nb::cast<std::string>(quantize["recipe"]);
    using Rule = std::tuple<std::string, std::string, std::string>;
    for (auto& [layer, op, recipe] : nb::cast<std::vector<Rule>>(quantize["rules"])) {
      options.quantize.rules.push_back({layer, op, recipe});
    }
    options.quantize.input_type = nb::cast<std::string>(quantize["input_type"]);
    options.quantize.output_type = nb::cast<std::string>(quantize["output_type"]);
    keras_litert::CalibrateOptions& calibrate = options.quantize.calibrate;
    calibrate.runtime = nb::cast<std::string>(quantize["runtime"]);
    const auto method = nb::cast<std::string>(quantize["method"]);
    using enum keras_litert::RangeMethod;
    calibrate.method = method == "moving_average" ? kMovingAverage
                       : method == "percentile"   ? kPercentile
                       : method == "mse"          ? kMse
                                                  : kMinMax;
    // The caller's list keeps the arrays alive.
    using GivenArray = std::tuple<std::string, std::vector<int64_t>, Bytes>;
    for (const nb::handle given_sample : nb::cast<nb::list>(quantize["samples"])) {
      keras_litert::Sample sample;
      for (auto [name, array] : nb::cast<nb::dict>(given_sample)) {
        const auto [dtype, shape, bytes] = nb::cast<GivenArray>(array);
        sample.emplace(
            nb::cast<std::string>(name),
            Array{dtype, shape, std::as_bytes(std::span(bytes.data(), bytes.size())), nullptr});
      }
      calibrate.samples.push_back(std::move(sample));
    }
    options.report = nb::cast<std::string>(quantize["report"]);
    options.save_recipe = nb::cast<std::string>(quantize["save_recipe"]);
    options.quantize.advise = nb::cast<bool>(quantize["advise"]);
    ReadSearch(nb::cast<nb::dict>(quantize["search"]), options.quantize.search);
  }
  if (given.contains("dump_after")) {
    options.dump_after = nb::cast<std::vector<std::string>>(given["dump_after"]);
    nb::object dump = given["dump"];
    options.dump = [dump](const std::string& pass, const std::string& text) {
      const nb::gil_scoped_acquire gil;
      dump(pass, text);
    };
  }
  // A pending signal (Ctrl-C) stops the conversion; Python raises when it runs again.
  options.cancelled = [] {
    const nb::gil_scoped_acquire gil;
    return PyErr_CheckSignals() != 0;
  };
  return options;
}

// Runs without the GIL; what a signal handler raised is raised here.
template <typename F>
nb::tuple Run(F&& convert) {
  Result<ConvertReport> report = [&] {
    const nb::gil_scoped_release released;
    return convert();
  }();
  if (PyErr_Occurred() != nullptr) throw nb::python_error();
  return Outcome(std::move(report));
}

Array ToArray(const std::string& dtype, const std::vector<int64_t>& shape, const Bytes& bytes,
              std::shared_ptr<const void> owner) {
  return {dtype, shape, std::as_bytes(std::span(bytes.data(), bytes.size())), std::move(owner)};
}

Graph::Argument ToArgument(nb::handle object) {
  using Kind = Graph::Argument::Kind;
  Graph::Argument argument;
  if (object.is_none()) return argument;
  if (nb::isinstance<TensorHandle>(object)) {
    return Graph::Argument::Of(nb::cast<TensorHandle>(object).id);
  }
  if (nb::isinstance<Graph::Dim>(object)) {
    argument.kind = Kind::kInt;
    argument.integer = nb::cast<Graph::Dim>(object);
  } else if (nb::isinstance<nb::bool_>(object)) {
    argument.kind = Kind::kBool;
    argument.boolean = nb::cast<bool>(object);
  } else if (nb::isinstance<nb::int_>(object)) {
    argument.kind = Kind::kInt;
    argument.integer = {nb::cast<int64_t>(object), 0};
  } else if (nb::isinstance<nb::float_>(object)) {
    argument.kind = Kind::kFloat;
    argument.number = nb::cast<double>(object);
  } else if (nb::isinstance<nb::str>(object)) {
    argument.kind = Kind::kString;
    argument.text = nb::cast<std::string>(object);
  } else if (nb::isinstance<nb::list>(object) || nb::isinstance<nb::tuple>(object)) {
    argument.kind = Kind::kList;
    for (nb::handle item : object) argument.items.push_back(ToArgument(item));
  } else if (nb::isinstance<nb::dict>(object)) {
    argument.kind = Kind::kDict;
    for (auto [key, item] : nb::borrow<nb::dict>(object)) {
      argument.keys.push_back(nb::cast<std::string>(nb::str(key)));
      argument.items.push_back(ToArgument(item));
    }
  } else if (PySlice_Check(object.ptr()) != 0) {
    argument.kind = Kind::kSlice;
    for (const char* part : {"start", "stop", "step"}) {
      argument.items.push_back(ToArgument(object.attr(part)));
    }
  } else if (nb::isinstance<nb::ellipsis>(object)) {
    argument.kind = Kind::kEllipsis;
  } else {
    throw nb::type_error("an argument that no operation takes");
  }
  return argument;
}

Graph::Arguments ToArguments(const nb::tuple& args, const nb::dict& kwargs) {
  Graph::Arguments arguments;
  for (nb::handle arg : args) arguments.positional.push_back(ToArgument(arg));
  for (auto [key, arg] : kwargs) {
    arguments.keyword.emplace_back(nb::cast<std::string>(key), ToArgument(arg));
  }
  return arguments;
}

// Assets are bytes to Python, text to the core.
std::map<std::string, std::string, std::less<>> ToText(
    const std::map<std::string, nb::bytes>& files) {
  std::map<std::string, std::string, std::less<>> texts;
  for (const auto& [path, content] : files) {
    texts.emplace(path, std::string(content.c_str(), content.size()));
  }
  return texts;
}

nb::object FromArgument(const Graph::Argument& a) {
  using Kind = Graph::Argument::Kind;
  switch (a.kind) {
    case Kind::kBool:
      return nb::cast(a.boolean);
    case Kind::kInt:
      return a.integer.symbol == 0 ? nb::cast(a.integer.coefficient) : nb::cast(a.integer);
    case Kind::kFloat:
      return nb::cast(a.number);
    case Kind::kString:
      return nb::cast(a.text);
    case Kind::kTensor:
      return nb::cast(TensorHandle{a.tensor});
    case Kind::kList: {
      nb::list list;
      for (const Graph::Argument& item : a.items) list.append(FromArgument(item));
      return list;
    }
    case Kind::kDict: {
      nb::dict dict;
      for (size_t i = 0; i < a.keys.size(); ++i) dict[a.keys[i].c_str()] = FromArgument(a.items[i]);
      return dict;
    }
    default:
      return nb::none();
  }
}

// Sizes are ints, or Dim where they are dynamic.
nb::object FromDim(Graph::Dim dim) {
  return dim.symbol == 0 ? nb::cast(dim.coefficient) : nb::cast(dim);
}

nb::tuple FromShape(const std::vector<Graph::Dim>& shape) {
  nb::list list;
  for (const Graph::Dim& dim : shape) {
    list.append(FromDim(dim));
  }
  return nb::tuple(list);
}

Graph::Dim ToDim(nb::handle size) {
  if (nb::isinstance<Graph::Dim>(size)) return nb::cast<Graph::Dim>(size);
  return {nb::cast<int64_t>(size), 0};
}

std::vector<Graph::Tensor> Ids(const std::vector<TensorHandle>& tensors) {
  std::vector<Graph::Tensor> ids;
  for (TensorHandle tensor : tensors) ids.push_back(tensor.id);
  return ids;
}

nb::tuple Tensors(Result<std::vector<Graph::Tensor>>&& result) {
  if (!result) return nb::make_tuple(nb::none(), Errors(result.error()));
  nb::list list;
  for (Graph::Tensor id : *result) list.append(TensorHandle{id});
  return nb::make_tuple(list, nb::none());
}

nb::tuple OneTensor(Result<Graph::Tensor>&& result) {
  if (!result) return nb::make_tuple(nb::none(), Errors(result.error()));
  return nb::make_tuple(TensorHandle{*result}, nb::none());
}

using Weight = std::tuple<std::string, std::string, std::vector<int64_t>, Bytes>;

}  // namespace

NB_MODULE(_core, m) {
  m.def("convert_file", [](const std::filesystem::path& model, const std::filesystem::path& output,
                           const nb::dict& given) {
    const ConvertOptions options = ReadOptions(given);
    return Run([&] { return keras_litert::Convert(model, output, options); });
  });
  m.def("convert_model",
        [](std::string config, std::string keras_version, const std::vector<Weight>& weights,
           const std::map<std::string, nb::bytes>& assets, const std::filesystem::path& output,
           const nb::dict& given) {
          keras_litert::MemoryModel model;
          model.config = std::move(config);
          model.keras_version = std::move(keras_version);
          model.assets = ToText(assets);
          // The caller's list keeps the arrays alive.
          for (const auto& [path, dtype, shape, bytes] : weights) {
            model.weights.emplace(path, ToArray(dtype, shape, bytes, nullptr));
          }
          const ConvertOptions options = ReadOptions(given);
          return Run([&] { return keras_litert::Convert(model, output, options); });
        });
  m.def("pass_names", [] { return keras_litert::PassNames(); });

  nb::class_<TensorHandle>(m, "Tensor").def_ro("id", &TensorHandle::id);
  nb::class_<Graph::Dim>(m, "Dim")
      .def_ro("coefficient", &Graph::Dim::coefficient)
      .def_ro("symbol", &Graph::Dim::symbol)
      .def("__eq__", [](const Graph::Dim& a, const Graph::Dim& b) { return a == b; })
      .def("__hash__", [](const Graph::Dim& d) {
        return (d.coefficient << 20) ^ static_cast<int64_t>(d.symbol);
      });

  nb::class_<Graph>(m, "Graph")
      .def("__init__",
           [](Graph* self, const nb::dict& given) { new (self) Graph(ReadOptions(given)); })
      .def("input",
           [](Graph& g, const std::string& name, const std::string& dtype,
              const std::vector<int64_t>& shape) { return OneTensor(g.Input(name, dtype, shape)); })
      .def("constant",
           // The graph's user keeps the array alive (Trace.arrays).
           [](Graph& g, const std::string& dtype, const std::vector<int64_t>& shape,
              const Bytes& bytes) {
             return OneTensor(g.Constant(ToArray(dtype, shape, bytes, nullptr)));
           })
      .def("variable",
           [](Graph& g, const std::string& name, const std::string& dtype,
              const std::vector<int64_t>& shape, const Bytes& bytes) {
             return OneTensor(g.Variable(name, ToArray(dtype, shape, bytes, nullptr)));
           })
      .def("assign", [](Graph& g, TensorHandle variable,
                        TensorHandle value) { return Outcome(g.Assign(variable.id, value.id)); })
      .def("output", [](Graph& g, const std::string& name,
                        TensorHandle tensor) { return Outcome(g.Output(name, tensor.id)); })
      .def("call",
           [](Graph& g, const std::string& operation, const nb::tuple& args,
              const nb::dict& kwargs) {
             Result<Graph::Argument> result = g.Call(operation, ToArguments(args, kwargs));
             if (!result) return nb::make_tuple(nb::none(), Errors(result.error()));
             return nb::make_tuple(FromArgument(*result), nb::none());
           })
      .def("add_layer",
           [](Graph& g, const std::string& config,
              const std::map<std::string, TensorHandle>& weights,
              const std::map<std::string, nb::bytes>& assets) {
             std::map<std::string, Graph::Tensor> ids;
             for (const auto& [path, tensor] : weights) ids.emplace(path, tensor.id);
             return Outcome(g.AddLayer(config, ids, ToText(assets)));
           })
      .def("call_layer",
           [](Graph& g, int layer, const nb::tuple& args, const nb::dict& kwargs,
              const std::vector<std::pair<TensorHandle, TensorHandle>>& masks) {
             std::vector<Graph::Mask> given;
             for (const auto& [tensor, mask] : masks) given.emplace_back(tensor.id, mask.id);
             Result<Graph::LayerResult> result =
                 g.CallLayer(layer, ToArguments(args, kwargs), given);
             if (!result) return nb::make_tuple(nb::none(), Errors(result.error()));
             nb::dict found;
             for (const auto& [tensor, mask] : result->masks) {
               found[nb::int_(tensor)] = nb::cast(TensorHandle{mask});
             }
             return nb::make_tuple(nb::make_tuple(FromArgument(result->value), found), nb::none());
           })
      .def("type",
           [](Graph& g, TensorHandle tensor) {
             const Graph::Type type = g.TypeOf(tensor.id);
             return nb::make_tuple(type.dtype, FromShape(type.shape));
           })
      .def("enter_layer", &Graph::EnterLayer)
      .def("leave_layer", &Graph::LeaveLayer)
      .def("layer_path", &Graph::LayerPath)
      .def("sum",
           [](Graph& g, nb::handle a, nb::handle b) { return FromDim(g.Sum(ToDim(a), ToDim(b))); })
      .def("product", [](Graph& g, nb::handle a,
                         nb::handle b) { return FromDim(g.Product(ToDim(a), ToDim(b))); })
      .def("floor_div",
           [](Graph& g, nb::handle a, int64_t b) { return FromDim(g.FloorDiv(ToDim(a), b)); })
      .def("print", [](Graph& g, nb::handle dim) { return g.Print(ToDim(dim)); })
      .def("enter_body",
           [](Graph& g, const std::string& name,
              const std::vector<std::pair<std::string, nb::tuple>>& inputs) {
             std::vector<Graph::Type> types;
             for (const auto& [dtype, shape] : inputs) {
               Graph::Type type{dtype, {}};
               for (nb::handle size : shape) type.shape.push_back(ToDim(size));
               types.push_back(std::move(type));
             }
             nb::list list;
             for (Graph::Tensor id : g.EnterBody(name, types)) list.append(TensorHandle{id});
             return list;
           })
      .def("leave_body",
           [](Graph& g, const std::vector<TensorHandle>& outputs) {
             return Outcome(g.LeaveBody(Ids(outputs)));
           })
      .def("abandon_body", &Graph::AbandonBody)
      .def("cond",
           [](Graph& g, TensorHandle condition, int then_body, int else_body,
              const std::vector<TensorHandle>& inputs) {
             return Tensors(g.If(condition.id, then_body, else_body, Ids(inputs)));
           })
      .def("while_loop",
           [](Graph& g, int condition, int body, const std::vector<TensorHandle>& variables) {
             return Tensors(g.While(condition, body, Ids(variables)));
           })
      .def("write", [](Graph& g, const std::filesystem::path& output, const nb::dict& given,
                       const std::string& model_name) {
        const ConvertOptions options = ReadOptions(given);
        return Run([&] { return g.Write(output, options, model_name); });
      });
  m.def("knows", [](const std::string& operation) { return Graph::Knows(operation); });
  m.def("knows_layer", [](const std::string& name) { return Graph::KnowsLayer(name); });
  m.def("operation_names", [] { return Graph::Names(); });
}
