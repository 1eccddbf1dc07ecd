"""Configurations: detection, priority, signatures, overrides, defaults, caching, errors."""

import functools
import gc
import importlib.util
import json
import subprocess
import sys
import weakref

import pytest

if importlib.util.find_spec("keras_hub") is None:
    pytest.skip("keras_hub is not installed", allow_module_level=True)

import families
import keras
import keras_hub
import keras_litert
import numpy as np
import oracle
from keras_litert import ExportError, hub

families.cases()  # Fills families.CASES.


def test_export_verifies(tmp_path):
    """Token ids, masks and segments are drawn so that every model has them."""
    model = build("bert-BertBackbone")
    hub.export(model, tmp_path / "model.tflite", verify=True)
    assert [path.name for path in tmp_path.iterdir()] == ["model.tflite"]


@functools.cache
def build(name):
    return families.CASES[name].build()


def test_tokens_of_a_clip_follow_from_its_frames(tmp_path):
    model = build("gemma4-Gemma4Backbone(audio)")
    report = hub.export(model, tmp_path / "model.tflite", max_sequence_length=8, audio_length=18)
    sizes = {name: shape for name, _, shape in report.inputs}
    assert sizes["audio_mel"] == (-1, 1, 18, 16)
    # As many tokens as the encoder makes of 18 frames.
    mel, mask = np.zeros((1, 18, 16), "float32"), np.ones((1, 18), "int32")
    assert sizes["audio_indices"] == (-1, model.audio_encoder(mel, mask).shape[1])


def shapes(model, **overrides):
    return {
        leaf.name: leaf.shape
        for leaf in hub.get_exporter_config(model)
        .signature(hub.Overrides(**overrides) if overrides else None)
        .leaves()
    }


_DETECTED = [
    ("moonshine-MoonshineAudioToText", "AudioToTextConfig", hub.AudioExporterConfig),
    ("whisper-WhisperBackbone", "AudioBackboneConfig", hub.AudioExporterConfig),
    ("bart-BartSeq2SeqLM", "Seq2SeqLMConfig", hub.TextExporterConfig),
    ("bart-BartBackbone", "Seq2SeqBackboneConfig", hub.TextExporterConfig),
    ("gpt2-GPT2CausalLM", "CausalLMConfig", hub.TextExporterConfig),
    ("gpt2-GPT2Backbone", "TextBackboneConfig", hub.TextExporterConfig),
    ("pali_gemma-PaliGemmaCausalLM", "MultimodalCausalLMConfig", hub.MultimodalExporterConfig),
    ("clip-CLIPBackbone", "MultimodalBackboneConfig", hub.MultimodalExporterConfig),
    ("bert-BertTextClassifier", "TextClassifierConfig", hub.TextExporterConfig),
    ("bert-BertTextEmbedder", "TextEmbedderConfig", hub.TextExporterConfig),
    ("bert-BertMaskedLM", "MaskedLMConfig", hub.TextExporterConfig),
    ("sam-SAMImageSegmenter", "SAMImageSegmenterConfig", hub.VisionExporterConfig),
    ("segformer-SegFormerImageSegmenter", "ImageSegmenterConfig", hub.VisionExporterConfig),
    ("vit-ViTImageClassifier", "ImageClassifierConfig", hub.VisionExporterConfig),
    ("vit-ViTBackbone", "VisionBackboneConfig", hub.VisionExporterConfig),
    ("mit-MiTBackbone", "FeaturePyramidConfig", hub.VisionExporterConfig),
    ("d_fine-DFineObjectDetector", "ObjectDetectorConfig", hub.VisionExporterConfig),
    (
        "t5gemma2-T5Gemma2Seq2SeqLM(vision)",
        "MultimodalSeq2SeqLMConfig",
        hub.MultimodalExporterConfig,
    ),
    pytest.param(
        "depth_anything-DepthAnythingDepthEstimator",
        "DepthEstimatorConfig",
        hub.VisionExporterConfig,
        marks=pytest.mark.jax,
    ),
    (
        "stable_diffusion_3-StableDiffusion3TextToImage",
        "TextToImageConfig",
        hub.MultimodalExporterConfig,
    ),
    (
        "stable_diffusion_3-StableDiffusion3ImageToImage",
        "ImageToImageConfig",
        hub.MultimodalExporterConfig,
    ),
    (
        "stable_diffusion_3-StableDiffusion3Inpaint",
        "InpaintConfig",
        hub.MultimodalExporterConfig,
    ),
    (
        "stable_diffusion_3-StableDiffusion3Backbone",
        "DiffusionBackboneConfig",
        hub.MultimodalExporterConfig,
    ),
    ("rqvae-RQVAEBackbone", "BackboneConfig", hub.ExporterConfig),
]


