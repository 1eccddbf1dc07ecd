"""Attention layers and operations against Keras."""

import keras
import numpy as np
import pytest
from keras import layers, ops
from oracle import check, not_on_jax, random_array, shows


def ids(*shape, seed=0):
    """Token ids with zeros, which Embedding masks; a first row without any but one."""
    rng = np.random.default_rng(seed)
    x = rng.integers(0, 3, shape).astype("int32")
    x[..., 0] = 1
    return x


MHA = {
    "plain": {},
    "no_bias": {"use_bias": False},
    "value_dim": {"value_dim": 5},
    "output_shape": {"output_shape": 4},
    "output_shape_2d": {"output_shape": (2, 4)},
    "gate": {"use_gate": True, "value_dim": 4},
    "dropout": {"dropout": 0.3},
    "sliding_window": {"sliding_window": 2},
}


@shows(
    "layers.MultiHeadAttention",
    "num_heads",
    "key_dim",
    "value_dim",
    "output_shape",
    "use_bias",
    "use_gate",
    "dropout",
    "sliding_window",
)
@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("length", [(4, 5), (None, None)], ids=str)
@pytest.mark.parametrize(
    "case",
    [
        pytest.param(case, marks=not_on_jax("attention takes value_dim for key_dim"))
        if "value_dim" in MHA[case]
        else case
        for case in MHA
    ],
)
def test_multi_head_attention(case, length, causal):
    query = keras.Input((length[0], 6), name="query")
    value = keras.Input((length[1], 7), name="value")
    layer = layers.MultiHeadAttention(2, 3, **MHA[case])
    model = keras.Model([query, value], layer(query, value, use_causal_mask=causal))
    rng = np.random.default_rng(0)
    sets = [
        [random_array(rng, (n, t or 4, 6), "float32"), random_array(rng, (n, s or 5, 7), "float32")]
        for n, (t, s) in [(1, length), (3, (length[0] or 6, length[1] or 3))]
    ]
    check(model, sets)


@shows("layers.MultiHeadAttention", "key", "return_attention_scores", "use_causal_mask")
@pytest.mark.parametrize("dropout", [0.0, 0.1])
@pytest.mark.parametrize("causal", [False, True])
def test_multi_head_attention_scores(causal, dropout):
    x = keras.Input((5, 6), name="query")
    v = keras.Input((5, 4), name="value")
    k = keras.Input((5, 3), name="key")
    layer = layers.MultiHeadAttention(2, 3, dropout=dropout)
    outputs = layer(x, v, key=k, return_attention_scores=True, use_causal_mask=causal)
    check(keras.Model([x, v, k], outputs))


@shows("layers.MultiHeadAttention", "attention_mask")
@pytest.mark.parametrize("scores", [False, True])
@pytest.mark.parametrize("rank", [2, 3, 4])
@pytest.mark.parametrize("dtype", ["bool", "float32"])
def test_multi_head_attention_mask(rank, scores, dtype):
    """A query that sees no key, too."""
    x = keras.Input((4, 6), name="x")
    shape = {2: (4, 4), 3: (3, 4, 4), 4: (3, 2, 4, 4)}[rank]
    mask = keras.Input(batch_shape=shape, name="mask", dtype=dtype)
    outputs = layers.MultiHeadAttention(2, 3)(
        x, x, attention_mask=mask, return_attention_scores=scores, use_causal_mask=True
    )
    rng = np.random.default_rng(0)
    m = random_array(rng, shape, "bool")
    m[..., 1, :] = False
    check(
        keras.Model([x, mask], outputs),
        [[random_array(rng, (3, 4, 6), "float32"), m.astype(dtype)]],
    )


@shows("layers.MultiHeadAttention", "query_mask", "value_mask", "key_mask")
@pytest.mark.parametrize("length", [5, None])
@pytest.mark.parametrize("scores", [False, True])
def test_multi_head_attention_carried_masks(length, scores):
    """Masks of embeddings, into the layer and on to the next."""
    q = keras.Input((length,), name="q", dtype="int32")
    v = keras.Input((length,), name="v", dtype="int32")
    query = layers.Embedding(3, 6, mask_zero=True)(q)
    value = layers.Embedding(3, 4, mask_zero=True)(v)
    cross = layers.MultiHeadAttention(2, 3)
    own = layers.MultiHeadAttention(3, 2)
    y = cross(query, value, return_attention_scores=scores)
    first = y[0] if scores else y
    z = own(first, first, use_causal_mask=True)
    outputs = [*y, z] if scores else [y, z]
    sets = [[ids(n, length or t), ids(n, length or t, seed=1)] for n, t in [(1, 4), (3, 6)]]
    check(keras.Model([q, v], outputs), sets)


