"""Image encoders, classifiers, segmentation, detection and depth."""

from families import backbone, internal

_CLASSES = {"num_classes": 3}
_IMAGE = (32, 32, 3)
_RESNET = dict(
    input_conv_filters=[64],
    input_conv_kernel_sizes=[7],
    stackwise_num_filters=[64, 16, 16],
    stackwise_num_blocks=[1, 2, 1],
    stackwise_num_strides=[1, 2, 2],
    block_type="basic_block",
    use_pre_activation=False,
)
_RESNET4 = {
    **_RESNET,
    "stackwise_num_filters": [64, 16, 16, 24],
    "stackwise_num_blocks": [2, 2, 2, 2],
    "stackwise_num_strides": [1, 2, 2, 2],
}
_MIT = dict(
    layerwise_depths=[2, 2],
    image_shape=_IMAGE,
    hidden_dims=[4, 8],
    num_layers=2,
    layerwise_num_heads=[1, 2],
    layerwise_sr_ratios=[8, 4],
    max_drop_path_rate=0.1,
    layerwise_patch_sizes=[7, 3],
    layerwise_strides=[4, 2],
)
_VIT = dict(image_shape=(28, 28, 3), num_layers=2, hidden_dim=24, num_heads=4)
_DINO = dict(num_layers=2, hidden_dim=16, num_heads=2, intermediate_dim=32)
_HGNET = dict(
    stem_channels=[3, 8, 8],
    stackwise_stage_filters=[[8, 8, 16, 1, 1, 3], [16, 8, 32, 1, 1, 3]],
    apply_downsample=[False, True],
    use_lightweight_conv_block=[False, False],
    depths=[1, 1],
    hidden_sizes=[16, 32],
    embedding_size=8,
    use_learnable_affine_block=True,
    hidden_act="relu",
    image_shape=(None, None, 3),
    out_features=["stage1", "stage2"],
)


def model(class_name, **arguments):
    import keras_hub

    return getattr(keras_hub.models, class_name)(**arguments)


def classifier(name):
    return ((name, _CLASSES),)