@pytest.mark.parametrize(("case", "config", "base"), _DETECTED)
def test_detection(case, config, base):
    found = hub.get_exporter_config(build(case))
    assert type(found).__name__ == config
    assert isinstance(found, base)


def test_every_configuration_is_detected_by_a_test():
    from keras_litert.hub import _registry

    own = {config.__name__ for config in _registry._DEFAULTS}
    shown = [getattr(case, "values", case) for case in _DETECTED]
    assert {config for _, config, _ in shown} == own


def test_priority_of_the_first_match():
    order = hub.supported()
    for first, second in [
        ("AudioToText", "Seq2SeqLM"),
        ("Seq2SeqLM", "CausalLM"),
        ("SAMImageSegmenter", "ImageSegmenter"),
        ("FeaturePyramidBackbone", "Backbone"),
    ]:
        assert order.index(first) < order.index(second)
    # A Seq2SeqLM is a CausalLM: the order decides.
    assert issubclass(keras_hub.models.Seq2SeqLM, keras_hub.models.CausalLM)


def test_own_inputs_stay_open():
    assert shapes(build("bert-BertTextClassifier")) == {
        "padding_mask": (None, None),
        "segment_ids": (None, None),
        "token_ids": (None, None),
    }
    assert list(shapes(build("vit-ViTImageClassifier")).values()) == [(None, 28, 28, 3)]


def test_axes_of_one_size():
    leaves = hub.get_exporter_config(build("bart-BartSeq2SeqLM")).signature().leaves()
    axes = {leaf.name: leaf.axes for leaf in leaves}
    assert axes["encoder_token_ids"] == axes["encoder_padding_mask"]
    assert axes["decoder_token_ids"] == axes["decoder_padding_mask"]
    assert axes["encoder_token_ids"] != axes["decoder_token_ids"]


def test_overrides():
    text = build("bert-BertTextClassifier")
    assert set(shapes(text, max_sequence_length=7, batch_size=2).values()) == {(2, 7)}
    speech = build("whisper-WhisperBackbone")
    found = shapes(speech, audio_length=6, decoder_sequence_length=4)
    assert found["encoder_features"] == (None, 6, 80)
    assert found["decoder_token_ids"] == (None, 4)
    vision = build("cspnet-CSPNetBackbone")
    assert list(shapes(vision, image_size=(32, 48)).values()) == [(None, 32, 48, 3)]
    assert list(shapes(vision, image_size=40).values()) == [(None, 40, 40, 3)]


