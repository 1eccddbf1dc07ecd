"""Models of diffusion, and the autoencoders behind them."""

from families import add, backbone, internal

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