@shows("layers.MultiHeadAttention", "query_mask", "value_mask", "key_mask")
def test_multi_head_attention_given_masks():
    x = keras.Input((4, 6), name="x")
    v = keras.Input((5, 6), name="v")
    masks = {
        name: keras.Input((size,), name=name, dtype="bool")
        for name, size in [("query_mask", 4), ("value_mask", 5), ("key_mask", 5)]
    }
    layer = layers.MultiHeadAttention(2, 3)
    outputs = [
        layer(x, v, value_mask=masks["value_mask"]),
        layer(x, v, key=v, **masks),
    ]
    rng = np.random.default_rng(0)
    arrays = [random_array(rng, (3, 4, 6), "float32"), random_array(rng, (3, 5, 6), "float32")]
    arrays += [random_array(rng, (3, m.shape[1]), "bool") for m in masks.values()]
    check(keras.Model([x, v, *masks.values()], outputs), [arrays])


@shows("layers.MultiHeadAttention", "attention_axes")
@pytest.mark.parametrize("axes", [None, (1,), (2,), (1, 2), (-2,)], ids=str)
@pytest.mark.parametrize("scores", [False, True])
def test_multi_head_attention_axes(axes, scores):
    """Attention over some axes of inputs of rank 4."""
    x = keras.Input((3, 4, 6), name="x")
    layer = layers.MultiHeadAttention(2, 3, attention_axes=axes)
    check(keras.Model(x, layer(x, x, return_attention_scores=scores)))


def test_multi_head_attention_axes_mask():
    x = keras.Input((3, 4, 6), name="x")
    mask = keras.Input((3, 4, 3, 4), name="mask", dtype="bool")
    layer = layers.MultiHeadAttention(2, 3)
    check(keras.Model([x, mask], layer(x, x, attention_mask=mask)))


def test_multi_head_attention_h5():
    x = keras.Input((4, 6))
    layer = layers.MultiHeadAttention(2, 3, use_gate=True, dropout=0.1)
    check(keras.Model(x, layer(x, x)), extension=".h5")


def test_multi_head_attention_operators():
    x = keras.Input((4, 6))
    result = check(keras.Model(x, layers.MultiHeadAttention(2, 3)(x, x)))
    assert result.operators["FULLY_CONNECTED"] == 4
    assert result.operators["BATCH_MATMUL"] == 2
    assert sum(result.operators.values()) <= 16


GQA = {
    "groups": {"num_query_heads": 4, "num_key_value_heads": 2},
    "one_key_head": {"num_query_heads": 3, "num_key_value_heads": 1, "use_bias": False},
    "all_key_heads": {"num_query_heads": 2, "num_key_value_heads": 2, "use_gate": True},
    "window": {"num_query_heads": 4, "num_key_value_heads": 2, "sliding_window": 2},
    "dropout": {"num_query_heads": 4, "num_key_value_heads": 2, "dropout": 0.1},
}


@shows(
    "layers.GroupQueryAttention",
    "head_dim",
    "num_query_heads",
    "num_key_value_heads",
    "use_bias",
    "use_gate",
    "sliding_window",
    "dropout",
    "use_causal_mask",
    "return_attention_scores",
)
@pytest.mark.parametrize("length", [(4, 5), (None, None)], ids=str)
@pytest.mark.parametrize("case", GQA)
def test_grouped_query_attention(case, length):
    query = keras.Input((length[0], 6), name="query")
    value = keras.Input((length[1], 6), name="value")
    layer = layers.GroupQueryAttention(3, **GQA[case])
    outputs = [
        *layers.GroupQueryAttention(3, **GQA[case])(query, value, return_attention_scores=True),
        layer(query, value),
        layer(query, value, use_causal_mask=True),
    ]
    check(keras.Model([query, value], outputs), size=((4, 5), (6, 3)))


@shows("layers.GroupQueryAttention", "attention_mask", "query_mask", "value_mask")
def test_grouped_query_attention_masks():
    q = keras.Input((4,), name="q", dtype="int32")
    v = keras.Input((5,), name="v", dtype="int32")
    mask = keras.Input((4, 5), name="mask", dtype="bool")
    query = layers.Embedding(3, 6, mask_zero=True)(q)
    value = layers.Embedding(3, 6, mask_zero=True)(v)
    layer = layers.GroupQueryAttention(3, 4, 2)
    outputs = [
        *layers.GroupQueryAttention(3, 4, 2)(query, value, return_attention_scores=True),
        layer(query, value),
        layer(query, value, attention_mask=mask, use_causal_mask=True),
    ]
    m = random_array(np.random.default_rng(0), (3, 4, 5), "bool")
    check(keras.Model([q, v, mask], outputs), [[ids(3, 4), ids(3, 5, seed=1), m]])


@shows("layers.Attention", "use_scale", "score_mode", "dropout", "use_causal_mask")
@pytest.mark.parametrize("length", [(4, 5), (None, None)], ids=str)
@pytest.mark.parametrize("use_scale", [False, True])
@pytest.mark.parametrize("score_mode", ["dot", "concat"])
def test_attention(score_mode, use_scale, length):
    q = keras.Input((length[0], 6), name="q")
    v = keras.Input((length[1], 3), name="v")
    k = keras.Input((length[1], 6), name="k")
    arguments = {"use_scale": use_scale, "score_mode": score_mode, "dropout": 0.2}
    layer = layers.Attention(**arguments)
    outputs = [
        *layers.Attention(**arguments)([q, v, k], return_attention_scores=True),
        layer([q, k]),
        layer([q, v, k], use_causal_mask=True),
    ]
    rng = np.random.default_rng(0)
    sets = [
        [random_array(rng, (n, *s), "float32") for s in [(t, 6), (u, 3), (u, 6)]]
        for n, (t, u) in [(1, (4, 5)), (3, (length[0] or 6, length[1] or 3))]
    ]
    check(keras.Model([q, v, k], outputs), sets)


