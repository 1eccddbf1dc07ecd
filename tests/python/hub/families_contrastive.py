"""Vision and text encoders that meet in one space."""

from families import backbone, internal

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
