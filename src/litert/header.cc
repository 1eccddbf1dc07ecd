// Layout of a file:
//
//   0         tables        one FlatBuffer: operators, tensors, small constants, metadata; a
//   multiple of 16 bytes …         weights       in the order of their buffers, each:
//                             (below 2 GB) uint32 length at an address ≡ 12 mod 16
//                             bytes, 16-byte aligned, then zeros up to the next one's place
//
// A vector of a FlatBuffer is found by a relative, unsigned 32-bit offset from the field that
// refers to it. So the tables are built with a dummy in each Buffer.data, and the offsets are
// written in afterwards, when the tables' own size, and with it every weight's place, is known.
// From 2 GB on such offsets do not reach: Buffer.offset and Buffer.size, counted from the start of
// the file, take their place.
#include "litert/header.h"

#include <cstring>
#include <tuple>
#include <vector>

namespace keras_litert::litert {
namespace {

using flatbuffers::FlatBufferBuilder;
using flatbuffers::Offset;

int64_t AlignUp(int64_t value) {
  return (value + kWeightAlignment - 1) / kWeightAlignment * kWeightAlignment;
}

std::vector<int32_t> WrittenShape(const ir::Shape& shape) {
  std::vector<int32_t> sizes;
  for (ir::Dim dim : shape)
    sizes.push_back(dim.is_static() ? static_cast<int32_t>(dim.value()) : 1);
  return sizes;
}

class HeaderBuilder {
 public:
  HeaderBuilder(const ir::Module& module, const Plan& plan,
                const std::map<std::string, std::string>& metadata, bool external)
      : module_(module), plan_(plan), metadata_(metadata), external_(external) {}

  std::vector<uint8_t> Build() {
    std::vector<Offset<tflite::Buffer>> buffers;
    for (const PlannedBuffer& buffer : plan_.buffers) buffers.push_back(BuildBuffer(buffer));
    std::vector<Offset<tflite::Metadata>> metadata;
    for (const auto& [name, bytes] : metadata_) {
      metadata.push_back(tflite::CreateMetadata(fbb_, fbb_.CreateString(name),
                                                static_cast<uint32_t>(buffers.size())));
      buffers.push_back(BuildInline(bytes.data(), bytes.size()));
    }
    std::vector<Offset<tflite::OperatorCode>> codes;
    for (const PlannedCode& code : plan_.codes) codes.push_back(BuildCode(code));
    std::vector<Offset<tflite::SubGraph>> subgraphs;
    for (const PlannedSubgraph& subgraph : plan_.subgraphs)
      subgraphs.push_back(BuildSubgraph(subgraph));
    const auto signatures = BuildSignatures();
    const auto description = fbb_.CreateString(module_.description);
    const auto codes_vector = fbb_.CreateVector(codes);
    const auto subgraphs_vector = fbb_.CreateVector(subgraphs);
    const auto buffers_vector = fbb_.CreateVector(buffers);
    Offset<flatbuffers::Vector<Offset<tflite::Metadata>>> metadata_vector;
    if (!metadata.empty()) metadata_vector = fbb_.CreateVector(metadata);
    tflite::ModelBuilder model(fbb_);
    model.add_version(3);
    model.add_operator_codes(codes_vector);
    model.add_subgraphs(subgraphs_vector);
    model.add_description(description);
    model.add_buffers(buffers_vector);
    model.add_metadata(metadata_vector);
    model.add_signature_defs(signatures);
    tflite::FinishModelBuffer(fbb_, model.Finish());
    return {fbb_.GetBufferPointer(), fbb_.GetBufferPointer() + fbb_.GetSize()};
  }

 private:
  template <typename T>
  using Vectors = std::map<std::vector<T>, Offset<flatbuffers::Vector<T>>>;

  Offset<tflite::Buffer> BuildInline(const void* bytes, size_t size) {
    fbb_.ForceVectorAlignment(size, 1, static_cast<size_t>(kWeightAlignment));
    const auto data = fbb_.CreateVector(static_cast<const uint8_t*>(bytes), size);
    return tflite::CreateBuffer(fbb_, data);
  }