@pytest.mark.parametrize(
    ("case", "overrides", "expected"),
    [
        (
            "moonshine-MoonshineAudioToText",
            {"batch_size": 2, "audio_length": 400, "decoder_sequence_length": 6},
            {
                "encoder_input_values": (2, 400, 1),
                "encoder_padding_mask": (2, 400),
                "decoder_token_ids": (2, 6),
                "decoder_padding_mask": (2, 6),
            },
        ),
        (
            "bert-BertMaskedLM",
            {"max_sequence_length": 6},
            {
                "token_ids": (None, 6),
                "padding_mask": (None, 6),
                "segment_ids": (None, 6),
                "mask_positions": (None, None),
            },
        ),
        (
            "bert-BertTextEmbedder",
            {"batch_size": 1},
            {"token_ids": (1, None), "padding_mask": (1, None), "segment_ids": (1, None)},
        ),
        (
            "gpt2-GPT2CausalLM",
            {"max_sequence_length": 6},
            {"token_ids": (None, 6), "padding_mask": (None, 6)},
        ),
        (
            "bart-BartSeq2SeqLM",
            {"max_sequence_length": 6, "decoder_sequence_length": 4},
            {
                "encoder_token_ids": (None, 6),
                "encoder_padding_mask": (None, 6),
                "decoder_token_ids": (None, 4),
                "decoder_padding_mask": (None, 4),
            },
        ),
        (
            "t5gemma2-T5Gemma2Seq2SeqLM(vision)",
            {"max_sequence_length": 6},
            {
                "encoder_token_ids": (None, 6),
                "encoder_padding_mask": (None, 6),
                "decoder_token_ids": (None, 6),
                "decoder_padding_mask": (None, 6),
                "images": (None, None, 16, 16, 3),
                "vision_indices": (None, None),
            },
        ),
        (
            "pali_gemma-PaliGemmaCausalLM",
            {"max_sequence_length": 6, "image_size": 16},
            {
                "token_ids": (None, 6),
                "padding_mask": (None, 6),
                "response_mask": (None, 6),
                "images": (None, 16, 16, 3),
            },
        ),
        (
            "qwen3_5-Qwen3_5Backbone(vision)",
            {"image_size": (16, 8), "batch_size": 2},
            {
                "token_ids": (2, None),
                "padding_mask": (2, None),
                "pixel_values": (2, 8, 2, 4, 4, 3),
                "vision_indices": (2, 2),
            },
        ),
        (
            "clip-CLIPBackbone",
            {"max_sequence_length": 6},
            {"token_ids": (None, 6), "images": (None, 32, 32, 3)},
        ),
        ("flux-FluxTextToImage", {"batch_size": 2}, None),
        ("segformer-SegFormerImageSegmenter", {"batch_size": 2}, None),
        ("d_fine-DFineObjectDetector", {"batch_size": 2}, None),
        ("mit-MiTBackbone", {"batch_size": 2}, None),
        ("sam-SAMImageSegmenter", {"batch_size": 2}, None),
        ("rqvae-RQVAEBackbone", {"batch_size": 2}, {"input_features": (2, 16)}),
    ],
)
def test_overrides_of_each_kind(case, overrides, expected):
    model = build(case)
    if expected is None:  # The model's own inputs with this batch.
        sizes = {key: tuple(x.shape) for key, x in _named_inputs(model).items()}
        expected = {key: (2, *shape[1:]) for key, shape in sizes.items()}
        if "masks" in expected:  # SAM's masks are 4 times as large as its features.
            expected["masks"] = (2, None, 16, 16, 1)
    found = shapes(model, **overrides)
    if len(expected) == 1:  # Keras numbers the name.
        assert list(found.values()) == list(expected.values())
    else:
        assert found == expected


def _named_inputs(model):
    if isinstance(model.input, dict):
        return model.input
    return {model.inputs[0].name: model.inputs[0]}


@pytest.mark.parametrize(
    ("case", "overrides", "code"),
    [
        ("bert-BertBackbone", {"image_size": 32}, "hub-2"),
        ("vit-ViTBackbone", {"max_sequence_length": 4}, "hub-2"),
        ("bert-BertBackbone", {"max_sequence_length": 10}, "hub-3"),  # It has 9 positions.
        ("bert-BertBackbone", {"max_sequence_length": 0}, "hub-3"),
        ("bert-BertBackbone", {"batch_size": True}, "hub-3"),
        ("vit-ViTBackbone", {"image_size": 32}, "hub-3"),  # It is 28.
        ("whisper-WhisperBackbone", {"audio_length": 7}, "hub-3"),  # It has 6 frames' positions.
        ("whisper-WhisperBackbone", {"decoder_sequence_length": 9}, "hub-3"),  # It has 8.
        ("qwen3_5-Qwen3_5Backbone(vision)", {"image_size": 20}, "hub-3"),  # Not 8·n.
        ("stable_diffusion_3-StableDiffusion3TextToImage", {"audio_length": 8}, "hub-2"),
    ],
)
def test_overrides_that_do_not_fit(case, overrides, code, tmp_path):
    with pytest.raises(ExportError) as error:
        hub.export(build(case), tmp_path / "model.tflite", **overrides)
    assert [problem.code for problem in error.value.diagnostics] == [code]
    assert not list(tmp_path.iterdir())


