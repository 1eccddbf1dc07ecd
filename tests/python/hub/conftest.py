"""Which of KerasHub's models run: a few of each kind by default, all with --hub all."""

import os
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))

# A model of each modality and mechanism, quick ones.
DEFAULT = {
    "albert-AlbertMaskedLM",
    "bart-BartSeq2SeqLM",
    "bert-BertBackbone",
    "bert-BertTextClassifier",
    "bert-BertTextEmbedder",
    "bloom-BloomCausalLM",
    "clip-CLIPBackbone",
    "d_fine-DFineObjectDetector",
    "deberta_v3-DebertaV3Backbone",
    "dinov2-DINOV2Backbone(registers)",
    "falcon-FalconCausalLM",
    "flux-FluxBackbone",
    "gemma-GemmaCausalLM(Gemma 2)",
    "gemma3-Gemma3Backbone(vision)",
    "gpt2-GPT2CausalLM",
    "llama-LlamaCausalLM",
    "mit-MiTImageClassifier",
    "mixtral-MixtralCausalLM",
    "mobilenetv5-MobileNetV5ImageClassifier",
    "pali_gemma-PaliGemmaCausalLM",
    "phi3-Phi3Backbone(su rotary)",
    "qwen3-Qwen3TextEmbedder",
    "vit-ViTImageClassifier",
    "whisper-WhisperBackbone",
}


def pytest_collection_modifyitems(items):
    import checks
    import keras

    backend = keras.backend.backend()
    known = checks.recorded(backend)  # scripts/hub goes on where it was stopped.
    for item in items:
        case = getattr(item, "callspec", None) and item.callspec.params.get("case")
        if not hasattr(case, "build"):
            continue
        if os.environ.get("KERAS_LITERT_HUB") != "all" and case.id not in DEFAULT:
            item.add_marker(pytest.mark.skip(reason="runs with scripts/hub"))
        elif case.id in known:
            item.add_marker(pytest.mark.skip(reason="has a result"))
