// Snapshot tests of rewrites: the graph's text before and after, in
// tests/cpp/passes/snapshots/NAME.txt. UPDATE_SNAPSHOTS=1 writes them; read the diff before you
// commit it.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <functional>
#include <sstream>
#include <string>

#include "ir/operators.h"
#include "ir/print.h"
#include "passes/rewrites.h"

namespace keras_litert::passes {

// A module under construction: inputs, then operators through `b`, then outputs.
struct TestModule {
  ir::Module module;
  ir::BuildContext context{module, {}, {}, 0};
  ir::Builder b{context, module.main()};

  ir::Value Input(const std::string& name, ir::Shape shape, ir::DType dtype = ir::DType::kFloat32) {
    return ir::Value(module.main().AddInput({dtype, std::move(shape)}, name));
  }
  ir::Dim Batch() {
    if (batch_ == ir::Dim(0)) batch_ = module.symbols.NewInput("batch");
    return batch_;
  }
  // A float constant 1, 2, 3 … scaled by `step`.
  ir::Value Ramp(const ir::Shape& shape, float step = 1) {
    std::vector<float> values(static_cast<size_t>(shape.NumElements()));
    for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i + 1) * step;
    return b.Constant(ir::DType::kFloat32, shape, values);
  }
  void Output(ir::Value value) {
    ASSERT_TRUE(value.ok());
    module.main().outputs().push_back(value.tensor());
  }
  size_t NumOperators() { return module.main().NumOperators(); }

 private:
  ir::Dim batch_ = 0;
};

// Runs `pass` on the module and compares "before ⇒ after" with the snapshot.
inline void ExpectRewrite(const std::string& name, TestModule& test, void (*pass)(ir::Module&)) {
  for (const Diagnostic& error : test.context.errors) FAIL() << error.ToString();
  std::string text = "before: " + ir::Print(test.module);
  pass(test.module);
  text += "after: " + ir::Print(test.module);
  const std::string path = std::string(SNAPSHOT_DIR) + "/" + name + ".txt";
  if (std::getenv("UPDATE_SNAPSHOTS") != nullptr) {
    std::ofstream(path) << text;
    return;
  }
  std::ifstream file(path);
  ASSERT_TRUE(file) << path << " is missing; run with UPDATE_SNAPSHOTS=1";
  std::stringstream stored;
  stored << file.rdbuf();
  EXPECT_EQ(stored.str(), text) << "If the change is wanted, run with UPDATE_SNAPSHOTS=1.";
}

}  // namespace keras_litert::passes
