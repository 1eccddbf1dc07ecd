"""Text encoders, decoders and encoder-decoders; speech."""

from families import backbone

_BERT = dict(vocabulary_size=20, num_layers=2, num_heads=2, hidden_dim=8, intermediate_dim=16)
_SHORT = {**_BERT, "max_sequence_length": 9}
_CLASSES = {"num_classes": 3}
_GROUPED = dict(
    vocabulary_size=20,
    num_layers=2,
    num_query_heads=4,
    num_key_value_heads=2,
    hidden_dim=16,
    intermediate_dim=24,
)
_WINDOW = {**_GROUPED, "sliding_window": 4}
_EXPERTS = {"num_experts": 4, "top_k": 2}
_LINEAR = dict(
    vocabulary_size=20,
    num_layers=4,
    num_query_heads=4,
    num_key_value_heads=2,
    head_dim=8,
    hidden_dim=16,
    layer_types=["linear_attention"] * 3 + ["full_attention"],
    partial_rotary_factor=0.25,
    linear_num_key_heads=2,
    linear_num_value_heads=4,
    linear_key_head_dim=4,
    linear_value_head_dim=4,
    linear_conv_kernel_dim=4,
)


def classified(prefix):
    return (prefix + "MaskedLM", (prefix + "TextClassifier", _CLASSES))


# Encoders.
backbone(
    "albert",
    "AlbertBackbone",
    dict(
        vocabulary_size=20,
        num_layers=2,
        num_heads=2,
        num_groups=1,
        num_inner_repetitions=1,
        embedding_dim=8,
        hidden_dim=8,
        intermediate_dim=16,
        max_sequence_length=9,
    ),
    tasks=classified("Albert"),
)
backbone("bert", "BertBackbone", _SHORT, tasks=(*classified("Bert"), "BertTextEmbedder"))
backbone("deberta_v3", "DebertaV3Backbone", _SHORT, tasks=classified("DebertaV3"))
backbone("distil_bert", "DistilBertBackbone", _SHORT, tasks=classified("DistilBert"))
backbone(
    "electra",
    "ElectraBackbone",
    dict(
        vocab_size=20,
        num_layers=2,
        num_heads=2,
        hidden_dim=8,
        embedding_dim=6,
        intermediate_dim=16,
        max_sequence_length=9,
    ),
)
backbone("esm", "ESMBackbone", _BERT, tasks=("ESMMaskedPLM", ("ESMProteinClassifier", _CLASSES)))
backbone(
    "f_net",
    "FNetBackbone",
    {k: v for k, v in _SHORT.items() if k != "num_heads"},
    tasks=classified("FNet"),
)
backbone("roberta", "RobertaBackbone", _SHORT, tasks=classified("Roberta"))
backbone(
    "roformer_v2",
    "RoformerV2Backbone",
    {**_BERT, "head_size": 4},
    tasks=("RoformerV2MaskedLM", ("RoformerV2TextClassifier", _CLASSES)),
)
backbone(
    "xlm_roberta",
    "XLMRobertaBackbone",
    _SHORT,
    tasks=(*classified("XLMRoberta"), "XLMRobertaTextEmbedder"),
)
backbone("xlnet", "XLNetBackbone", _BERT)