  // Fields of streamed buffers get a dummy that SetPlacements replaces.
  Offset<tflite::Buffer> BuildBuffer(const PlannedBuffer& buffer) {
    if (buffer.constant != nullptr) {
      const auto start = fbb_.StartTable();
      if (external_) {
        fbb_.AddElement<uint64_t>(tflite::Buffer::VT_OFFSET, 1, 0);
        fbb_.AddElement<uint64_t>(tflite::Buffer::VT_SIZE, 1, 0);
      } else {
        fbb_.AddElement<flatbuffers::uoffset_t>(tflite::Buffer::VT_DATA, 1, 0);
      }
      return Offset<tflite::Buffer>(fbb_.EndTable(start));
    }
    if (&buffer == plan_.buffers.data()) return tflite::CreateBuffer(fbb_);
    return BuildInline(buffer.bytes.data(), buffer.bytes.size());
  }

  Offset<tflite::OperatorCode> BuildCode(const PlannedCode& code) {
    // Readers older than the wide field know codes up to 127, a placeholder beyond.
    constexpr auto kPlaceholder =
        static_cast<int32_t>(ir::BuiltinOperator::PLACEHOLDER_FOR_GREATER_OP_CODES);
    const auto narrow =
        static_cast<int8_t>(std::min(static_cast<int32_t>(code.code), kPlaceholder));
    return tflite::CreateOperatorCode(fbb_, narrow, 0, code.version, code.code);
  }

  Offset<tflite::SubGraph> BuildSubgraph(const PlannedSubgraph& subgraph) {
    std::vector<Offset<tflite::Tensor>> tensors;
    for (const PlannedTensor& tensor : subgraph.tensors) tensors.push_back(BuildTensor(tensor));
    std::vector<Offset<tflite::Operator>> operators;
    for (const PlannedOperator& op : subgraph.operators) operators.push_back(BuildOperator(op));
    return tflite::CreateSubGraphDirect(fbb_, &tensors, &subgraph.inputs, &subgraph.outputs,
                                        &operators, subgraph.name.c_str());
  }

  Offset<tflite::Tensor> BuildTensor(const PlannedTensor& tensor) {
    const auto shape_vector = Shared(WrittenShape(tensor.type.shape));
    Offset<flatbuffers::Vector<int32_t>> signature;
    if (!tensor.type.shape.is_static()) {
      std::vector<int32_t> sizes;
      for (ir::Dim dim : tensor.type.shape)
        sizes.push_back(static_cast<int32_t>(dim.value_or_minus_one()));
      signature = Shared(sizes);
    }
    const auto name = fbb_.CreateString(tensor.name);
    Offset<tflite::QuantizationParameters> quantization;
    if (tensor.quantization != nullptr) quantization = BuildQuantization(*tensor.quantization);
    tflite::TensorBuilder builder(fbb_);
    builder.add_shape(shape_vector);
    builder.add_type(SchemaType(tensor.type.dtype));
    builder.add_buffer(tensor.buffer);
    builder.add_name(name);
    builder.add_quantization(quantization);
    builder.add_shape_signature(signature);
    builder.add_has_rank(true);
    return builder.Finish();
  }

  Offset<tflite::QuantizationParameters> BuildQuantization(
      const tflite::QuantizationParametersT& parameters) {
    Offset<flatbuffers::Vector<float>> scale;
    Offset<flatbuffers::Vector<int64_t>> zero_point;
    if (!parameters.scale.empty()) scale = Shared(parameters.scale);
    if (!parameters.zero_point.empty()) zero_point = Shared(parameters.zero_point);
    const auto details = parameters.details.Pack(fbb_);
    auto& known = quantizations_[{scale.o, zero_point.o, parameters.quantized_dimension}];
    if (known.o != 0 && details.o == 0) return known;
    tflite::QuantizationParametersBuilder builder(fbb_);
    builder.add_scale(scale);
    builder.add_zero_point(zero_point);
    builder.add_quantized_dimension(parameters.quantized_dimension);
    builder.add_details_type(parameters.details.type);
    builder.add_details(details);
    const auto built = builder.Finish();
    if (details.o == 0) known = built;
    return built;
  }

  // Written where it is needed first; further places refer to it there. What repeats most: zero
  // points, which are 0 and 8 bytes for each channel, and in copies of a recurrent step everything.
  template <typename T>
  Offset<flatbuffers::Vector<T>> Shared(const std::vector<T>& values) {
    auto& known = std::get<Vectors<T>>(vectors_);
    const auto [found, added] = known.try_emplace(values);
    if (added) found->second = fbb_.CreateVector(values);
    return found->second;
  }

