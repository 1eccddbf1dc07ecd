"""Models of images with text, of audio, and of diffusion."""

import types

import numpy as np
from families import add, backbone, internal

_CLIP = dict(vision=(16, 16, 2, 2, 32), text=(20, 16, 16, 2, 2, 32))


def contrastive(folder, prefix, image=32, length=9, **text):
    """Vision and text encoders as CLIP has them."""

    def make():
        vision = internal(f"{folder}.{folder}_vision_encoder", f"{prefix}VisionEncoder")
        encoder = internal(f"{folder}.{folder}_text_encoder", f"{prefix}TextEncoder")
        return dict(
            vision_encoder=vision(
                *_CLIP["vision"], image_shape=(image, image, 3), name="vision_encoder"
            ),
            text_encoder=encoder(
                *_CLIP["text"], max_sequence_length=length, name="text_encoder", **text
            ),
        )

    return make


backbone(
    "clip",
    "CLIPBackbone",
    lambda: {**contrastive("clip", "CLIP")(), "projection_dim": 12},
    sizes=(5, 9),
)
backbone(
    "metaclip_2",
    "MetaCLIP2Backbone",
    lambda: {**contrastive("metaclip_2", "MetaCLIP2")(), "projection_dim": 12},
    sizes=(5, 9),
)
backbone("siglip", "SigLIPBackbone", contrastive("siglip", "SigLIP"), sizes=(9,))
backbone(
    "siglip",
    "SigLIPBackbone",
    contrastive("siglip", "SigLIP", projection_dim=16),
    variant="(SigLIP 2)",
    sizes=(9,),
)

# Encoders that are models of their own.
for _folder, _prefix in (("clip", "CLIP"), ("metaclip_2", "MetaCLIP2"), ("siglip", "SigLIP")):
    backbone(
        _folder,
        f"{_prefix}VisionEncoder",
        dict(
            zip(
                ("patch_size", "hidden_dim", "num_layers", "num_heads", "intermediate_dim"),
                _CLIP["vision"],
            ),
            image_shape=(32, 32, 3),
        ),
    )
    backbone(
        _folder,
        f"{_prefix}TextEncoder",
        dict(
            zip(
                (
                    "vocabulary_size",
                    "embedding_dim",
                    "hidden_dim",
                    "num_layers",
                    "num_heads",
                    "intermediate_dim",
                ),
                _CLIP["text"],
            ),
            max_sequence_length=9,
        ),
        sizes=(9,) if _prefix == "SigLIP" else (5, 9),
    )


def vision_text(rng, batch, length, tokens, images=None):
    """Token IDs, masks and where the images' tokens go."""
    indices = np.stack([np.sort(rng.choice(length, tokens, replace=False)) for _ in range(batch)])
    mask = np.zeros((batch, length), "int32")
    np.put_along_axis(mask, indices, 1, 1)
    return {
        "token_ids": rng.integers(1, 20, (batch, length)).astype("int32"),
        "padding_mask": np.ones((batch, length), "int32"),
        "vision_indices": indices.astype("int32"),
        "vision_mask": mask,
    }


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
add(
    "rqvae",
    "RQVAEBackbone",
    "Backbone",
    lambda: internal("rqvae.rqvae_backbone", "RQVAEBackbone")(
        input_dim=16,
        encoder_layer_dims=[32, 16],
        output_dim=8,
        decoder_layer_dims=[16, 32],
        num_embeddings=4,
        num_quantizers=2,
        decay=0.99,
        data_variance=1.0,
        commitment_cost=0.25,
    ),
)


def sam():
    import keras_hub

    encoder = keras_hub.models.ViTDetBackbone(
        hidden_size=16,
        num_layers=2,
        intermediate_dim=32,
        num_heads=4,
        global_attention_layer_indices=[1],
        patch_size=16,
        num_output_channels=8,
        window_size=2,
        image_shape=(64, 64, 3),
    )
    return dict(
        image_encoder=encoder,
        prompt_encoder=keras_hub.layers.SAMPromptEncoder(
            hidden_size=8,
            image_embedding_size=(4, 4),
            input_image_size=(64, 64),
            mask_in_channels=16,
        ),
        mask_decoder=keras_hub.layers.SAMMaskDecoder(
            num_layers=2,
            hidden_size=8,
            intermediate_dim=16,
            num_heads=4,
            embedding_dim=8,
            num_multimask_outputs=3,
            iou_head_depth=3,
            iou_head_hidden_dim=8,
        ),
    )


def sam_inputs(rng, batch, points):
    return {
        "images": rng.uniform(size=(batch, 64, 64, 3)).astype("float32"),
        "points": rng.uniform(0, 64, (batch, points, 2)).astype("float32"),
        "labels": rng.integers(0, 2, (batch, points)).astype("float32"),
        "boxes": rng.uniform(0, 64, (batch, 1, 2, 2)).astype("float32"),
        "masks": rng.normal(size=(batch, 1, 16, 16, 1)).astype("float32"),
    }