@shows("layers.AdditiveAttention", "use_scale", "dropout", "use_causal_mask")
@pytest.mark.parametrize("length", [(4, 5), (None, None)], ids=str)
@pytest.mark.parametrize("use_scale", [False, True])
def test_additive_attention(use_scale, length):
    q = keras.Input((length[0], 6), name="q")
    v = keras.Input((length[1], 6), name="v")
    arguments = {"use_scale": use_scale, "dropout": 0.2}
    layer = layers.AdditiveAttention(**arguments)
    outputs = [
        *layers.AdditiveAttention(**arguments)([q, v], return_attention_scores=True),
        layer([q, v]),
        layer([q, v, v], use_causal_mask=True),
    ]
    check(keras.Model([q, v], outputs), size=((4, 5), (6, 3)))


@shows("layers.Attention", "score_mode", "use_scale")
@shows("layers.AdditiveAttention", "use_scale")
@pytest.mark.parametrize("integer", ["query", "value", "both"])
def test_attention_of_integers(integer):
    """Layers do not cast integers to their dtype, so operations promote them."""
    q = keras.Input((4, 6), name="q", dtype="float32" if integer == "value" else "int32")
    v = keras.Input((None, 6), name="v", dtype="float32" if integer == "query" else "int32")
    outputs = [
        layers.Attention(use_scale=True)([q, v]),
        layers.Attention(score_mode="concat")([q, v]),
        layers.AdditiveAttention()([q, v]),
    ]
    if integer != "both":
        outputs.append(layers.Attention()([q, v]))
    check(keras.Model([q, v], outputs), size=((4, 5), (4, 3)))


@shows("layers.Attention", "mask")
@shows("layers.AdditiveAttention", "mask")
@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("layer", [layers.Attention, layers.AdditiveAttention])
def test_attention_masks(layer, causal):
    """Carried by the tensors, and given as an argument; with a value that no query sees."""
    q = keras.Input((4,), name="q", dtype="int32")
    v = keras.Input((5,), name="v", dtype="int32")
    x = keras.Input((4, 6), name="x")
    m = keras.Input((4,), name="m", dtype="bool")
    query = layers.Embedding(3, 6, mask_zero=True)(q)
    value = layers.Embedding(3, 6, mask_zero=True)(v)
    outputs = [
        layer()([query, value], use_causal_mask=causal),
        layer()([x, x], mask=[None, m], use_causal_mask=causal),
        layer()([x, x], mask=[m, m], use_causal_mask=causal),
    ]
    rng = np.random.default_rng(0)
    mask = np.array([[True, False, True, True], [False, True, False, False], [False] * 4])
    arrays = [ids(3, 4), ids(3, 5, seed=1), random_array(rng, (3, 4, 6), "float32"), mask]
    check(keras.Model([q, v, x, m], outputs), [arrays])


@shows("ops.dot_product_attention", "bias", "mask", "scale", "is_causal")
@pytest.mark.parametrize(
    "key_heads", [4, *(pytest.param(n, marks=pytest.mark.jax) for n in (2, 1))]
)
def test_dot_product_attention(key_heads):
    q = keras.Input((5, 4, 3), name="q")
    k = keras.Input((6, key_heads, 3), name="k")
    v = keras.Input((6, key_heads, 3), name="v")
    mask = keras.Input((1, 5, 6), name="mask", dtype="bool")
    bias = keras.Input((4, 5, 6), name="bias")
    outputs = [
        ops.dot_product_attention(q, k, v),
        ops.dot_product_attention(q, k, v, is_causal=True, scale=0.7),
        ops.dot_product_attention(q, k, v, mask=mask),
        ops.dot_product_attention(q, k, v, bias=bias, mask=mask, is_causal=True),
    ]
    check(keras.Model([q, k, v, mask, bias], outputs))


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_low_precision(policy):
    """Masks survive the casts of the inputs."""
    q = keras.Input((5,), name="q", dtype="int32")
    x = layers.Embedding(3, 6, mask_zero=True)(q)
    outputs = [
        layers.MultiHeadAttention(2, 3, dtype=policy)(x, x, use_causal_mask=True),
        layers.GroupQueryAttention(3, 4, 2, dtype=policy)(query=x, value=x),
        layers.Attention(dtype=policy)([x, x]),
        layers.AdditiveAttention(dtype=policy)([x, x]),
    ]
    tolerance = 5e-2 if "bfloat" in policy else 5e-3
    check(keras.Model(q, outputs), [ids(1, 5), ids(3, 5)], tolerance=tolerance)
