#include "passes/rewrites.h"
#include "snapshot.h"

namespace keras_litert::passes {
namespace {

using ir::Builder;
using ir::BuiltinOperator;
using ir::DType;
using ir::Shape;
using ir::Value;

TEST(SimplifyReshapesTest, MergesAndRemoves) {
  TestModule t;
  const Value x = t.Input("x", {t.Batch(), 4, 6});
  const Value flat = lrt::Reshape(t.b, x, {t.Batch(), 24});
  const Value y = lrt::Reshape(t.b, flat, {t.Batch(), 2, 12});
  const Value same = lrt::Reshape(t.b, flat, {t.Batch(), 4, 6});
  t.Output(y);
  t.Output(lrt::Add(t.b, same, x));
  ExpectRewrite("simplify_reshapes", t, [](ir::Module& m) {
    SimplifyReshapes(m);
    RemoveDeadCode(m);
  });
}

}  // namespace
}  // namespace keras_litert::passes
