#include "ops/argument.h"

#include <fmt/core.h>

#include <algorithm>
#include <numeric>

#include "ir/operators.h"

namespace keras_litert::ops {

Argument Argument::Bool(bool v) {
  Argument a;
  a.kind_ = Kind::kBool;
  a.number_ = v ? 1 : 0;
  return a;
}
Argument Argument::Int(Dim v) {
  Argument a;
  a.kind_ = Kind::kInt;
  a.dim_ = v;
  return a;
}
Argument Argument::Float(double v) {
  Argument a;
  a.kind_ = Kind::kFloat;
  a.number_ = v;
  return a;
}
Argument Argument::String(std::string v) {
  Argument a;
  a.kind_ = Kind::kString;
  a.string_ = std::move(v);
  return a;
}
Argument Argument::List(std::vector<Argument> items) {
  Argument a;
  a.kind_ = Kind::kList;
  a.items_ = std::move(items);
  return a;
}
Argument Argument::Dict(std::vector<std::pair<std::string, Argument>> items) {
  Argument a;
  a.kind_ = Kind::kDict;
  for (auto& [key, item] : items) {
    a.keys_.push_back(std::move(key));
    a.items_.push_back(std::move(item));
  }
  return a;
}
Argument Argument::Slice(Argument start, Argument stop, Argument step) {
  Argument a;
  a.kind_ = Kind::kSlice;
  a.items_ = {std::move(start), std::move(stop), std::move(step)};
  return a;
}
Argument Argument::Ellipsis() {
  Argument a;
  a.kind_ = Kind::kEllipsis;
  return a;
}

std::vector<Value> Argument::Flatten() const {
  if (is_tensor()) return {tensor_};
  std::vector<size_t> order(items_.size());
  std::iota(order.begin(), order.end(), size_t{0});
  if (is_dict()) {
    std::sort(order.begin(), order.end(), [&](size_t i, size_t j) { return keys_[i] < keys_[j]; });
  }
  std::vector<Value> tensors;
  for (size_t i : order) {
    const std::vector<Value> inner = items_[i].Flatten();
    tensors.insert(tensors.end(), inner.begin(), inner.end());
  }
  return tensors;
}

std::string Argument::ToString() const {
  auto join = [&](std::string open, const std::string& close) {
    for (size_t i = 0; i < items_.size(); ++i) {
      if (i > 0) open += ", ";
      if (is_dict()) open += "'" + keys_[i] + "': ";
      open += items_[i].ToString();
    }
    return open + close;
  };
  switch (kind_) {
    case Kind::kNone:
      return "None";
    case Kind::kBool:
      return boolean() ? "True" : "False";
    case Kind::kInt:
      return dim_.is_static() ? std::to_string(dim_.value()) : "a dynamic size";
    case Kind::kFloat:
      return fmt::format("{}", number_);
    case Kind::kString:
      return "'" + string_ + "'";
    case Kind::kTensor:
      return "a tensor " + tensor_.type().ToString();
    case Kind::kList:
      return join("[", "]");
    case Kind::kDict:
      return join("{", "}");
    case Kind::kSlice:
      return join("slice(", ")");
    case Kind::kEllipsis:
      return "...";
  }
  return "";
}

void Arguments::AddKeyword(std::string name, Argument argument) {
  keyword_.emplace_back(std::move(name), std::move(argument));
}

const Argument* Arguments::Find(int position, std::string_view name) const {
  if (position >= 0 && position < static_cast<int>(positional_.size())) {
    return &positional_[static_cast<size_t>(position)];
  }
  for (const auto& [key, argument] : keyword_) {
    if (key == name) return &argument;
  }
  return nullptr;
}

bool Arguments::Has(int position, std::string_view name) const {
  const Argument* argument = Find(position, name);
  return argument != nullptr && !argument->is_none();
}

bool Arguments::IsNone(int position, std::string_view name) const {
  const Argument* argument = Find(position, name);
  return argument != nullptr && argument->is_none();
}

const Argument& Arguments::Get(int position, std::string_view name) {
  static const Argument kNone;
  const Argument* argument = Find(position, name);
  if (argument == nullptr) return kNone;
  if (position >= 0) used_positions_.insert(position);
  used_.emplace(name);
  return *argument;
}

void Arguments::WrongKind(std::string_view name, const Argument& argument,
                          std::string_view expected) {
  b_->Fail("argument-1", fmt::format("{}: argument '{}' must be {}, got {}", function_, name,
                                     expected, argument.ToString()));
}

namespace {

// A nested list of numbers as a constant; nullopt where it is none.
bool CollectNumbers(const Argument& a, std::vector<double>& values, std::vector<int64_t>& sizes,
                    size_t depth, bool& any_float) {
  if (a.is_number() || a.kind() == Argument::Kind::kBool) {
    if (a.kind() == Argument::Kind::kInt && !a.integer().is_static()) return false;
    any_float |= a.kind() == Argument::Kind::kFloat;
    values.push_back(a.kind() == Argument::Kind::kBool ? (a.boolean() ? 1 : 0) : a.number());
    return depth == sizes.size();
  }
  if (!a.is_list()) return false;
  const auto n = static_cast<int64_t>(a.items().size());
  if (depth == sizes.size()) {
    if (!values.empty()) return false;
    sizes.push_back(n);
  } else if (sizes[depth] != n) {
    return false;
  }
  return std::all_of(a.items().begin(), a.items().end(), [&](const Argument& item) {
    return CollectNumbers(item, values, sizes, depth + 1, any_float);
  });
}

Value ToTensor(Builder& b, const Argument& a) {
  if (a.is_tensor()) return a.tensor();
  std::vector<double> values;
  std::vector<int64_t> sizes;
  bool any_float = false;
  if (!CollectNumbers(a, values, sizes, 0, any_float)) return Value();
  const Value wide = b.Constant(DType::kFloat64, Shape::Of(sizes), values);
  const bool boolean = a.kind() == Argument::Kind::kBool;
  return lrt::Cast(b, wide, boolean ? DType::kBool : any_float ? kFloatX : DType::kInt32);
}

}  // namespace

Value Arguments::Tensor(int position, std::string_view name) {
  const Argument& argument = Get(position, name);
  if (argument.is_tensor()) return argument.tensor();
  const Value tensor = ToTensor(*b_, argument);
  if (!tensor.ok()) WrongKind(name, argument, "a tensor");
  return tensor;
}

Value Arguments::OptionalTensor(int position, std::string_view name) {
  return Has(position, name) ? Tensor(position, name) : (Get(position, name), Value());
}

Operand Arguments::Number(int position, std::string_view name) {
  const Argument& argument = Get(position, name);
  if (argument.kind() == Argument::Kind::kInt) {
    if (!argument.integer().is_static()) return b_->SizeOf(argument.integer());
    return Operand(argument.integer().value());
  }
  if (argument.kind() == Argument::Kind::kFloat) return Operand(argument.number());
  return Tensor(position, name);
}

std::vector<Value> Arguments::Tensors(int position, std::string_view name) {
  const Argument& argument = Get(position, name);
  if (argument.is_tensor()) return {argument.tensor()};
  std::vector<Value> tensors;
  if (argument.is_list()) {
    for (const Argument& item : argument.items()) {
      tensors.push_back(ToTensor(*b_, item));
      if (!item.is_tensor() && !tensors.back().ok()) WrongKind(name, argument, "a list of tensors");
    }
    return tensors;
  }
  WrongKind(name, argument, "a list of tensors");
  return {};
}

int64_t Arguments::Int(int position, std::string_view name) {
  const Argument& argument = Get(position, name);
  if (argument.kind() == Argument::Kind::kInt && argument.integer().is_static()) {
    return argument.integer().value();
  }
  WrongKind(name, argument, "an int");
  return 0;
}

int64_t Arguments::Int(int position, std::string_view name, int64_t fallback) {
  return Has(position, name) ? Int(position, name) : (Get(position, name), fallback);
}

std::optional<int64_t> Arguments::OptionalInt(int position, std::string_view name) {
  if (Has(position, name)) return Int(position, name);
  Get(position, name);
  return std::nullopt;
}

double Arguments::Float(int position, std::string_view name, double fallback) {
  const Argument& argument = Get(position, name);
  if (argument.is_none()) return fallback;
  if (argument.is_number()) return argument.number();
  WrongKind(name, argument, "a number");
  return fallback;
}

bool Arguments::Bool(int position, std::string_view name, bool fallback) {
  const Argument& argument = Get(position, name);
  if (argument.is_none()) return fallback;
  if (argument.kind() == Argument::Kind::kBool) return argument.boolean();
  WrongKind(name, argument, "a bool");
  return fallback;
}

std::string Arguments::String(int position, std::string_view name, std::string fallback) {
  const Argument& argument = Get(position, name);
  if (argument.is_none()) return fallback;
  if (argument.kind() == Argument::Kind::kString) return argument.string();
  WrongKind(name, argument, "a string");
  return fallback;
}

std::optional<std::vector<int>> Arguments::Ints(int position, std::string_view name) {
  const Argument& argument = Get(position, name);
  if (argument.is_none()) return std::nullopt;
  std::vector<int> values;
  auto add = [&](const Argument& item) {
    if (item.kind() != Argument::Kind::kInt || !item.integer().is_static()) {
      WrongKind(name, argument, "an int or a list of ints");
      return;
    }
    values.push_back(static_cast<int>(item.integer().value()));
  };
  if (argument.is_list()) {
    for (const Argument& item : argument.items()) add(item);
  } else {
    add(argument);
  }
  return values;
}

std::optional<DType> Arguments::DTypeName(int position, std::string_view name) {
  const Argument& argument = Get(position, name);
  if (argument.is_none()) return std::nullopt;
  if (argument.kind() == Argument::Kind::kString) {
    if (argument.string() == "int") return DType::kInt32;
    if (argument.string() == "float") return kFloatX;
    if (std::optional<DType> dtype = ir::DTypeFromName(argument.string())) return dtype;
  }
  WrongKind(name, argument, "a dtype");
  return std::nullopt;
}

bool Arguments::Finish() {
  bool complete = true;
  for (size_t i = 0; i < positional_.size(); ++i) {
    if (!used_positions_.contains(static_cast<int>(i))) {
      complete = false;
      b_->Fail("argument-2",
               fmt::format("{}: positional argument {} = {} is not supported", function_, i,
                           positional_[i].ToString()),
               "Leave the argument at its default.");
    }
  }
  for (const auto& [name, argument] : keyword_) {
    if (!used_.contains(name) && !argument.is_none()) {
      complete = false;
      b_->Fail("argument-2",
               fmt::format("{}: argument '{}' = {} is not supported", function_, name,
                           argument.ToString()),
               "Leave the argument at its default.");
    }
  }
  return complete;
}

}  // namespace keras_litert::ops
