"""Core layers against Keras."""

import zipfile

import keras
import numpy as np
import pytest
from keras import layers, ops
from oracle import check, check_layer, check_refused, refused, save, shows, workplace


@shows("layers.Dense", "units", "use_bias", "activation")
@pytest.mark.parametrize("use_bias", [True, False])
@pytest.mark.parametrize("activation", [None, "relu", "sigmoid", "softmax"])
@pytest.mark.parametrize("shape", [(7,), (3, 7), (2, 3, 7)], ids=str)
def test_dense(shape, use_bias, activation):
    check_layer(layers.Dense(5, use_bias=use_bias, activation=activation), shape)


@shows("layers.Dense")
@pytest.mark.parametrize("shape", [(None, 7), (None, 2, 7), (None, None, 7)], ids=str)
def test_dense_dynamic(shape):
    check_layer(layers.Dense(5), shape)


@shows("layers.Dense", "lora_rank", "lora_alpha")
def test_dense_lora():
    check_layer(layers.Dense(5, lora_rank=2, lora_alpha=3), (7,))


@shows("layers.Dense", "units")
def test_dense_shared():
    """One layer called twice: its weights are one tensor."""
    shared = layers.Dense(6)
    x = keras.Input((6,), name="x")
    check(keras.Model(x, shared(shared(x))))


def test_dense_relu_is_one_operator():
    result = check_layer(layers.Dense(4, activation="relu"), (6,))
    assert result.operators == {"FULLY_CONNECTED": 1}


@shows("layers.InputLayer")
def test_input_dictionary():
    """Dict keys name the inputs and outputs, in Keras's (sorted) order."""
    a, b = keras.Input((4,), name="first"), keras.Input((3,), name="second")
    outputs = {"z": layers.Dense(2)(a), "c": layers.Dense(3)(b)}
    check(keras.Model({"y": a, "b": b}, outputs))


@shows("layers.InputLayer")
def test_input_list():
    a, b = keras.Input((4,), name="first"), keras.Input((3,), name="second")
    check(keras.Model([a, b], [layers.Dense(2)(b), layers.Dense(3)(a)]))


@shows("layers.InputLayer")
def test_input_unused():
    """An input that nothing reads is still an input of the file."""
    a, b = keras.Input((4,), name="used"), keras.Input((3,), name="unused")
    check(keras.Model([a, b], layers.Dense(2)(a)))


@shows("layers.InputLayer", "optional")
def test_input_optional():
    """The file's inputs are all required: LiteRT knows no absent ones."""
    a, b = keras.Input((4,), name="first"), keras.Input((4,), name="second", optional=True)
    check(keras.Model([a, b], layers.Add()([a, b])))


@shows("layers.InputLayer", "batch_size")
def test_input_fixed_batch():
    x = keras.Input((4,), batch_size=3)
    check(keras.Model(x, layers.Dense(2)(x)))


@shows("layers.Identity")
def test_identity_only():
    """An input that is an output as it is."""
    check_layer(layers.Identity(), (3, 4))


@shows("layers.Dense")
def test_dense_h5():
    x = keras.Input((4,))
    check(keras.Model(x, layers.Dense(2)(x)), extension=".h5")


@shows("layers.Dense", "lora_rank")
def test_dense_enable_lora():
    layer = layers.Dense(5)
    x = keras.Input((7,))
    model = keras.Model(x, layer(x))
    layer.enable_lora(2, lora_alpha=3)
    check(model)
    check_refused_lora_h5(model)


def check_refused_lora_h5(model):
    with workplace() as folder:
        check_refused(save(model, folder, ".h5"), code="lora-1")