backbone(
    "basnet",
    "BASNetBackbone",
    lambda: dict(
        image_encoder=model(
            "ResNetBackbone",
            **{**_RESNET4, "stackwise_num_filters": [64, 128, 256, 512]},
        ),
        num_classes=1,
        image_shape=(64, 64, 3),
    ),
    tasks=("BASNetImageSegmenter",),
)
backbone(
    "cspnet",
    "CSPNetBackbone",
    dict(
        stem_filters=8,
        stem_kernel_size=3,
        stem_strides=1,
        stackwise_strides=2,
        stackwise_depth=[1, 2],
        stackwise_num_filters=[16, 24],
        image_shape=(None, None, 3),
        down_growth=True,
        bottle_ratio=(0.5, 1.0),
        block_ratio=(1.0, 0.5),
        expand_ratio=(2.0, 1.0),
        block_type="dark_block",
        stage_type="csp",
        stem_padding="same",
    ),
    sizes=(32, 48),
    tasks=classifier("CSPNetImageClassifier"),
)
_DFINE = dict(
    decoder_in_channels=[16, 16],
    encoder_hidden_dim=16,
    num_denoising=10,
    num_labels=4,
    hidden_dim=16,
    learn_initial_query=False,
    num_queries=10,
    anchor_image_size=(32, 32),
    feat_strides=[4, 8],
    num_feature_levels=2,
    encoder_in_channels=[16, 32],
    encode_proj_layers=[1],
    num_attention_heads=2,
    encoder_ffn_dim=32,
    num_encoder_layers=1,
    hidden_expansion=0.5,
    depth_multiplier=0.5,
    eval_idx=-1,
    num_decoder_layers=1,
    decoder_attention_heads=2,
    decoder_ffn_dim=32,
    decoder_n_points=[2, 2],
    lqe_hidden_dim=16,
    num_lqe_layers=2,
    out_features=["stage1", "stage2"],
    seed=0,
)
backbone(
    "d_fine",
    "DFineBackbone",
    lambda: dict(
        backbone=model("HGNetV2Backbone", **{**_HGNET, "image_shape": _IMAGE}),
        image_shape=_IMAGE,
        **_DFINE,
    ),
    tasks=(("DFineObjectDetector", {"num_classes": 4, "bounding_box_format": "yxyx"}),),
)
backbone(
    "deeplab_v3",
    "DeepLabV3Backbone",
    lambda: dict(
        image_encoder=model("ResNetBackbone", **_RESNET, image_shape=(None, None, 3)),
        low_level_feature_key="P2",
        spatial_pyramid_pooling_key="P4",
        dilation_rates=[2, 3],
        upsampling_size=4,
        image_shape=(48, 48, 3),
    ),
    tasks=classifier("DeepLabV3ImageSegmenter"),
)
backbone(
    "deit",
    "DeiTBackbone",
    {**_VIT, "patch_size": 4, "intermediate_dim": 48, "use_mha_bias": True},
    tasks=classifier("DeiTImageClassifier"),
)
backbone(
    "densenet",
    "DenseNetBackbone",
    dict(
        stackwise_num_repeats=[2, 3, 2],
        compression_ratio=0.5,
        growth_rate=4,
        image_shape=(None, None, 3),
    ),
    sizes=(32, 64),
    tasks=classifier("DenseNetImageClassifier"),
)
backbone(
    "depth_anything",
    "DepthAnythingBackbone",
    lambda: dict(
        image_encoder=model(
            "DINOV2Backbone",
            patch_size=14,
            num_layers=4,
            hidden_dim=16,
            num_heads=2,
            intermediate_dim=32,
            layer_scale_init_value=1.0,
            num_register_tokens=0,
            image_shape=(126, 126, 3),
            apply_layernorm=True,
            name="image_encoder",
        ),
        reassemble_factors=[4, 2, 1, 0.5],
        neck_hidden_dims=[8, 8, 16, 16],
        fusion_hidden_dim=16,
        head_hidden_dim=8,
        head_in_index=-1,
        feature_keys=["stage1", "stage2", "stage3", "stage4"],
    ),
    tasks=(
        ("DepthAnythingDepthEstimator", {"depth_estimation_type": "metric", "max_depth": 10.0}),
    ),
)
_DINOV2 = {**_DINO, "patch_size": 14, "layer_scale_init_value": 1.0, "image_shape": (70, 70, 3)}
backbone("dinov2", "DINOV2Backbone", {**_DINOV2, "num_register_tokens": 0})
backbone(
    "dinov2",
    "DINOV2Backbone",
    {**_DINOV2, "num_register_tokens": 4, "use_swiglu_ffn": True},
    variant="(registers)",
)
backbone(
    "dinov3",
    "DINOV3Backbone",
    {
        **_DINO,
        "patch_size": 16,
        "layer_scale_init_value": 1.0,
        "num_register_tokens": 4,
        "use_gated_mlp": False,
        "image_shape": (64, 64, 3),
    },
)
backbone(
    "efficientnet",
    "EfficientNetBackbone",
    dict(
        stackwise_kernel_sizes=[3, 3, 5],
        stackwise_num_repeats=[1, 1, 2],
        stackwise_input_filters=[8, 8, 16],
        stackwise_output_filters=[8, 16, 24],
        stackwise_expansion_ratios=[1, 4, 4],
        stackwise_squeeze_and_excite_ratios=[0.0, 0.0, 0.25],
        stackwise_strides=[1, 2, 2],
        stackwise_block_types=["fused", "fused", "unfused"],
        stackwise_force_input_filters=[0, 0, 0],
        stackwise_nores_option=[False, False, False],
        width_coefficient=1.0,
        depth_coefficient=1.0,
        image_shape=(None, None, 3),
    ),
    sizes=(32, 48),
    tasks=classifier("EfficientNetImageClassifier"),
)
backbone(
    "hgnetv2",
    "HGNetV2Backbone",
    _HGNET,
    sizes=(32, 64),
    tasks=(("HGNetV2ImageClassifier", {"num_classes": 3, "head_filters": 24}),),
)
backbone("mit", "MiTBackbone", _MIT, tasks=classifier("MiTImageClassifier"))
_MOBILE = dict(
    stackwise_expansion=[[16, 24], [24, 32]],
    stackwise_num_blocks=[2, 2],
    stackwise_num_filters=[[8, 8], [16, 16]],
    stackwise_kernel_size=[[3, 3], [5, 5]],
    stackwise_num_strides=[[2, 1], [2, 1]],
    stackwise_se_ratio=[[None, None], [0.25, 0.25]],
    stackwise_activation=[["relu", "relu"], ["hard_swish", "hard_swish"]],
    stackwise_padding=[[1, 1], [2, 2]],
    output_num_filters=32,
    input_activation="hard_swish",
    output_activation="hard_swish",
    input_num_filters=8,
    depthwise_filters=8,
    depthwise_stride=2,
    depthwise_residual=False,
    squeeze_and_excite=0.5,
    last_layer_filter=32,
    image_shape=_IMAGE,
)
backbone("mobilenet", "MobileNetBackbone", _MOBILE, tasks=classifier("MobileNetImageClassifier"))
backbone(
    "mobilenetv5",
    "MobileNetV5Backbone",
    dict(
        stackwise_block_types=[["er"], ["uir", "uir"]],
        stackwise_num_blocks=[1, 2],
        stackwise_num_filters=[[8], [16, 16]],
        stackwise_strides=[[2], [2, 1]],
        stackwise_act_layers=[["relu"], ["relu", "relu"]],
        stackwise_exp_ratios=[[4.0], [6.0, 6.0]],
        stackwise_se_ratios=[[0.0], [0.0, 0.0]],
        stackwise_dw_kernel_sizes=[[0], [5, 5]],
        stackwise_dw_start_kernel_sizes=[[0], [0, 0]],
        stackwise_dw_end_kernel_sizes=[[0], [0, 0]],
        stackwise_exp_kernel_sizes=[[3], [0, 0]],
        stackwise_pw_kernel_sizes=[[1], [0, 0]],
        stackwise_num_heads=[[0], [0, 0]],
        stackwise_key_dims=[[0], [0, 0]],
        stackwise_value_dims=[[0], [0, 0]],
        stackwise_kv_strides=[[0], [0, 0]],
        stackwise_use_cpe=[[False], [False, False]],
        image_shape=_IMAGE,
        stem_size=8,
        use_msfa=False,
    ),
    tasks=classifier("MobileNetV5ImageClassifier"),
)
for _block, _pre in (("bottleneck_block", False), ("basic_block", True)):
    backbone(
        "resnet",
        "ResNetBackbone",
        {
            **_RESNET,
            "image_shape": (None, None, 3),
            "block_type": _block,
            "use_pre_activation": _pre,
        },
        variant="" if not _pre else "(pre-activation)",
        sizes=(32, 48),
        tasks=classifier("ResNetImageClassifier"),
    )