def test_defaults():
    def static(case, **preprocessor):
        config = hub.get_exporter_config(build(case))
        leaves = config.signature(static=True, preprocessor=preprocessor).leaves()
        return {leaf.name: leaf.shape for leaf in leaves}

    assert static("bloom-BloomCausalLM")["token_ids"] == (None, 128)
    assert static("bert-BertBackbone")["token_ids"] == (None, 9)  # Its positions.
    assert list(static("cspnet-CSPNetBackbone").values()) == [(None, 224, 224, 3)]
    # The preprocessor's sizes come before the defaults.
    assert static("bloom-BloomCausalLM", sequence_length=64)["token_ids"] == (None, 64)
    image = {"image_converter": {"config": {"image_size": [32, 40]}}}
    assert list(static("cspnet-CSPNetBackbone", **image).values()) == [(None, 32, 40, 3)]


def test_one_configuration_for_each_model():
    make = families.CASES["vgg-VGGBackbone"].build
    model, other = make(), make()
    config = hub.get_exporter_config(model)
    assert hub.get_exporter_config(model) is config
    assert hub.get_exporter_config(other) is not config
    kept = weakref.ref(model)
    del model
    gc.collect()
    assert config.signature().leaves()  # It keeps its model.
    del config
    gc.collect()
    assert kept() is None, "the cache keeps models alive"


def test_registered_configurations_go_first(tmp_path, monkeypatch):
    from keras_litert.hub import _registry

    class Own(keras_hub.models.BertBackbone):
        pass

    class OwnConfig(hub.TextExporterConfig):
        def fixed_sizes(self, overrides):
            return {**super().fixed_sizes(overrides), "sequence": 6}

    monkeypatch.setattr(_registry, "_registered", [])
    bert = dict(vocabulary_size=9, num_layers=1, num_heads=1, hidden_dim=4, intermediate_dim=4)
    model = Own(**bert)
    assert type(hub.get_exporter_config(model)).__name__ == "TextBackboneConfig"
    hub.register_exporter_config(Own, OwnConfig)
    assert type(hub.get_exporter_config(model)) is OwnConfig
    assert "Own" in hub.supported()
    report = keras_litert.export(model, tmp_path / "model.tflite")
    assert {name: shape for name, _, shape in report.inputs}["token_ids"] == (-1, 6)


def test_registering_something_else():
    with pytest.raises(TypeError, match="model_class"):
        hub.register_exporter_config("Bert", hub.TextExporterConfig)
    with pytest.raises(TypeError, match="config"):
        hub.register_exporter_config(keras_hub.models.BertBackbone, dict)


def test_unsupported_classes():
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    with pytest.raises(ValueError, match=r"(?s)Seq2SeqLM.*keras_litert\.export"):
        hub.get_exporter_config(model)
    assert not hub.is_hub_model(model)


def test_model_export_is_the_same(tmp_path):
    model = build("bert-BertTextClassifier")
    model.export(tmp_path / "a.tflite", format="litert", verbose=False)
    report = hub.export(model, tmp_path / "b.tflite")
    assert (tmp_path / "a.tflite").read_bytes() == (tmp_path / "b.tflite").read_bytes()
    assert report.strategy == "tracer"
    with pytest.raises(TypeError, match="max_sequence_lenght"):
        hub.export(model, tmp_path / "c.tflite", max_sequence_lenght=4)


@pytest.mark.parametrize("task", [False, True])
def test_preset_folders(tmp_path, task):
    model = build("vgg-VGGImageClassifier" if task else "llama-LlamaBackbone")
    folder = tmp_path / "preset"
    model.save_to_preset(str(folder))
    report = hub.export(folder, tmp_path / "model.tflite")
    assert len(report.inputs) == (1 if task else 2)
    direct = hub.export(model, tmp_path / "direct.tflite")
    assert report.operators == direct.operators
    assert abs(report.file_bytes - direct.file_bytes) < 1024  # Names differ.