@shows("layers.EinsumDense", "equation", "output_shape", "bias_axes", "activation")
@pytest.mark.parametrize(
    "equation,shape,output_shape,bias_axes",
    [
        ("ab,bc->ac", (7,), 5, "c"),
        ("ab,bc->ac", (7,), 5, None),
        ("abc,cd->abd", (3, 7), (3, 5), "d"),
        ("abc,cd->abd", (None, 7), (None, 5), "d"),
        ("...x,xy->...y", (2, 3, 7), 5, "y"),
        ("...x,xy->...y", (None, None, 7), 5, "y"),
        ("abc,cde->abde", (None, 6), (None, 2, 4), "de"),
        ("abc,cde->abde", (3, 6), (3, 2, 4), "e"),
        ("abc,cde->abed", (3, 6), (3, 4, 2), "ed"),
        ("abcd,cde->abe", (None, 2, 3), (None, 5), "e"),
        ("abcd,dce->abe", (4, 2, 3), (4, 5), "e"),
        ("abc,bd->adc", (3, 6), (4, 6), "d"),
        ("abc,bcd->ad", (3, 4), 5, "d"),
        ("abc,bde->adce", (3, 4), (2, 4, 5), "de"),
        ("abc,bcd->abd", (3, 4), (3, 5), "bd"),
        ("abc,bcd->abd", (3, 4), (3, 5), "b"),
        ("abc,abc->abc", (3, 4), (3, 4), "c"),
        ("abc,c->abc", (3, 4), (3, 4), None),
        ("abc,dc->abd", (3, 7), (3, 5), "d"),
        ("ab...,bc->ac...", (4, 3, 2), (5,), "c"),
        ("abc,cd->ad", (3, 7), 5, "d"),
    ],
)
def test_einsum_dense(equation, shape, output_shape, bias_axes):
    if equation == "abc,abc->abc":
        check_layer(layers.EinsumDense(equation, output_shape, bias_axes=bias_axes), shape, batch=2)
        return
    layer = layers.EinsumDense(
        equation, output_shape, bias_axes=bias_axes, activation="tanh" if bias_axes else None
    )
    check_layer(layer, shape)


@shows("layers.EinsumDense", "lora_rank", "lora_alpha")
def test_einsum_dense_lora():
    layer = layers.EinsumDense("abc,cd->abd", (None, 5), lora_rank=2, lora_alpha=3)
    check_layer(layer, (None, 7))


def test_einsum_dense_is_one_operator():
    result = check_layer(layers.EinsumDense("...x,xy->...y", 5, bias_axes="y"), (4, 7))
    assert result.operators == {"FULLY_CONNECTED": 1}


@shows("ops.einsum")
@pytest.mark.parametrize(
    "equation,shapes",
    [
        ("abc,acd->abd", [(3, 4), (4, 5)]),
        ("abc,adc->abd", [(3, 4), (5, 4)]),
        ("acb,acd->abd", [(4, 3), (4, 5)]),
        ("acb,adc->abd", [(4, 3), (5, 4)]),
        ("aecd,abcd->acbe", [(5, 2, 3), (4, 2, 3)]),
        ("acbe,aecd->abcd", [(2, 4, 5), (5, 2, 3)]),
        ("abcde,abcdf->abcdef", [(2, 1, 3, 2), (2, 1, 3, 4)]),
        ("abcde,abfde->abcfd", [(2, 3, 2, 4), (2, 5, 2, 4)]),
        ("ab,ac->abc", [(3,), (4,)]),
        ("ab,ab->a", [(3,), (3,)]),
        ("abc,ad->abd", [(3, 2), (4,)]),
        ("...ij,...jk->...ik", [(2, 3, 4), (2, 4, 5)]),
        ("a...j,a...j->a...", [(2, 3), (2, 3)]),
        ("abc->acb", [(3, 4)]),
        ("abc->a", [(3, 4)]),
        ("abc,acd,ade->abe", [(3, 4), (4, 5), (5, 2)]),
    ],
)
def test_einsum(equation, shapes):
    inputs = [keras.Input(shape, name=f"x{i}") for i, shape in enumerate(shapes)]
    check(keras.Model(inputs, ops.einsum(equation, *inputs)))


