"""Gemma models that see and hear."""

import numpy as np
from families import add, backbone, internal, vision_text

_GEMMA = dict(
    vocabulary_size=20,
    image_size=16,
    num_layers=2,
    num_query_heads=2,
    num_key_value_heads=1,
    hidden_dim=8,
    intermediate_dim=16,
    head_dim=4,
)
_GEMMA3 = {
    **_GEMMA,
    "num_layers": 6,
    "query_head_dim_normalize": True,
    "use_query_key_norm": True,
    "use_post_ffw_norm": True,
    "use_post_attention_norm": True,
    "use_sliding_window_attention": True,
    "sliding_window_size": 4,
}


def gemma3():
    encoder = internal("gemma3.gemma3_vision_encoder", "Gemma3VisionEncoder")(
        image_size=16,
        patch_size=4,
        pool_size=2,
        num_layers=2,
        num_heads=2,
        hidden_dim=8,
        intermediate_dim=16,
        output_dim=8,
    )
    return {**_GEMMA3, "vision_encoder": encoder}


def gemma3_inputs(rng, batch, length):
    return {
        **vision_text(rng, batch, length + 8, 8),
        "images": rng.uniform(size=(batch, 2, 16, 16, 3)).astype("float32"),
    }


backbone("gemma3", "Gemma3Backbone", _GEMMA3, tasks=("Gemma3CausalLM",))
backbone(
    "gemma3",
    "Gemma3Backbone",
    gemma3,
    variant="(vision)",
    tasks=("Gemma3CausalLM",),
    inputs=gemma3_inputs,
)
add(
    "gemma3",
    "Gemma3TextEmbedder",
    "TextEmbedder",
    lambda: internal("gemma3.gemma3_text_embedder", "Gemma3TextEmbedder")(
        backbone=internal("gemma3.gemma3_backbone", "Gemma3Backbone")(**_GEMMA3),
        preprocessor=None,
    ),
)


def gemma3n(multimodal):
    encoder = internal("mobilenetv5.mobilenetv5_builder", "convert_arch_def_to_stackwise")
    vision = internal("mobilenetv5.mobilenetv5_backbone", "MobileNetV5Backbone")(
        **encoder([["er_r1_k3_s1_e1_c8"]]), num_features=4, image_shape=(32, 32, 3), use_msfa=False
    )
    audio = internal("gemma3n.gemma3n_audio_encoder", "Gemma3nAudioEncoder")(
        hidden_size=4,
        input_feat_size=16,
        sscp_conv_channel_size=[2, 4],
        sscp_conv_kernel_size=[(1, 1), (1, 1)],
        sscp_conv_stride_size=[(2, 2), (2, 2)],
        sscp_conv_group_norm_eps=1e-5,
        num_hidden_layers=1,
        rms_norm_eps=1e-6,
        gradient_clipping=1.0,
        residual_weight=0.5,
        num_attention_heads=1,
        attention_chunk_size=2,
        num_attention_context_right=1,
        num_attention_context_left=1,
        attention_logit_cap=50.0,
        conv_kernel_size=3,
        reduction_factor=1,
    )
    config = dict(
        text_vocab_size=20,
        text_hidden_size=4,
        num_hidden_layers=1,
        pad_token_id=0,
        num_attention_heads=1,
        num_key_value_heads=1,
        head_dim=4,
        intermediate_size=[8],
        hidden_activation="gelu_approximate",
        layer_types=["full_attention"],
        sliding_window=4,
        rope_theta=10000.0,
        max_position_embeddings=16,
        vocab_size_per_layer_input=20,
        hidden_size_per_layer_input=2,
        altup_num_inputs=2,
        laurel_rank=1,
    )
    if multimodal:
        config |= dict(
            vision_encoder_config=vision.get_config(),
            vision_hidden_size=8,
            audio_encoder_config=audio.get_config(),
            audio_hidden_size=4,
        )
    return config


def gemma3n_inputs(rng, batch, length):
    return {
        "token_ids": rng.integers(0, 20, (batch, length)).astype("int32"),
        "padding_mask": np.ones((batch, length), bool),
        "images": rng.uniform(size=(batch, 1, 32, 32, 3)).astype("float32"),
        "input_features": rng.normal(size=(batch, 1, 8, 16)).astype("float32"),
        "input_features_mask": np.zeros((batch, 1, 8), bool),
    }