backbone(
    "sam",
    "SAMBackbone",
    sam,
    sizes=(1, 2),
    inputs=sam_inputs,
    tasks=("SAMImageSegmenter",),
)


def sam3():
    import keras_hub

    layers = keras_hub.layers
    common = dict(num_layers=2, hidden_dim=16, intermediate_dim=32, num_heads=2)
    return dict(
        vision_encoder=layers.SAM3VisionEncoder(
            image_shape=(28, 28, 3),
            patch_size=14,
            fpn_hidden_dim=16,
            fpn_scale_factors=[4.0, 2.0, 1.0, 0.5],
            pretrain_image_shape=(42, 42, 3),
            window_size=2,
            global_attn_indexes=[1, 2],
            **common,
        ),
        text_encoder=layers.SAM3TextEncoder(vocabulary_size=32, embedding_dim=16, **common),
        geometry_encoder=layers.SAM3GeometryEncoder(roi_size=7, **common),
        detr_encoder=layers.SAM3DetrEncoder(**common),
        detr_decoder=layers.SAM3DetrDecoder(
            image_shape=(28, 28, 3), patch_size=14, num_queries=8, **common
        ),
        mask_decoder=layers.SAM3MaskDecoder(num_upsampling_stages=3, hidden_dim=16, num_heads=2),
    )


def sam3_inputs(rng, batch, length):
    corners = np.sort(rng.uniform(0.1, 0.9, (batch, 1, 2, 2)), 2).reshape(batch, 1, 4)
    return {
        "pixel_values": rng.uniform(size=(batch, 28, 28, 3)).astype("float32"),
        "token_ids": rng.integers(1, 32, (batch, length)).astype("int32"),
        "padding_mask": np.ones((batch, length), "int32"),
        "boxes": np.concatenate([np.zeros((batch, 1, 1)), corners], -1).astype("float32"),
        "box_labels": np.ones((batch, 1), "int32"),
    }


backbone(
    "sam3",
    "SAM3PromptableConceptBackbone",
    sam3,
    inputs=sam3_inputs,
    tasks=("SAM3PromptableConceptImageSegmenter",),
    # KerasHub adds masks [batch, prompts] to scores [batch, heads, prompts, prompts]: one image.
    options={"batch_size": 1},
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

# Diffusion.
_VAE = dict(
    encoder_num_filters=[32, 32, 32, 32],
    encoder_num_blocks=[1, 1, 1, 1],
    decoder_num_filters=[32, 32, 32, 32],
    decoder_num_blocks=[1, 1, 1, 1],
    sampler_method="mode",
)


def vae(**arguments):
    return internal("vae.vae_backbone", "VAEBackbone")(**{**_VAE, **arguments})


def clip_text(*sizes, **arguments):
    return internal("clip.clip_text_encoder", "CLIPTextEncoder")(*sizes, **arguments)


add("vae", "VAEBackbone", "Backbone", lambda: vae(image_shape=(32, 32, 3)), sizes=(32, 64))
backbone(
    "flux",
    "FluxBackbone",
    dict(
        input_channels=16,
        hidden_size=64,
        mlp_ratio=2.0,
        num_heads=2,
        depth=1,
        depth_single_blocks=2,
        axes_dim=[4, 14, 14],
        theta=10000,
        use_bias=True,
        guidance_embed=True,
        image_shape=(16, 16),
        text_shape=(8, 32),
        image_ids_shape=(16, 3),
        text_ids_shape=(8, 3),
        y_shape=(32,),
    ),
    tasks=("FluxTextToImage",),
)


def stable_diffusion_3():
    return dict(
        mmdit_patch_size=2,
        mmdit_hidden_dim=16,
        mmdit_num_layers=2,
        mmdit_num_heads=2,
        mmdit_position_size=192,
        mmdit_qk_norm=None,
        mmdit_dual_attention_indices=None,
        vae=vae(name="vae"),
        clip_l=clip_text(20, 16, 16, 2, 2, 32, "quick_gelu", -2, name="clip_l"),
        clip_g=clip_text(20, 32, 32, 2, 2, 64, "gelu", -2, name="clip_g"),
        image_shape=(64, 64, 3),
    )


backbone(
    "stable_diffusion_3",
    "StableDiffusion3Backbone",
    stable_diffusion_3,
    tasks=(
        "StableDiffusion3TextToImage",
        "StableDiffusion3ImageToImage",
        "StableDiffusion3Inpaint",
    ),
)
backbone(
    "video_prism",
    "VideoPrismBackbone",
    dict(
        image_shape=(28, 28, 3),
        num_frames=4,
        patch_size=4,
        hidden_dim=16,
        intermediate_dim=32,
        num_heads=2,
        num_spatial_layers=1,
        num_temporal_layers=1,
        num_auxiliary_layers=1,
        vocabulary_size=100,
        num_text_layers=1,
        attention_logit_soft_cap=50.0,
    ),
    variant="(text)",
)