# Decoders.
backbone(
    "bloom",
    "BloomBackbone",
    {**_BERT, "num_heads": 4},
    tasks=("BloomCausalLM",),
)
backbone(
    "falcon",
    "FalconBackbone",
    dict(
        vocabulary_size=20, num_layers=2, num_attention_heads=4, hidden_dim=16, intermediate_dim=32
    ),
    tasks=("FalconCausalLM",),
)
_GEMMA = dict(
    vocabulary_size=20,
    num_layers=2,
    num_query_heads=4,
    num_key_value_heads=1,
    hidden_dim=16,
    intermediate_dim=32,
    head_dim=4,
)
backbone("gemma", "GemmaBackbone", _GEMMA, tasks=("GemmaCausalLM",))
backbone(
    "gemma",
    "GemmaBackbone",
    {
        **_GEMMA,
        "num_key_value_heads": 2,
        "sliding_window_size": 4,
        "attention_logit_soft_cap": 50,
        "final_logit_soft_cap": 30,
        "query_head_dim_normalize": False,
        "use_post_ffw_norm": True,
        "use_post_attention_norm": True,
        "use_sliding_window_attention": True,
    },
    variant="(Gemma 2)",
    tasks=("GemmaCausalLM",),
)
backbone("gpt2", "GPT2Backbone", _SHORT, tasks=("GPT2CausalLM",))
backbone("gpt_neo_x", "GPTNeoXBackbone", {**_SHORT, "hidden_dim": 32}, tasks=("GPTNeoXCausalLM",))
backbone("gpt_oss", "GptOssBackbone", {**_WINDOW, **_EXPERTS}, tasks=("GptOssCausalLM",))
backbone("llama", "LlamaBackbone", _GROUPED, tasks=("LlamaCausalLM",))
backbone("llama3", "Llama3Backbone", _GROUPED, tasks=("Llama3CausalLM",))
backbone("mistral", "MistralBackbone", _WINDOW, tasks=("MistralCausalLM",))
backbone("mixtral", "MixtralBackbone", {**_WINDOW, **_EXPERTS}, tasks=("MixtralCausalLM",))
backbone("opt", "OPTBackbone", _SHORT, tasks=("OPTCausalLM",))
backbone("phi3", "Phi3Backbone", _GROUPED, tasks=("Phi3CausalLM",))
backbone(
    "phi3",
    "Phi3Backbone",
    {
        **_GROUPED,
        "num_query_heads": 4,
        "max_sequence_length": 10,
        "pretraining_sequence_length": 5,
        "rope_scaling_type": "su",
        "rope_scaling_short_factor": [1.2, 1.4],
        "rope_scaling_long_factor": [0.8, 0.6],
    },
    variant="(su rotary)",
)
backbone("qwen", "QwenBackbone", _GROUPED, tasks=("QwenCausalLM",))
backbone(
    "qwen3",
    "Qwen3Backbone",
    {**_GROUPED, "head_dim": 4},
    tasks=("Qwen3CausalLM", "Qwen3TextEmbedder"),
)
backbone(
    "qwen3_5",
    "Qwen3_5Backbone",
    {**_LINEAR, "intermediate_dim": 32},
    tasks=("Qwen3_5CausalLM",),
)
backbone(
    "qwen3_5_moe",
    "Qwen3_5MoeBackbone",
    {
        **_LINEAR,
        **_EXPERTS,
        "moe_intermediate_dim": 8,
        "shared_expert_intermediate_size": 8,
        "router_aux_loss_coefficient": 0.01,
    },
    tasks=("Qwen3_5MoeCausalLM",),
)
backbone(
    "qwen3_moe",
    "Qwen3MoeBackbone",
    {
        **_GROUPED,
        **_EXPERTS,
        "head_dim": 4,
        "moe_intermediate_dim": 16,
        "norm_top_k_prob": True,
    },
    tasks=("Qwen3MoeCausalLM",),
)
backbone(
    "qwen_moe",
    "QwenMoeBackbone",
    {
        **_GROUPED,
        **_EXPERTS,
        "moe_intermediate_dim": 16,
        "shared_expert_intermediate_dim": 32,
        "norm_top_k_prob": True,
    },
    tasks=("QwenMoeCausalLM",),
)
backbone(
    "rwkv7",
    "RWKV7Backbone",
    dict(
        vocabulary_size=20,
        hidden_size=16,
        num_layers=2,
        head_size=4,
        intermediate_dim=32,
        gate_lora=32,
        mv_lora=16,
        aaa_lora=16,
        decay_lora=16,
    ),
    sizes=(16, 32),
    tasks=("RWKV7CausalLM",),
)
backbone(
    "smollm3",
    "SmolLM3Backbone",
    dict(
        vocabulary_size=20,
        hidden_dim=16,
        intermediate_dim=32,
        num_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        attention_bias=False,
        attention_dropout=0.0,
        rope_layer_enabled_list=[True, False],
        layer_types=["attention", "attention"],
        mlp_bias=False,
        layer_norm_epsilon=1e-5,
        max_position_embeddings=32,
        rope_theta=10000.0,
        partial_rotary_factor=1.0,
    ),
    tasks=("SmolLM3CausalLM",),
)

# Encoder and decoder.
backbone("bart", "BartBackbone", _SHORT, tasks=("BartSeq2SeqLM",))
backbone(
    "edrec",
    "EdRecBackbone",
    dict(
        vocab_size=20,
        num_layers_enc=2,
        num_layers_dec=2,
        num_heads=2,
        hidden_dim=8,
        intermediate_dim=16,
        dropout=0.0,
    ),
    tasks=("EdRecSeq2SeqLM",),
)
backbone("t5", "T5Backbone", _BERT, tasks=("T5Seq2SeqLM",))
_T5GEMMA = {
    "vocabulary_size": 20,
    **{
        f"{side}_{key}": value
        for side in ("encoder", "decoder")
        for key, value in {
            "hidden_dim": 16,
            "intermediate_dim": 32,
            "num_layers": 2,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "head_dim": 4,
            "layer_types": ["sliding_attention", "full_attention"],
        }.items()
    },
    "dropout_rate": 0.1,
    "rms_norm_eps": 1e-6,
    "tie_word_embeddings": True,
    "query_pre_attn_scalar": 1.0,
    "attention_bias": False,
    "hidden_activation": "gelu_approximate",
    "sliding_window": 4,
    "cross_attention_hidden_size": 16,
    "attn_logit_softcapping": 50.0,
    "rope_max_wavelength": 10000.0,
    "initializer_range": 0.04,
    "attention_dropout": 0.1,
}
backbone("t5gemma", "T5GemmaBackbone", _T5GEMMA, tasks=("T5GemmaSeq2SeqLM",))
backbone(
    "t5gemma2",
    "T5Gemma2Backbone",
    {**_T5GEMMA, "use_query_key_norm": True},
    tasks=("T5Gemma2Seq2SeqLM",),
)

# Speech.
backbone(
    "moonshine",
    "MoonshineBackbone",
    dict(
        vocabulary_size=20,
        filter_dim=32,
        encoder_num_layers=2,
        decoder_num_layers=2,
        hidden_dim=32,
        intermediate_dim=128,
        encoder_num_heads=4,
        decoder_num_heads=4,
        feedforward_expansion_factor=4,
        decoder_use_swiglu_activation=True,
        encoder_use_swiglu_activation=False,
    ),
    sizes=(2000, 2400),
    tasks=("MoonshineAudioToText",),
)
backbone(
    "whisper",
    "WhisperBackbone",
    dict(
        vocabulary_size=20,
        num_layers=2,
        num_heads=2,
        hidden_dim=8,
        intermediate_dim=16,
        max_encoder_sequence_length=6,
        max_decoder_sequence_length=8,
    ),
    sizes=(5, 6),
)