backbone("gemma3n", "Gemma3nBackbone", lambda: gemma3n(False), tasks=("Gemma3nCausalLM",))
backbone(
    "gemma3n",
    "Gemma3nBackbone",
    lambda: gemma3n(True),
    variant="(vision, audio)",
    sizes=(8,),
    inputs=gemma3n_inputs,
    options={"max_sequence_length": 8, "audio_length": 8},
)

_GEMMA4 = {**_GEMMA, "num_layers": 6, "use_sliding_window_attention": True}
_GEMMA4["sliding_window_size"] = 4


def gemma4():
    encoder = internal("gemma4.gemma4_vision_encoder", "Gemma4VisionEncoder")(
        image_size=16,
        patch_size=4,
        pool_size=2,
        num_layers=2,
        num_heads=2,
        head_dim=4,
        num_key_value_heads=2,
        hidden_dim=8,
        intermediate_dim=16,
        output_dim=8,
    )
    return {**_GEMMA4, "vision_encoder": encoder}


def gemma4_inputs(rng, batch, length):
    rows, columns = np.divmod(np.arange(16), 4)
    positions = np.broadcast_to(np.stack([columns, rows], -1), (batch, 2, 16, 2))
    return {
        **vision_text(rng, batch, length + 8, 8),
        "pixel_values": rng.uniform(size=(batch, 2, 16, 48)).astype("float32"),
        "pixel_position_ids": positions.astype("int32"),
        "position_ids": np.tile(np.arange(length + 8, dtype="int32"), (batch, 1)),
    }


GEMMA4_FRAMES, GEMMA4_CLIP_TOKENS = 18, 5


def gemma4_with_audio():
    encoder = internal("gemma4.gemma4_audio_encoder", "Gemma4AudioEncoder")(
        input_feat_size=16,
        hidden_size=8,
        num_heads=2,
        num_layers=1,
        chunk_size=2,
        context_left=3,
        conv_kernel_size=3,
        sscp_conv_channels=(4, 2),
        output_proj_dims=8,
        output_dim=8,
    )
    return {**_GEMMA4, "audio_encoder": encoder}


def gemma4_audio_inputs(rng, batch, length):
    """A clip, whose last third is silence in all rows but the first, behind the first token."""
    audio = (np.arange(length) > 0) & (np.arange(length) <= GEMMA4_CLIP_TOKENS)
    heard = np.ones((batch, 1, GEMMA4_FRAMES), "int32")
    heard[1:, :, 12:] = 0
    return {
        "token_ids": rng.integers(1, 20, (batch, length)).astype("int32"),
        "padding_mask": np.ones((batch, length), "int32"),
        "position_ids": np.tile(np.arange(length, dtype="int32"), (batch, 1)),
        "audio_mel": rng.normal(size=(batch, 1, GEMMA4_FRAMES, 16)).astype("float32"),
        "audio_mel_mask": heard,
        "audio_indices": np.tile(np.arange(1, 1 + GEMMA4_CLIP_TOKENS, dtype="int32"), (batch, 1)),
        "audio_mask": np.tile(audio.astype("int32"), (batch, 1)),
    }


backbone("gemma4", "Gemma4Backbone", _GEMMA4, tasks=("Gemma4CausalLM",))
backbone(
    "gemma4",
    "Gemma4Backbone",
    gemma4_with_audio,
    variant="(audio)",
    tasks=("Gemma4CausalLM",),
    inputs=gemma4_audio_inputs,
    sizes=(8,),
    options={"max_sequence_length": 8, "audio_length": GEMMA4_FRAMES},
)
backbone(
    "gemma4",
    "Gemma4Backbone",
    gemma4,
    variant="(vision)",
    tasks=("Gemma4CausalLM",),
    inputs=gemma4_inputs,
)

_PALI = {
    **_GEMMA,
    "vit_patch_size": 4,
    "vit_num_layers": 2,
    "vit_num_heads": 2,
    "vit_hidden_dim": 8,
    "vit_intermediate_dim": 16,
}
backbone("pali_gemma", "PaliGemmaBackbone", _PALI, tasks=("PaliGemmaCausalLM",))
backbone(
    "pali_gemma",
    "PaliGemmaBackbone",
    {
        **_PALI,
        "query_head_dim_normalize": True,
        "use_post_ffw_norm": True,
        "use_post_attention_norm": True,
        "final_logit_soft_cap": 30,
        "attention_logit_soft_cap": 50,
        "use_sliding_window_attention": True,
        "sliding_window_size": 4,
    },
    variant="(PaliGemma 2)",
    tasks=("PaliGemmaCausalLM",),
)
