// Arguments of Keras operations and layers, as a saved graph or the tracer hands them over.
#pragma once

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "ops/dtype.h"

namespace keras_litert::ops {

// One argument: None, a Python literal, a tensor, or a structure of arguments. Lists stand for
// tuples too.
class Argument {
 public:
  enum class Kind { kNone, kBool, kInt, kFloat, kString, kTensor, kList, kDict, kSlice, kEllipsis };

  Argument() = default;
  Argument(Value v) : kind_(Kind::kTensor), tensor_(v) {}  // NOLINT(google-explicit-constructor)
  static Argument Bool(bool v);
  static Argument Int(int64_t v) { return Int(Dim(v)); }
  static Argument Int(Dim v);  // possibly symbolic
  static Argument Float(double v);
  static Argument String(std::string v);
  static Argument List(std::vector<Argument> items);
  static Argument Dict(std::vector<std::pair<std::string, Argument>> items);
  // start, stop and step; each an int, a tensor or None.
  static Argument Slice(Argument start, Argument stop, Argument step);
  static Argument Ellipsis();

  Kind kind() const { return kind_; }
  bool is_none() const { return kind_ == Kind::kNone; }
  bool is_tensor() const { return kind_ == Kind::kTensor; }
  bool is_list() const { return kind_ == Kind::kList; }
  bool is_dict() const { return kind_ == Kind::kDict; }
  bool is_number() const { return kind_ == Kind::kInt || kind_ == Kind::kFloat; }

  // REQUIRES: the kind that each names.
  Value tensor() const { return tensor_; }
  bool boolean() const { return number_ != 0; }
  Dim integer() const { return dim_; }
  double number() const {
    return kind_ == Kind::kInt ? static_cast<double>(dim_.value()) : number_;
  }
  const std::string& string() const { return string_; }
  const std::vector<Argument>& items() const { return items_; }   // list, slice, dict values
  const std::vector<std::string>& keys() const { return keys_; }  // dict

  // All tensors in it, depth first; dicts by ascending key, as keras.tree flattens.
  std::vector<Value> Flatten() const;
  // For messages: "[64, None]".
  std::string ToString() const;

 private:
  Kind kind_ = Kind::kNone;
  Value tensor_;
  Dim dim_ = 0;
  double number_ = 0;
  std::string string_;
  std::vector<Argument> items_;
  std::vector<std::string> keys_;
};

// The arguments of one call. Reading marks an argument as used; Finish() reports those that nobody
// read: an argument that a lowering does not know is an error, never ignored.
//
// Getters take the position (-1: keyword only) and name. A wrong kind is reported through the
// builder.
class Arguments {
 public:
  Arguments(Builder& b, std::string function) : b_(&b), function_(std::move(function)) {}

  void AddPositional(Argument argument) { positional_.push_back(std::move(argument)); }
  void AddKeyword(std::string name, Argument argument);

  Builder& builder() const { return *b_; }
  const std::string& function() const { return function_; }

  bool Has(int position, std::string_view name) const;     // given and not None; does not mark
  bool IsNone(int position, std::string_view name) const;  // given as None; does not mark
  // The argument, or None.
  const Argument& Get(int position, std::string_view name);

  Value Tensor(int position, std::string_view name);          // required; numbers become tensors
  Value OptionalTensor(int position, std::string_view name);  // failed Value where None
  Operand Number(int position, std::string_view name);        // tensor or Python number, required
  std::vector<Value> Tensors(int position, std::string_view name);  // a list of tensors, or one
  int64_t Int(int position, std::string_view name);
  int64_t Int(int position, std::string_view name, int64_t fallback);
  std::optional<int64_t> OptionalInt(int position, std::string_view name);
  double Float(int position, std::string_view name, double fallback);
  bool Bool(int position, std::string_view name, bool fallback);
  std::string String(int position, std::string_view name, std::string fallback);
  // An int or a list of ints; nullopt where None.
  std::optional<std::vector<int>> Ints(int position, std::string_view name);
  // A dtype by name, or nullopt where None.
  std::optional<DType> DTypeName(int position, std::string_view name);

  // Reports arguments that nobody read. True if there were none.
  bool Finish();

  size_t num_positional() const { return positional_.size(); }
  const std::vector<std::pair<std::string, Argument>>& keywords() const { return keyword_; }
  const std::vector<Argument>& positional() const { return positional_; }

 private:
  const Argument* Find(int position, std::string_view name) const;
  void WrongKind(std::string_view name, const Argument& argument, std::string_view expected);

  Builder* b_;
  std::string function_;
  std::vector<Argument> positional_;
  std::vector<std::pair<std::string, Argument>> keyword_;
  std::set<std::string, std::less<>> used_;
  std::set<int> used_positions_;
};

}  // namespace keras_litert::ops
