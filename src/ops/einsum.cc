#include "ops/einsum.h"

#include <fmt/core.h>

#include <algorithm>
#include <optional>

#include "ir/operators.h"
#include "ops/elementwise.h"
#include "ops/table.h"

namespace keras_litert::ops {
namespace {

using ir::BuiltinOperator;

// A tensor whose axis i is called labels[i].
struct Labelled {
  Value value;
  std::string labels;

  Dim SizeOf(char label) const { return value.dim(static_cast<int>(labels.find(label))); }
};

bool Has(std::string_view labels, char label) {
  return labels.find(label) != std::string_view::npos;
}

// The labels of `from` that `condition` holds for.
template <typename Condition>
std::string Filter(std::string_view from, Condition condition) {
  std::string kept;
  std::copy_if(from.begin(), from.end(), std::back_inserter(kept), condition);
  return kept;
}

Labelled Transposed(Builder& b, const Labelled& x, const std::string& labels) {
  std::vector<int> permutation;
  for (char label : labels) permutation.push_back(static_cast<int>(x.labels.find(label)));
  return {lrt::Transpose(b, x.value, permutation), labels};
}

// x without the labels that are not in `kept`: sums over them.
Labelled SummedOut(Builder& b, const Labelled& x, const std::string& kept) {
  std::vector<int> axes;
  for (size_t i = 0; i < x.labels.size(); ++i) {
    if (!Has(kept, x.labels[i])) axes.push_back(static_cast<int>(i));
  }
  if (axes.empty()) return x;
  return {lrt::Reduce(b, BuiltinOperator::SUM, x.value, axes, false),
          Filter(x.labels, [&](char c) { return Has(kept, c); })};
}

// The sizes of `labels`, each in the operand that has it.
Shape ShapeOf(const Labelled& x, const Labelled& y, std::string_view labels) {
  Shape shape;
  for (char label : labels) {
    const Labelled& owner = Has(x.labels, label) ? x : y;
    Dim size = owner.SizeOf(label);
    // Where one operand leaves a shared size open, the other may know it.
    if (!size.is_static() && Has(x.labels, label) && Has(y.labels, label)) size = y.SizeOf(label);
    shape.Append(size);
  }
  return shape;
}

Dim Product(Builder& b, const Shape& shape) {
  Dim product = 1;
  for (Dim dim : shape) product = b.symbols().Product(product, dim);
  return product;
}

// The roles of the labels of a product x · y; orders as the result wants them, the contracted ones
// as x has them.
struct Roles {
  std::string batch;     // in both and in the result
  std::string contract;  // in both only
  std::string free_x;
  std::string free_y;
};

Roles RolesOf(const Labelled& x, const Labelled& y, std::string_view result) {
  Roles roles;
  for (char c : result) {
    const bool in_x = Has(x.labels, c);
    const bool in_y = Has(y.labels, c);
    (in_x && in_y ? roles.batch : in_x ? roles.free_x : roles.free_y) += c;
  }
  roles.contract = Filter(x.labels, [&](char c) { return !Has(result, c); });
  return roles;
}

// No label is summed: MUL of the operands, laid out in the result's order.
Value ElementwiseProduct(Builder& b, const Labelled& x, const Labelled& y,
                         const std::string& result) {
  auto laid_out = [&](const Labelled& v) {
    const std::string own = Filter(result, [&](char c) { return Has(v.labels, c); });
    Shape shape;
    for (char c : result) shape.Append(Has(own, c) ? v.SizeOf(c) : Dim(1));
    while (shape.rank() > 0 && !own.empty() && !Has(own, result[result.size() - shape.rank()])) {
      shape.Erase(0);  // broadcasting adds leading axes
    }
    return lrt::Reshape(b, Transposed(b, v, own).value, shape);
  };
  return lrt::Mul(b, laid_out(x), laid_out(y));
}

// y constant, no label in x, y and the result alike:
//   x [free_x…, contract…] · y  ⇒  RESHAPE(FULLY_CONNECTED(RESHAPE(x, [free_x…, K]), W [N, K],
//   bias), [free_x…, free_y…])
// `bias` is taken along where it has exactly y's free labels.
Labelled ConstantProduct(Builder& b, const Labelled& x, const Labelled& y, const Roles& roles,
                         Value* bias, std::string_view bias_labels) {
  const Labelled w = Transposed(b, y, roles.free_y + roles.contract);
  const Shape outputs = ShapeOf(w, w, roles.free_y);
  const Dim k = Product(b, ShapeOf(w, w, roles.contract));
  const Dim n = Product(b, outputs);
  // x as it lies, where its contracted labels come last; its other labels keep their order then.
  const std::string in_place = Filter(x.labels, [&](char c) { return Has(roles.free_x, c); });
  const bool lies_well = x.labels == in_place + roles.contract;
  const std::string& free_x = lies_well ? in_place : roles.free_x;
  const Labelled input = lies_well ? x : Transposed(b, x, free_x + roles.contract);
  const Shape rows = ShapeOf(input, input, free_x);
  Shape flat = rows;
  if (flat.rank() == 0) flat.Append(1);
  flat.Append(k);
  Value fused;
  if (bias->ok() && bias_labels == roles.free_y) {
    fused = lrt::Reshape(b, *bias, Shape{n});
    *bias = Value();
  }
  const Value product = lrt::FullyConnected(b, lrt::Reshape(b, input.value, flat),
                                            lrt::Reshape(b, w.value, Shape{n, k}), fused);
  Shape shape = rows;
  for (Dim dim : outputs) shape.Append(dim);
  return {lrt::Reshape(b, product, shape), free_x + roles.free_y};
}

// How well x · y suits BATCH_MATMUL: the transposes that it takes. The right side may lie either
// way (adj_y).
int Transposes(const Labelled& x, const Labelled& y, const Roles& roles,
               const std::string& result) {
  int count = x.labels == roles.batch + roles.free_x + roles.contract ? 0 : 1;
  if (y.labels != roles.batch + roles.free_y + roles.contract &&
      y.labels != roles.batch + roles.contract + roles.free_y) {
    ++count;
  }
  return count + (roles.batch + roles.free_x + roles.free_y == result ? 0 : 1);
}

// x [batch…, M, K] · y [batch…, K, N] or, with adj_y, [batch…, N, K].
Labelled BatchProduct(Builder& b, const Labelled& x, const Labelled& y, const Roles& roles) {
  Shape batch = ShapeOf(x, y, roles.batch);
  const Shape free_x = ShapeOf(x, x, roles.free_x);
  const Shape free_y = ShapeOf(y, y, roles.free_y);
  const Shape contract = ShapeOf(x, y, roles.contract);
  // BATCH_MATMUL has at most rank 5.
  const Shape merged = batch.rank() <= 3 ? batch : Shape{Product(b, batch)};
  auto matrix = [&](const Labelled& v, const std::string& labels, Dim rows, Dim columns) {
    Shape shape = merged;
    shape.Append(rows);
    shape.Append(columns);
    return lrt::Reshape(b, Transposed(b, v, labels).value, shape);
  };
  const Dim m = Product(b, free_x);
  const Dim n = Product(b, free_y);
  const Dim k = Product(b, contract);
  const bool adjoint = y.labels == roles.batch + roles.free_y + roles.contract;
  const Value left = matrix(x, roles.batch + roles.free_x + roles.contract, m, k);
  const Value right = adjoint ? matrix(y, roles.batch + roles.free_y + roles.contract, n, k)
                              : matrix(y, roles.batch + roles.contract + roles.free_y, k, n);
  const Value product = lrt::BatchMatMul(b, left, right, false, adjoint);
  Shape shape = batch;
  for (Dim dim : free_x) shape.Append(dim);
  for (Dim dim : free_y) shape.Append(dim);
  return {lrt::Reshape(b, product, shape), roles.batch + roles.free_x + roles.free_y};
}

// The one with the fewest transposes: of x · y and y · x, with the free labels of the left side in
// the result's order or, where that spares it a transpose, in its own. Attention of grouped
// queries, bkgts,bskh->btkgh, leaves the scores as they are and transposes the smaller result.
Labelled BestBatchProduct(Builder& b, const Labelled& x, const Labelled& y,
                          const std::string& result) {
  std::optional<Roles> best;
  bool is_swapped = false;
  int least = 0;
  for (const bool swapped : {false, true}) {
    const Labelled& left = swapped ? y : x;
    const Labelled& right = swapped ? x : y;
    Roles roles = RolesOf(left, right, result);
    Roles in_place = roles;
    in_place.free_x = Filter(left.labels, [&](char c) { return Has(roles.free_x, c); });
    for (const Roles& candidate : {roles, in_place}) {
      const int count = Transposes(left, right, candidate, result);
      if (best && count >= least) continue;
      best = candidate;
      is_swapped = swapped;
      least = count;
    }
  }
  return is_swapped ? BatchProduct(b, y, x, *best) : BatchProduct(b, x, y, *best);
}

// The product of two operands, in the order `result`; labels outside it are summed.
Value Join(Builder& b, Labelled x, Labelled y, const std::string& result, Value* bias,
           std::string_view bias_labels) {
  x = SummedOut(b, x, result + y.labels);
  y = SummedOut(b, y, result + x.labels);
  for (char c : x.labels) {
    if (!Has(y.labels, c)) continue;
    const Dim p = x.SizeOf(c);
    const Dim q = y.SizeOf(c);
    if (p.is_static() && q.is_static() && p != q) {
      return b.Fail("einsum-4",
                    fmt::format("a label stands for sizes {} and {}", p.value(), q.value()));
    }
  }
  const Roles roles = RolesOf(x, y, result);
  if (roles.contract.empty()) return ElementwiseProduct(b, x, y, result);
  Labelled product;
  if (roles.batch.empty() && y.value.is_constant()) {
    // P…, K, Q with P…, N, Q as the result: the matrix stands on the left.
    const bool inside = roles.contract.size() == 1 && roles.free_y.size() == 1 &&
                        x.labels.size() >= 2 && x.labels.size() <= 5 &&
                        x.labels.find(roles.contract) == x.labels.size() - 2 &&
                        result.find(roles.free_y) == x.labels.size() - 2 &&
                        Filter(result, [&](char c) { return !Has(roles.free_y, c); }) ==
                            Filter(x.labels, [&](char c) { return !Has(roles.contract, c); });
    if (inside) {
      const Value w = Transposed(b, y, roles.free_y + roles.contract).value;
      Shape shape(std::vector<Dim>(x.labels.size() - 2, Dim(1)));
      shape.Append(w.dim(0));
      shape.Append(w.dim(1));
      return lrt::BatchMatMul(b, lrt::Reshape(b, w, shape), x.value);
    }
    product = ConstantProduct(b, x, y, roles, bias, bias_labels);
  } else if (roles.batch.empty() && x.value.is_constant()) {
    product = ConstantProduct(b, y, x, RolesOf(y, x, result), bias, bias_labels);
  } else {
    product = BestBatchProduct(b, x, y, result);
  }
  return Transposed(b, product, result).value;
}

Argument EinsumOp(Builder& b, Arguments& a) {
  // An operation node has the equation in its config, a call in front of the operands.
  const int first = a.Has(-1, "subscripts") ? 0 : 1;
  const std::string equation = a.String(first - 1, "subscripts", "");
  std::vector<Value> operands;
  for (int i = first; i < static_cast<int>(a.num_positional()); ++i) {
    operands.push_back(a.Tensor(i, fmt::format("operand {}", i)));
  }
  return Einsum(b, equation, operands);
}

}  // namespace

bool ParseEinsum(Builder& b, std::string_view equation, const std::vector<int>& ranks,
                 EinsumEquation* result) {
  auto fail = [&](const std::string& why) {
    b.Fail("einsum-1", fmt::format("the equation '{}' {}", equation.substr(0, 100), why));
    return false;
  };
  std::string text = Filter(equation, [](char c) { return c != ' '; });
  std::optional<std::string> output;
  if (const size_t arrow = text.find("->"); arrow != std::string::npos) {
    output = text.substr(arrow + 2);
    text.resize(arrow);
  }
  int widest = 0;
  // The labels of one term; `rank` -1: the output, whose ellipsis has the widest one's axes.
  auto expand = [&](const std::string& term, int rank, std::string* labels) {
    const size_t dots = term.find("...");
    const std::string before = term.substr(0, dots);
    const std::string after = dots == std::string::npos ? "" : term.substr(dots + 3);
    for (char c : before + after) {
      if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'))) return fail("cannot be read");
      if (std::count(term.begin(), term.end(), c) > 1) return fail("takes a diagonal");
    }
    int axes = rank < 0 ? widest : rank - static_cast<int>(before.size() + after.size());
    if (dots == std::string::npos) {
      if (rank >= 0 && axes != 0) return fail("does not fit the operands' ranks");
      axes = 0;
    }
    if (axes < 0) return fail("does not fit the operands' ranks");
    if (axes > 10) return fail("has too many axes");
    if (rank >= 0) widest = std::max(widest, axes);
    *labels = before;
    for (int i = axes - 1; i >= 0; --i) *labels += static_cast<char>('0' + i);
    *labels += after;
    return true;
  };
  result->inputs.clear();
  size_t start = 0;
  for (int rank : ranks) {
    if (start > text.size()) return fail("has too few operands");
    const size_t comma = std::min(text.find(',', start), text.size());
    if (!expand(text.substr(start, comma - start), rank, &result->inputs.emplace_back())) {
      return false;
    }
    start = comma + 1;
  }
  if (start <= text.size()) return fail("has more operands than are given");
  std::string all;
  for (const std::string& labels : result->inputs) all += labels;
  if (output) {
    if (!expand(*output, -1, &result->output)) return false;
    for (char c : result->output) {
      if (!Has(all, c)) return fail("has a label in its result alone");
    }
    return true;
  }
  // Without "->": the ellipsis, then the letters that occur once, sorted.
  result->output.clear();
  for (int i = widest - 1; i >= 0; --i) result->output += static_cast<char>('0' + i);
  std::string once =
      Filter(all, [&](char c) { return c > '9' && std::count(all.begin(), all.end(), c) == 1; });
  std::sort(once.begin(), once.end());
  result->output += once;
  return true;
}

Value Einsum(Builder& b, const EinsumEquation& equation, std::vector<Value> operands, Value bias,
             std::string_view bias_labels) {
  if (operands.empty()) return b.Fail("einsum-2", "no operand is given");
  std::vector<Promotable> types;
  for (Value v : operands) {
    if (!v.ok()) return Value();
    types.emplace_back(v.dtype());
  }
  DType dtype = ResultType(std::span<const Promotable>(types));
  if (dtype == DType::kInt8) dtype = DType::kInt32;  // as Keras has it, not to overflow
  // LiteRT multiplies matrices of floats.
  const DType computed = ir::IsFloat(dtype) ? dtype : DType::kFloat32;
  if (bias.ok()) bias = lrt::Cast(b, bias, computed);
  std::vector<Labelled> parts;
  for (size_t i = 0; i < operands.size(); ++i) {
    parts.push_back({lrt::Cast(b, operands[i], computed), equation.inputs[i]});
  }
  if (parts.size() == 1) {
    const Labelled sum = SummedOut(b, parts[0], equation.output);
    return lrt::Cast(b, Transposed(b, sum, equation.output).value, dtype);
  }
  Labelled left = parts[0];
  for (size_t i = 1; i < parts.size(); ++i) {
    const bool last = i + 1 == parts.size();
    std::string result = equation.output;
    if (!last) {
      std::string needed = equation.output;
      for (size_t j = i + 1; j < parts.size(); ++j) needed += parts[j].labels;
      result = Filter(left.labels, [&](char c) { return Has(needed, c); });
      result +=
          Filter(parts[i].labels, [&](char c) { return Has(needed, c) && !Has(left.labels, c); });
    }
    left = {Join(b, left, parts[i], result, &bias, last ? bias_labels : std::string_view()),
            result};
  }
  if (!left.value.ok()) return Value();
  if (bias.ok()) {
    Shape shape;
    for (char c : equation.output) {
      if (Has(bias_labels, c)) {
        shape.Append(left.SizeOf(c));
      } else if (shape.rank() > 0) {
        shape.Append(1);
      }
    }
    left.value = lrt::Add(b, left.value, lrt::Reshape(b, bias, shape));
  }
  return lrt::Cast(b, left.value, dtype);
}

Value Einsum(Builder& b, std::string_view equation, const std::vector<Value>& operands) {
  std::vector<int> ranks;
  for (Value v : operands) {
    if (!v.ok()) return Value();
    ranks.push_back(v.rank());
  }
  EinsumEquation parsed;
  if (!ParseEinsum(b, equation, ranks, &parsed)) return Value();
  return Einsum(b, parsed, operands);
}

std::span<const OpEntry> EinsumOps() {
  static constexpr OpEntry kOps[] = {{"numpy.einsum", EinsumOp}};
  return kOps;
}

}  // namespace keras_litert::ops