def retinanet(levels, image):
    return dict(
        image_encoder=model(
            "ResNetBackbone",
            **(_RESNET4 if levels == (3, 7) else _RESNET),
            image_shape=image,
        ),
        min_level=levels[0],
        max_level=levels[1],
        use_p5=levels == (3, 7),
        image_shape=image,
    )


def anchors():
    import keras_hub

    generator = keras_hub.layers.AnchorGenerator(
        bounding_box_format="yxyx",
        min_level=3,
        max_level=4,
        num_scales=3,
        aspect_ratios=[0.5, 1.0, 2.0],
        anchor_size=4,
    )
    encoder = internal("retinanet.retinanet_label_encoder", "RetinaNetLabelEncoder")(
        bounding_box_format="yxyx", anchor_generator=generator
    )
    return dict(
        anchor_generator=generator,
        label_encoder=encoder,
        num_classes=3,
        bounding_box_format="yxyx",
    )


backbone("retinanet", "RetinaNetBackbone", lambda: retinanet((3, 7), (128, 128, 3)))
backbone(
    "retinanet",
    "RetinaNetBackbone",
    lambda: retinanet((3, 4), (64, 64, 3)),
    variant="(levels 3, 4)",
    tasks=(("RetinaNetObjectDetector", anchors),),
)
backbone(
    "segformer",
    "SegFormerBackbone",
    lambda: dict(projection_filters=16, image_encoder=model("MiTBackbone", **_MIT)),
    tasks=classifier("SegFormerImageSegmenter"),
)
backbone(
    "swin_transformer",
    "SwinTransformerBackbone",
    dict(image_shape=_IMAGE, embed_dim=16, depths=(2, 2), num_heads=(2, 4), window_size=4),
    tasks=classifier("SwinTransformerImageClassifier"),
)
backbone(
    "vgg",
    "VGGBackbone",
    dict(
        stackwise_num_repeats=[2, 1, 2],
        stackwise_num_filters=[8, 8, 8],
        image_shape=(56, 56, 3),
    ),
    tasks=(("VGGImageClassifier", {"num_classes": 3, "pooling_hidden_dim": 16}),),
)
backbone(
    "vit",
    "ViTBackbone",
    {**_VIT, "patch_size": (4, 4), "mlp_dim": 48, "use_mha_bias": True},
    tasks=classifier("ViTImageClassifier"),
)
backbone(
    "vit_det",
    "ViTDetBackbone",
    dict(
        image_shape=(16, 16, 3),
        patch_size=2,
        hidden_size=16,
        num_layers=2,
        global_attention_layer_indices=[1],
        intermediate_dim=16,
        num_heads=2,
        # Normalizing 2 channels would give the sign of their difference, whatever its size.
        num_output_channels=8,
        window_size=3,
    ),
)
backbone(
    "xception",
    "XceptionBackbone",
    dict(
        stackwise_conv_filters=[[8, 16], [24, 24], [32, 32]],
        stackwise_pooling=[False, True, False],
        image_shape=(None, None, 3),
    ),
    sizes=(64, 96),
    tasks=classifier("XceptionImageClassifier"),
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
        vocabulary_size=0,
        num_text_layers=0,
    ),
)