def damaged(folder, damage):
    """A preset with one thing wrong."""
    build("llama-LlamaBackbone").save_to_preset(str(folder))
    if damage == "no config":
        (folder / "config.json").unlink()
    elif damage == "no JSON":
        (folder / "config.json").write_text("{")
    elif damage == "a list":
        (folder / "config.json").write_text("[]")
    elif damage == "another class":
        config = json.loads((folder / "config.json").read_text())
        config["registered_name"] = "mine>Own"
        (folder / "config.json").write_text(json.dumps(config))
    elif damage == "another task":
        (folder / "task.json").write_text('{"registered_name": "keras_hub>LlamaBackbone"}')
    elif damage == "no weights":
        (folder / "model.weights.h5").unlink()
    elif damage == "cut weights":
        content = (folder / "model.weights.h5").read_bytes()
        (folder / "model.weights.h5").write_bytes(content[:1000])


_OTHER = (
    "    Its class may be of another version, or your own: import the module that registers it and "
    "call keras_litert.hub.export().\n"
)
_AGAIN = "    Save it again with model.save_to_preset(folder).\n"


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (
            "no config",
            "error: hub-4: 'FOLDER' is no folder of a preset: it has no config.json\n"
            "    Save one with model.save_to_preset(folder), or give a model.\n",
        ),
        (
            "no JSON",
            "error: hub-4: 'FOLDER/config.json' cannot be read: Expecting property name enclosed "
            "in double quotes: line 1 column 2 (char 1)\n",
        ),
        ("a list", "error: hub-4: 'FOLDER/config.json' holds no object, but list\n"),
        (
            "another class",
            "error: hub-4: 'FOLDER' is a preset of 'mine>Own', no backbone of KerasHub 0.32.0\n"
            + _OTHER,
        ),
        (
            "another task",
            "error: hub-4: 'FOLDER' is a preset of 'keras_hub>LlamaBackbone', no task of KerasHub "
            "0.32.0\n" + _OTHER,
        ),
        (
            "no weights",
            "error: hub-5: KerasHub cannot load the preset 'FOLDER': FileNotFoundError: "
            "`model.weights.json` doesn't exist in preset directory `FOLDER`.\n" + _AGAIN,
        ),
        (
            "cut weights",
            "error: hub-5: KerasHub cannot load the preset 'FOLDER': OSError: Unable to "
            "synchronously open file (truncated file: eof = 1000, sblock->base_addr = 0, "
            "stored_eof = 102960)\n" + _AGAIN,
        ),
    ],
)
def test_damaged_presets(damage, message, tmp_path, capsys):
    from keras_litert.__main__ import main

    folder, target = tmp_path / "preset", tmp_path / "model.tflite"
    damaged(folder, damage)
    capsys.readouterr()
    assert main(["hub", str(folder), "-o", str(target)]) == 1
    assert capsys.readouterr().err == message.replace("FOLDER", str(folder))
    assert not target.exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--image-size", "32"],
            "error: hub-2: image_size is no option of LlamaBackbone, a text model\n"
            "    It takes batch_size, max_sequence_length.\n",
        ),
        (
            ["--max-sequence-length", "0"],
            "error: hub-3: max_sequence_length must be positive, got 0\n",
        ),
        (
            ["--quantize", "dynamic_int9"],
            "error: quantize-1: unknown quantization recipe 'dynamic_int9'\n"
            "    Did you mean 'dynamic_int8'?\n",
        ),
        (["-o", "model.tfl"], "error: the path must end in '.tflite', got 'model.tfl'\n"),
    ],
)
def test_command_line_options_that_do_not_fit(arguments, message, tmp_path, capsys):
    from keras_litert.__main__ import main

    build("llama-LlamaBackbone").save_to_preset(str(tmp_path / "preset"))
    capsys.readouterr()
    target = tmp_path / "model.tflite"
    assert main(["hub", str(tmp_path / "preset"), "-o", str(target), *arguments]) == 1
    assert capsys.readouterr().err == message
    assert not target.exists()