  Offset<tflite::Operator> BuildOperator(const PlannedOperator& op) {
    const auto inputs = fbb_.CreateVector(op.inputs);
    const auto outputs = fbb_.CreateVector(op.outputs);
    const auto options = op.options.Pack(fbb_);
    const auto options2 = op.options2.Pack(fbb_);
    tflite::OperatorBuilder builder(fbb_);
    builder.add_opcode_index(op.code);
    builder.add_inputs(inputs);
    builder.add_outputs(outputs);
    builder.add_builtin_options_type(op.options.type);
    builder.add_builtin_options(options);
    builder.add_builtin_options_2_type(op.options2.type);
    builder.add_builtin_options_2(options2);
    return builder.Finish();
  }

  Offset<flatbuffers::Vector<Offset<tflite::TensorMap>>> BuildMap(
      const std::vector<std::string>& names, const std::vector<int32_t>& tensors) {
    std::vector<Offset<tflite::TensorMap>> entries;
    for (size_t i = 0; i < names.size() && i < tensors.size(); ++i) {
      entries.push_back(tflite::CreateTensorMap(fbb_, fbb_.CreateString(names[i]),
                                                static_cast<uint32_t>(tensors[i])));
    }
    return fbb_.CreateVector(entries);
  }

  Offset<flatbuffers::Vector<Offset<tflite::SignatureDef>>> BuildSignatures() {
    const PlannedSubgraph& main = plan_.subgraphs.front();
    const auto inputs = BuildMap(module_.input_names, main.inputs);
    const auto outputs = BuildMap(module_.output_names, main.outputs);
    const auto key = fbb_.CreateString("serving_default");
    tflite::SignatureDefBuilder signature(fbb_);
    signature.add_inputs(inputs);
    signature.add_outputs(outputs);
    signature.add_signature_key(key);
    signature.add_subgraph_index(0);
    return fbb_.CreateVector(std::vector<Offset<tflite::SignatureDef>>{signature.Finish()});
  }

  const ir::Module& module_;
  const Plan& plan_;
  const std::map<std::string, std::string>& metadata_;
  bool external_;
  FlatBufferBuilder fbb_;
  std::tuple<Vectors<int32_t>, Vectors<float>, Vectors<int64_t>> vectors_;
  // By the places of scale and zero point, and the axis.
  std::map<std::tuple<uint32_t, uint32_t, int32_t>, Offset<tflite::QuantizationParameters>>
      quantizations_;
};

// The places behind a header of `header_size` bytes, and the file's size.
int64_t PlaceWeights(const Plan& plan, int64_t header_size, bool external,
                     std::vector<Placement>* placements) {
  int64_t end = header_size;
  for (size_t i = 0; i < plan.buffers.size(); ++i) {
    if (plan.buffers[i].constant == nullptr) continue;
    const auto size = static_cast<int64_t>(plan.buffers[i].constant->byte_size());
    const int64_t offset = AlignUp(end + (external ? 0 : 4));
    placements->push_back({static_cast<uint32_t>(i), offset, size});
    end = offset + size;
  }
  return end;
}

// Puts the weights' places into the tables.
void SetPlacements(Layout& layout) {
  uint8_t* base = layout.header.data();
  const tflite::Model* model = tflite::GetModel(base);
  auto position = [&](uint32_t buffer, flatbuffers::voffset_t field) {
    const auto* table = reinterpret_cast<const flatbuffers::Table*>(model->buffers()->Get(buffer));
    return static_cast<int64_t>(table->GetAddressOf(field) - base);
  };
  for (const Placement& place : layout.placements) {
    if (layout.external) {
      flatbuffers::WriteScalar(base + position(place.buffer, tflite::Buffer::VT_OFFSET),
                               static_cast<uint64_t>(place.offset));
      flatbuffers::WriteScalar(base + position(place.buffer, tflite::Buffer::VT_SIZE),
                               static_cast<uint64_t>(place.size));
    } else {
      const int64_t field = position(place.buffer, tflite::Buffer::VT_DATA);
      flatbuffers::WriteScalar(base + field,
                               static_cast<flatbuffers::uoffset_t>(place.offset - 4 - field));
    }
  }
}

}  // namespace

Layout LayOut(const ir::Module& module, const Plan& plan,
              const std::map<std::string, std::string>& metadata, int64_t limit) {
  Layout layout;
  for (const bool external : {false, true}) {
    layout = {.header = HeaderBuilder(module, plan, metadata, external).Build()};
    layout.external = external;
    layout.total = PlaceWeights(plan, static_cast<int64_t>(layout.header.size()), external,
                                &layout.placements);
    if (layout.total < limit) break;
  }
  SetPlacements(layout);
  return layout;
}

}  // namespace keras_litert::litert