@shows("layers.Embedding", "input_dim", "output_dim", "mask_zero")
@pytest.mark.parametrize("dtype", ["int32", "int64", "float32", "uint8"])
@pytest.mark.parametrize("shape", [(), (4,), (None,), (None, 3, None)], ids=str)
def test_embedding(shape, dtype):
    check_layer(layers.Embedding(8, 5, mask_zero=True), shape, dtype=dtype, low=0, high=8)


@shows("layers.Embedding", "lora_rank", "lora_alpha")
def test_embedding_lora():
    check_layer(layers.Embedding(8, 5, lora_rank=2, lora_alpha=3), (4,), dtype="int32")


@shows("layers.InputLayer", "shape", "batch_shape")
def test_input_layer():
    x = layers.InputLayer(shape=(None, 3), name="x").output
    y = layers.InputLayer(batch_shape=(2, 5, 3), dtype="int32", name="y").output
    model = keras.Model([x, y], layers.Dense(2)(x) + ops.cast(y, "float32")[..., :2])
    check(model, [[np.ones((2, 5, 3), "float32"), np.arange(30).reshape(2, 5, 3)]])


def test_embedding_h5():
    x = keras.Input((4,), dtype="int32")
    check(keras.Model(x, layers.Embedding(8, 5, input_length=4)(x)), extension=".h5")


@shows("layers.ReversibleEmbedding", "input_dim", "output_dim")
@shows("layers.ReversibleEmbedding", "tie_weights", "logit_soft_cap", "reverse_dtype", "mask_zero")
@pytest.mark.parametrize("tie_weights", [True, False])
@pytest.mark.parametrize("soft_cap", [None, 0.7])
@pytest.mark.parametrize("reverse_dtype", [None, "float32"])
def test_reversible_embedding(tie_weights, soft_cap, reverse_dtype):
    layer = layers.ReversibleEmbedding(
        8,
        5,
        tie_weights=tie_weights,
        logit_soft_cap=soft_cap,
        reverse_dtype=reverse_dtype,
        mask_zero=True,
    )
    x = keras.Input((None,), dtype="int32")
    y = layer(x)
    check(keras.Model(x, [y, layer(layers.Dense(5)(y), reverse=True)]))


@refused("layers.Lambda", "holds Python code; export such models with the Python package")
def test_lambda():
    x = keras.Input((3,))
    check_refused(keras.Model(x, layers.Lambda(lambda t: t + 1)(x)), code="lambda-1")


FOREIGN = "runs code of another framework, which is not in the file"


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=refused(f"layers.{name}", FOREIGN))
        for name in ("FlaxLayer", "JaxLayer", "TFSMLayer", "TorchModuleWrapper")
    ],
)
def test_code_of_other_frameworks(name, tmp_path):
    """A file that names the class; it cannot be made without the framework."""
    path = save(keras.Sequential([layers.Input((3,)), layers.Identity()]), tmp_path)
    with zipfile.ZipFile(path) as archive:
        files = {entry: archive.read(entry) for entry in archive.namelist()}
    files["config.json"] = files["config.json"].replace(b'"Identity"', f'"{name}"'.encode())
    with zipfile.ZipFile(path, "w") as archive:
        for entry, data in files.items():
            archive.writestr(entry, data)
    check_refused(path, code="foreign-1", contains=name)


@pytest.mark.parametrize("policy", ["mixed_float16", "float16", "mixed_bfloat16"])
def test_low_precision(policy):
    x = keras.Input((4,), dtype="int32")
    y = layers.Embedding(8, 5, dtype=policy)(x)
    outputs = [
        layers.Dense(6, activation="gelu", dtype=policy)(y),
        layers.EinsumDense("abc,cde->abde", (None, 2, 3), bias_axes="de", dtype=policy)(y),
        layers.Masking(dtype=policy)(y),
    ]
    check(keras.Model(x, [y, *outputs]), tolerance=4e-2 if "bfloat" in policy else 4e-3)