def test_sharded_weights(tmp_path):
    """Weights of several files, as save_to_preset() writes those of large models."""
    model = keras_hub.models.LlamaBackbone(
        vocabulary_size=200,
        num_layers=3,
        num_query_heads=4,
        num_key_value_heads=2,
        hidden_dim=64,
        intermediate_dim=96,
    )
    folder = tmp_path / "preset"
    model.save_to_preset(str(folder), max_shard_size=100e3 / 1e9)
    assert (folder / "model.weights.json").is_file()
    assert len(list(folder.glob("model_*.weights.h5"))) > 1
    report = hub.export(folder, tmp_path / "model.tflite")
    direct = hub.export(model, tmp_path / "direct.tflite")
    assert report.operators == direct.operators
    files = [oracle.Runtime(*opened(tmp_path / name)) for name in ("model.tflite", "direct.tflite")]
    tokens = np.array([[1, 5, 7, 2]], "int32")
    outputs = []
    for runtime in files:
        runtime.set([np.ones_like(tokens), tokens])
        outputs.append(runtime.invoke()[0])
    want = model({"token_ids": tokens, "padding_mask": np.ones_like(tokens)})
    assert oracle.relative_error(outputs[0], np.asarray(want)) <= 1e-4
    np.testing.assert_array_equal(outputs[0], outputs[1])


def opened(path):
    content = path.read_bytes()
    return oracle.File(content), content, True


def test_command_line(tmp_path, capsys):
    from keras_litert.__main__ import main

    model = build("llama-LlamaBackbone")
    folder, target = tmp_path / "preset", tmp_path / "model.tflite"
    model.save_to_preset(str(folder))
    assert main(["hub", str(folder), "-o", str(target), "--max-sequence-length", "4"]) == 0
    assert "token_ids: int32[None, 4]" in capsys.readouterr().out
    assert target.stat().st_size > 0
    assert main(["hub", str(tmp_path / "none"), "-o", str(target)]) == 1
    assert "config.json" in capsys.readouterr().err


def test_keras_hub_is_imported_for_its_models_only():
    code = "import keras_litert, sys; assert 'keras_hub' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


# Large enough that their weights are worth fewer bits.
_TEXT = dict(vocabulary_size=500, num_layers=2, hidden_dim=64, intermediate_dim=128)
_QUANTIZED = {
    "text: BertTextClassifier": (
        lambda: keras_hub.models.BertTextClassifier(
            keras_hub.models.BertBackbone(num_heads=4, max_sequence_length=9, **_TEXT),
            num_classes=3,
            preprocessor=None,
        ),
        (5, 9),
    ),
    "vision: ViTImageClassifier": (
        lambda: keras_hub.models.ViTImageClassifier(
            keras_hub.models.ViTBackbone(
                image_shape=(32, 32, 3),
                patch_size=(4, 4),
                num_layers=2,
                num_heads=4,
                hidden_dim=64,
                mlp_dim=128,
            ),
            num_classes=3,
            preprocessor=None,
        ),
        (32,),
    ),
    "audio: WhisperBackbone": (
        lambda: keras_hub.models.WhisperBackbone(
            num_heads=4, max_encoder_sequence_length=8, max_decoder_sequence_length=8, **_TEXT
        ),
        (5, 8),
    ),
    "multimodal: PaliGemmaCausalLM": (
        lambda: keras_hub.models.PaliGemmaCausalLM(
            backbone=keras_hub.models.PaliGemmaBackbone(
                image_size=16,
                num_query_heads=4,
                num_key_value_heads=1,
                head_dim=16,
                vit_patch_size=4,
                vit_num_layers=2,
                vit_num_heads=4,
                vit_hidden_dim=64,
                vit_intermediate_dim=128,
                **_TEXT,
            ),
            preprocessor=None,
        ),
        (9,),
    ),
}


@pytest.mark.parametrize("name", _QUANTIZED)
def test_quantized(name):
    """One model of each modality, in fewer bits: runs, and its error is in the docs' table."""
    import checks

    build, sizes = _QUANTIZED[name]
    case = families.Case(name, name, "", build, sizes)
    plain = checks.check(case)
    for recipe, tolerance in [("float16", 1e-2), ("dynamic_int8", 0.1)]:
        found = checks.check(case, tolerance, quantize=recipe)
        assert plain.error < found.error, f"{recipe} changes nothing"
        assert found.file_bytes < plain.file_bytes
        checks.record(case, found, id=name, recipe=recipe, float_bytes=plain.file_bytes)
