"""Models of images with text, but for Gemmas."""

import types

import numpy as np
from families import backbone, internal, vision_text


def blip2():
    vision = internal("blip2.blip2_vision_encoder", "BLIP2VisionEncoder")(
        image_size=16,
        patch_size=4,
        num_layers=2,
        num_heads=2,
        hidden_dim=8,
        intermediate_dim=16,
        use_patch_bias=True,
        use_class_token=True,
        use_mha_bias=True,
        use_mlp_bias=True,
        dropout_rate=0.0,
        layer_norm_epsilon=1e-6,
        initializer_range=0.02,
    )
    qformer = internal("blip2.blip2_qformer", "BLIP2QFormer")(
        num_query_tokens=2,
        num_layers=2,
        num_heads=2,
        hidden_dim=4,
        intermediate_dim=8,
        vision_dim=8,
        cross_attention_frequency=1,
        dropout=0.0,
        layer_norm_epsilon=1e-6,
    )
    language = internal("blip2.blip2_custom_opt", "BLIP2CustomOPT")(
        vocabulary_size=20,
        num_layers=2,
        num_heads=2,
        hidden_dim=4,
        intermediate_dim=8,
        num_query_tokens=2,
        qformer_hidden_dim=4,
        max_sequence_length=10,
        dropout=0.0,
        language_projection=None,
    )
    return dict(vision_encoder=vision, qformer=qformer, language_model=language)


backbone("blip2", "BLIP2Backbone", blip2, tasks=("BLIP2CausalLM",))


def blip2_t5():
    config = blip2()
    language = internal("blip2.blip2_flan_t5_lm", "BLIP2FlanT5")(
        vocabulary_size=20,
        num_layers=2,
        num_heads=2,
        hidden_dim=8,
        intermediate_dim=16,
        num_query_tokens=2,
        qformer_hidden_dim=4,
        key_value_dim=4,
        dropout=0.0,
    )
    return {**config, "language_model": language}


backbone(
    "blip2", "BLIP2Backbone", blip2_t5, variant="(Flan-T5)", tasks=("BLIP2Seq2SeqLM",), sizes=(5, 7)
)


def parseq():
    import keras_hub

    return dict(
        image_encoder=keras_hub.models.ViTBackbone(
            image_shape=(16, 32, 3),
            patch_size=(4, 8),
            num_layers=2,
            num_heads=2,
            hidden_dim=16,
            mlp_dim=32,
            use_class_token=False,
            name="image_encoder",
        ),
        vocabulary_size=20,
        max_label_length=9,
        decoder_hidden_dim=16,
        num_decoder_layers=1,
        num_decoder_heads=2,
        decoder_mlp_dim=32,
    )


def with_padding_token():
    """What PARSeqCausalLM asks of a preprocessor; KerasHub's own needs tensorflow-text."""
    tokenizer = types.SimpleNamespace(pad_token_id=0)
    return {"preprocessor": types.SimpleNamespace(tokenizer=tokenizer)}


backbone(
    "parseq",
    "PARSeqBackbone",
    parseq,
    sizes=(9, 6),
    tasks=(("PARSeqCausalLM", with_padding_token),),
)


def qwen3_5():
    encoder = internal("qwen3_5.qwen3_5_vision_encoder", "Qwen3_5VisionEncoder")(
        depth=1,
        hidden_size=16,
        num_heads=2,
        intermediate_size=32,
        in_channels=3,
        patch_size=4,
        temporal_patch_size=2,
        spatial_merge_size=2,
        out_hidden_size=16,
        num_position_embeddings=64,
    )
    from families_text import _LINEAR

    return {
        **_LINEAR,
        "intermediate_dim": 32,
        "vision_encoder": encoder,
        "mrope_section": [1, 1, 1],
    }


def qwen3_5_inputs(rng, batch, length):
    return {
        **{
            key: value
            for key, value in vision_text(rng, batch, length, 4).items()
            if key != "vision_mask"
        },
        "pixel_values": rng.normal(size=(batch, 16, 2, 4, 4, 3)).astype("float32"),
        "image_grid_thw": np.tile(np.array([[[1, 4, 4]]], "int32"), (batch, 1, 1)),
    }


backbone(
    "qwen3_5",
    "Qwen3_5Backbone",
    qwen3_5,
    variant="(vision)",
    sizes=(6, 7),
    inputs=qwen3_5_inputs,
    tasks=("Qwen3_5CausalLM",),
    options={"image_size": 16},
)


def t5gemma2():
    from families_text import _T5GEMMA

    encoder = internal("gemma3.gemma3_vision_encoder", "Gemma3VisionEncoder")(
        image_size=16,
        patch_size=4,
        pool_size=2,
        num_layers=2,
        num_heads=2,
        hidden_dim=8,
        intermediate_dim=16,
        output_dim=16,
    )
    return {**_T5GEMMA, "use_query_key_norm": True, "vision_encoder": encoder, "eoi_token_index": 3}


def t5gemma2_inputs(rng, batch, length):
    encoder = vision_text(rng, batch, length + 8, 8)
    return {
        "encoder_token_ids": encoder["token_ids"],
        "encoder_padding_mask": encoder["padding_mask"],
        "decoder_token_ids": rng.integers(1, 20, (batch, length)).astype("int32"),
        "decoder_padding_mask": np.ones((batch, length), "int32"),
        "images": rng.uniform(size=(batch, 2, 16, 16, 3)).astype("float32"),
        "vision_indices": encoder["vision_indices"],
    }


backbone(
    "t5gemma2",
    "T5Gemma2Backbone",
    t5gemma2,
    variant="(vision)",
    tasks=("T5Gemma2Seq2SeqLM",),
    inputs=t5gemma2_inputs,
)
