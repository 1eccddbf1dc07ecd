#include "archive/archive.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "test_files.h"

namespace keras_litert::archive {
namespace {

using ::testing::ElementsAre;

std::string Weights() {
  Hdf5Writer file;
  file.Write("layers/conv2d/vars/0", {1, 2, 3});
  file.Write("layers/conv2d/vars/1", {4});
  file.Write("optimizer/vars/0", {5});
  return file.Finish();
}

Result<std::shared_ptr<const Archive>> OpenFile(const std::string& name,
                                                const std::string& content) {
  TemporaryFolder folder;  // a mapping outlives its file
  WriteFile(folder / name, content);
  return Open(folder / name);
}

std::string ErrorOf(const std::string& name, const std::string& content) {
  const auto archive = OpenFile(name, content);
  return archive ? "no error" : archive.error().ToString();
}

TEST(ArchiveTest, StoredEntryGivesViewsOfTheMappedFile) {
  const auto archive = OpenFile("m.keras", Keras(Weights()));
  ASSERT_TRUE(archive.has_value()) << archive.error().ToString();
  EXPECT_EQ((*archive)->layout(), WeightLayout::kObjectPath);
  EXPECT_EQ((*archive)->config(), R"({"class_name": "Functional"})");
  EXPECT_EQ((*archive)->keras_version(), "3.15.1");
  ASSERT_EQ((*archive)->Weights().size(), 2U) << "the optimizer's state is left out";
  EXPECT_EQ((*archive)->Weights()[1].path, "layers/conv2d/vars/1");
  const ir::ConstantPtr weight = (*archive)->Find("layers/conv2d/vars/0");
  ASSERT_NE(weight, nullptr);
  EXPECT_EQ(weight->type().ToString(), "float32[3]");
  EXPECT_EQ(weight->Describe(), "view");
  EXPECT_THAT(*ir::EvaluateAs<float>(weight), ElementsAre(1, 2, 3));
  weight->Release();
  EXPECT_THAT(*ir::EvaluateAs<float>(weight), ElementsAre(1, 2, 3));
  EXPECT_EQ((*archive)->Find("layers/conv2d/vars/2"), nullptr);
}

TEST(ArchiveTest, WeightsOutliveTheArchive) {
  ir::ConstantPtr weight;
  {
    const auto archive = OpenFile("m.keras", Keras(Weights()));
    ASSERT_TRUE(archive.has_value());
    weight = (*archive)->Find("layers/conv2d/vars/0");
  }
  EXPECT_THAT(*ir::EvaluateAs<float>(weight), ElementsAre(1, 2, 3));
}

TEST(ArchiveTest, DeflatedEntryGivesTheSameWeights) {
  const auto archive = OpenFile(
      "m.keras", Zip({{"config.json", "{}"}, {"model.weights.h5", Weights()}}, ZIP_CM_DEFLATE));
  ASSERT_TRUE(archive.has_value()) << archive.error().ToString();
  EXPECT_EQ((*archive)->config(), "{}");
  EXPECT_EQ((*archive)->keras_version(), "");
  EXPECT_THAT(*ir::EvaluateAs<float>((*archive)->Find("layers/conv2d/vars/0")),
              ElementsAre(1, 2, 3));
}

TEST(ArchiveTest, AssetsAreListedAndRead) {
  const auto archive = OpenFile("m.keras", Zip({{"config.json", "{}"},
                                                {"model.weights.h5", Weights()},
                                                {"assets/layer/vocabulary.txt", "a\nb\n"}}));
  ASSERT_TRUE(archive.has_value()) << archive.error().ToString();
  EXPECT_THAT((*archive)->AssetPaths(), ElementsAre("assets/layer/vocabulary.txt"));
  EXPECT_EQ(*(*archive)->ReadAsset("assets/layer/vocabulary.txt"), "a\nb\n");
  EXPECT_FALSE((*archive)->ReadAsset("assets/layer/../vocabulary.txt").has_value());
  EXPECT_FALSE((*archive)->ReadAsset("config.json").has_value());
}

TEST(ArchiveTest, ShardsAreJoined) {
  Hdf5Writer first;
  first.Write("layers/a/vars/0", {1});
  Hdf5Writer second;
  second.Write("layers/a/vars/1", {2});
  const std::string one = first.Finish();
  const std::string two = second.Finish();
  const std::string map = R"({"weight_map": {"/layers/a/vars": ["x_0.h5", "x_1.h5"]}})";
  const auto archive = OpenFile(
      "m.keras",
      Zip({{"config.json", "{}"}, {"model.weights.json", map}, {"x_0.h5", one}, {"x_1.h5", two}}));
  ASSERT_TRUE(archive.has_value()) << archive.error().ToString();
  EXPECT_THAT(*ir::EvaluateAs<float>((*archive)->Find("layers/a/vars/0")), ElementsAre(1));
  EXPECT_THAT(*ir::EvaluateAs<float>((*archive)->Find("layers/a/vars/1")), ElementsAre(2));
  EXPECT_EQ(ErrorOf("m.keras",
                    Zip({{"config.json", "{}"}, {"model.weights.json", map}, {"x_0.h5", one}})),
            "m.keras: model.weights.json: archive-13: the shard `x_1.h5` is missing\n"
            "  help: Put all shards beside the map, or save the weights again.");
  EXPECT_EQ(ErrorOf("m.keras", Zip({{"config.json", "{}"},
                                    {"model.weights.json", map},
                                    {"x_0.h5", one},
                                    {"x_1.h5", one}})),
            "m.keras: x_1.h5: layers/a/vars/0: archive-13: two shards hold this weight\n"
            "  help: Save the weights again with Keras.");
  EXPECT_THAT(ErrorOf("m.keras", Zip({{"config.json", "{}"},
                                      {"model.weights.json", std::string(100000, '[')}})),
              ::testing::HasSubstr("archive-16: it is nested more than 1000 deep"));
  EXPECT_THAT(ErrorOf("m.keras", Zip({{"config.json", "{}"}, {"model.weights.json", "[]"}})),
              ::testing::HasSubstr("archive-13: it is no JSON object with a `weight_map`"));
  EXPECT_THAT(ErrorOf("m.keras",
                      Zip({{"config.json", "{}"},
                           {"model.weights.json", R"({"weight_map": {"/vars": ["../a.h5"]}})"}})),
              ::testing::HasSubstr("archive-13: the shard `../a.h5` is missing"));
}

TEST(ArchiveTest, PathsOfTensorFlows213AreKeras3s) {
  Hdf5Writer file;
  const std::string old = "_layer_checkpoint_dependencies/";
  file.Write(old + "dense/vars/0", {1});
  file.Write(old + "functional/" + old + "dense/cell/vars/0", {2});
  const auto archive = OpenFile("m.keras", Keras(file.Finish()));
  ASSERT_TRUE(archive.has_value()) << archive.error().ToString();
  EXPECT_THAT(*ir::EvaluateAs<float>((*archive)->Find("layers/dense/vars/0")), ElementsAre(1));
  EXPECT_THAT(
      *ir::EvaluateAs<float>((*archive)->Find("layers/functional/layers/dense/cell/vars/0")),
      ElementsAre(2));
}

TEST(ArchiveTest, FoldersAreRead) {
  TemporaryFolder folder;
  WriteFile(folder / "config.json", "{}");
  WriteFile(folder / "model.weights.h5", Weights());
  std::filesystem::create_directory(folder / "assets");
  WriteFile(folder / "assets/v.txt", "x");
  const auto archive = Open(folder.path());
  ASSERT_TRUE(archive.has_value()) << archive.error().ToString();
  EXPECT_EQ((*archive)->Find("layers/conv2d/vars/1")->Describe(), "view");
  EXPECT_THAT((*archive)->AssetPaths(), ElementsAre("assets/v.txt"));
  EXPECT_EQ(*(*archive)->ReadAsset("assets/v.txt"), "x");
}

TEST(ArchiveTest, MissingPartsAreErrors) {
  EXPECT_EQ(ErrorOf("m.keras", Zip({{"a.txt", "x"}})),
            "m.keras: archive-5: there is no `config.json` in it\n"
            "  help: This is no saved Keras model; save one with `model.save(\"model.keras\")`.");
  EXPECT_EQ(ErrorOf("m.keras", Zip({{"model/config.json", "{}"}, {"model/model.weights.h5", "x"}})),
            "m.keras: archive-5: `config.json` lies in the folder `model/`, not at the top\n"
            "  help: Zip the files of that folder, not the folder itself.");
  EXPECT_EQ(ErrorOf("m.keras", Zip({{"config.json", "{}"}})),
            "m.keras: archive-5: there is neither `model.weights.h5` nor `model.weights.json` in "
            "it\n  help: Save the whole model again with `model.save(\"model.keras\")`.");
  EXPECT_THAT(ErrorOf("m.keras", Zip({{"config.json", "{}"}, {"model.weights.npz", "x"}})),
              ::testing::HasSubstr("archive-5: its weights are in NumPy's npz format"));
  EXPECT_EQ(ErrorOf("m.keras", Zip({{"config.json", "{}"}, {"model.weights.h5", "x"}})),
            "m.keras: model.weights.h5: archive-6: is no HDF5 file\n"
            "  help: Copy or download the file again, or save the model again.");
  for (const std::string& content : {std::string(), std::string("hello"), std::string(5000, 'x')}) {
    EXPECT_EQ(ErrorOf("m.txt", content),
              "m.txt: archive-1: is neither a zip (.keras) nor an HDF5 (.h5, .hdf5) file\n"
              "  help: Name a model that `model.save(\"model.keras\")` wrote.");
  }
  EXPECT_EQ(
      ErrorOf("w.weights.h5", Weights()),
      "w.weights.h5: archive-14: the HDF5 file holds no model, at most weights\n"
      "  help: Save the whole model with `model.save(\"model.keras\")`, not its weights only.");
}

// Whole-model files. h5py writes lists of bytes as strings of variable length and NumPy's arrays of
// bytes, which Keras uses where a list is long, as strings of fixed length.
TEST(WholeModelHdf5Test, LayersKeepTheFilesOrder) {
  for (const size_t fixed : {0, 40}) {
    Hdf5Writer file;
    file.WriteStrings("/", "model_config", {R"({"class_name": "Sequential"})"}, fixed, true);
    file.WriteStrings("/", "keras_version", {"2.2.4"}, fixed, true);
    file.Write("model_weights/b/b/kernel:0", {1, 2});
    file.Write("model_weights/b/b/bias:0", {3});
    file.MakeGroup("model_weights/a");
    file.Write("model_weights/block/conv/block/conv/kernel:0", {4});
    file.Write("model_weights/top_level_model_weights/scale", {5});
    file.Write("optimizer_weights/adam/m", {6});
    file.WriteStrings("model_weights", "layer_names0", {"b", "a"}, fixed);
    file.WriteStrings("model_weights", "layer_names1", {"block/conv"}, fixed);
    file.WriteStrings("model_weights/b", "weight_names", {"b/kernel:0", "b/bias:0"}, fixed);
    const hid_t group = H5Oopen(file.file(), "model_weights/a", H5P_DEFAULT);
    const hsize_t none = 0;
    const hid_t space = H5Screate_simple(1, &none, nullptr);  // NumPy's empty list is of float64
    H5Aclose(H5Acreate2(group, "weight_names", H5T_IEEE_F64LE, space, H5P_DEFAULT, H5P_DEFAULT));
    H5Sclose(space);
    H5Oclose(group);
    file.WriteStrings("model_weights/block/conv", "weight_names", {"block/conv/kernel:0"}, fixed);
    file.WriteStrings("model_weights/top_level_model_weights", "weight_names", {"scale"}, fixed);
    const auto archive = OpenFile("m.h5", file.Finish());
    ASSERT_TRUE(archive.has_value()) << archive.error().ToString();
    EXPECT_EQ((*archive)->layout(), WeightLayout::kLayerOrder);
    EXPECT_EQ((*archive)->config(), R"({"class_name": "Sequential"})");
    EXPECT_EQ((*archive)->keras_version(), "2.2.4");
    const std::vector<StoredLayer>& layers = (*archive)->Layers();
    ASSERT_EQ(layers.size(), 3U);
    EXPECT_EQ(layers[0].name, "b");
    ASSERT_EQ(layers[0].weights.size(), 2U);
    EXPECT_EQ(layers[0].weights[0].path, "b/kernel:0");
    EXPECT_THAT(*ir::EvaluateAs<float>(layers[0].weights[0].value), ElementsAre(1, 2));
    EXPECT_THAT(*ir::EvaluateAs<float>(layers[0].weights[1].value), ElementsAre(3));
    EXPECT_EQ(layers[1].name, "a");
    EXPECT_TRUE(layers[1].weights.empty());
    EXPECT_EQ(layers[2].name, "block/conv");
    EXPECT_THAT(*ir::EvaluateAs<float>(layers[2].weights.at(0).value), ElementsAre(4));
    ASSERT_EQ((*archive)->TopLevelWeights().size(), 1U);
    EXPECT_THAT(*ir::EvaluateAs<float>((*archive)->TopLevelWeights()[0].value), ElementsAre(5));
    EXPECT_EQ((*archive)->Weights().size(), 4U);
  }
}

TEST(WholeModelHdf5Test, AllMissingWeightsAreReportedAtOnce) {
  Hdf5Writer file;
  file.WriteStrings("/", "model_config", {"{}"}, 0, true);
  file.MakeGroup("model_weights/a");
  file.WriteStrings("model_weights", "layer_names", {"a", "gone"});
  file.WriteStrings("model_weights/a", "weight_names", {"kernel"});
  EXPECT_EQ(ErrorOf("m.h5", file.Finish()),
            "m.h5: model_weights/a: archive-14: weight `kernel` is listed but missing\n"
            "  help: Save the model again with `model.save(\"model.keras\")`.\n"
            "m.h5: model_weights/gone: archive-14: the layer is listed but its group is missing\n"
            "  help: Save the model again with `model.save(\"model.keras\")`.");
}

}  // namespace
}  // namespace keras_litert::archive
