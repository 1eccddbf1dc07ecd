"""Segmentation by prompts: points, boxes, masks, words."""

import numpy as np
from families import backbone


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
