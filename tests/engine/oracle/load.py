"""Reads a checkpoint in any of its layouts into a `Model`: a Hugging Face folder, a Mistral native folder, a GGUF file."""
import json
import re
from math import sqrt
from pathlib import Path

import numpy as np

import blocks
from formats import read_gguf, read_safetensors
from forward import Model, Rope, rope


def load(path):
    path = Path(path)
    if (path / "config.json").exists():
        return load_hf(path)
    if (path / "params.json").exists():
        return load_native(path)
    return load_gguf(next(iter(sorted(path.glob("*.gguf")))) if path.is_dir() else path)


def unpair(weight, heads):
    """Rotary pairs side by side, (2i, 2i + 1) -> half apart. First axis: heads x head_dim."""
    return weight.reshape(heads, -1, 2, *weight.shape[1:]).swapaxes(1, 2).reshape(weight.shape)


# Hugging Face

HF_NAMES = [
    (r"embed_tokens\.weight", "embed"), (r"norm\.weight", "norm"), (r"lm_head\.weight", "head"),
    (r"layers\.(\d+)\.self_attn\.([qkvo])_proj\.(weight|bias)", r"\1.\2.\3"),
    (r"layers\.(\d+)\.self_attn\.([qk])_norm\.weight", r"\1.\2_norm"),
    (r"layers\.(\d+)\.self_attn\.sinks", r"\1.sinks"),
    (r"layers\.(\d+)\.input_layernorm\.weight", r"\1.attention_norm"),
    (r"layers\.(\d+)\.mlp\.(gate|up|down)_proj\.(weight|bias)", r"\1.\2.\3"),
    (r"layers\.(\d+)\.mlp\.experts\.(\d+)\.(gate|up|down)_proj\.weight", r"\1.experts.\2.\3.weight"),
    (r"layers\.(\d+)\.mlp\.gate\.weight", r"\1.router.weight"),
    (r"layers\.(\d+)\.mlp\.router\.(weight|bias)", r"\1.router.\2"),
    (r"layers\.(\d+)\.mlp\.experts\.(gate_up|down)_proj_bias", r"\1.all.\2.bias"),
    (r"layers\.(\d+)\.mlp\.experts\.(gate_up|down)_proj", r"\1.all.\2.weight"),
    (r"layers\.(\d+)\.block_sparse_moe\.gate\.weight", r"\1.router.weight"),
    (r"layers\.(\d+)\.block_sparse_moe\.experts\.(\d+)\.w1\.weight", r"\1.experts.\2.gate.weight"),
    (r"layers\.(\d+)\.block_sparse_moe\.experts\.(\d+)\.w2\.weight", r"\1.experts.\2.down.weight"),
    (r"layers\.(\d+)\.block_sparse_moe\.experts\.(\d+)\.w3\.weight", r"\1.experts.\2.up.weight"),
]
# A layer has two norms or, Gemma 3, four: the same name then means another place.
TWO_NORMS = [(r"layers\.(\d+)\.post_attention_layernorm\.weight", r"\1.mlp_norm")]
FOUR_NORMS = [(r"layers\.(\d+)\.post_attention_layernorm\.weight", r"\1.attention_post_norm"),
              (r"layers\.(\d+)\.pre_feedforward_layernorm\.weight", r"\1.mlp_norm"),
              (r"layers\.(\d+)\.post_feedforward_layernorm\.weight", r"\1.mlp_post_norm")]
BERT_NAMES = [
    (r"embeddings\.word_embeddings\.weight", "embed"), (r"embeddings\.position_embeddings\.weight", "positions"),
    (r"embeddings\.token_type_embeddings\.weight", "segments"), (r"embeddings\.LayerNorm\.(weight|bias)", r"embed_norm.\1"),
    (r"encoder\.layer\.(\d+)\.attention\.self\.(q|k|v)(?:uery|ey|alue)\.(weight|bias)", r"\1.\2.\3"),
    (r"encoder\.layer\.(\d+)\.attention\.output\.dense\.(weight|bias)", r"\1.o.\2"),
    (r"encoder\.layer\.(\d+)\.attention\.output\.LayerNorm\.(weight|bias)", r"\1.attention_post_norm.\2"),
    (r"encoder\.layer\.(\d+)\.intermediate\.dense\.(weight|bias)", r"\1.up.\2"),
    (r"encoder\.layer\.(\d+)\.output\.dense\.(weight|bias)", r"\1.down.\2"),
    (r"encoder\.layer\.(\d+)\.output\.LayerNorm\.(weight|bias)", r"\1.mlp_post_norm.\2"),
]


def renamed(tensors, names):
    weights = {}
    for name, tensor in tensors.items():
        match = next(((pattern, new) for pattern, new in names if re.fullmatch(pattern, name)), None)
        assert match, f"unknown tensor '{name}'"
        weights[re.sub(*match, name)] = tensor
    return weights


def stored_tensors(folder, pattern, block=None):
    """Every shard's tensors as they are meant: FP8 weights times their scales, MXFP4 decoded. `block`: rows and columns per scale."""
    raw = {}
    for path in sorted(folder.glob(pattern)):
        raw |= read_safetensors(path)
    arrays = {name: array for name, (_, array) in raw.items()}
    result = {}
    for name, (kind, array) in raw.items():
        if name.endswith("_blocks"):
            result[name[:-7]] = blocks.mxfp4_hf_decode(array, arrays[name[:-7] + "_scales"])
        elif kind == "F8_E4M3":
            base = name[:-len("weight")]
            scale, = [arrays[base + s] for s in ("weight_scale", "weight_scale_inv", "qscale_weight") if base + s in arrays]
            result[name] = array * spread(scale, array.shape, block)
        elif not re.search(r"_scales$|(weight|input|activation)_scale(_inv)?$|qscale_(weight|act)$", name):
            result[name] = array
    return result


def spread(scale, shape, block):
    """A scale per tensor, per row ([out, 1]) or per block, over the weight's shape."""
    if scale.size == 1 or scale.shape == (shape[0], 1) and not block:
        return scale
    return scale.repeat(block[0], axis=0).repeat(block[1], axis=1)[:shape[0], :shape[1]]


# What a configuration means that leaves the key out, per model_type
DEFAULTS = {
    "llama": {"rms_norm_eps": 1e-6, "rope_theta": 1e4},
    "mistral": {"rms_norm_eps": 1e-6, "rope_theta": 1e4, "num_key_value_heads": 8, "sliding_window": 4096},
    "ministral3": {"rms_norm_eps": 1e-5, "num_attention_heads": 32, "num_key_value_heads": 8, "head_dim": 128},
    "mixtral": {"rms_norm_eps": 1e-5, "rope_theta": 1e6, "num_key_value_heads": 8, "num_experts_per_tok": 2},
    "qwen2": {"rms_norm_eps": 1e-6, "rope_theta": 1e4, "num_key_value_heads": 32, "max_window_layers": 28},
    "qwen3": {"rms_norm_eps": 1e-6, "rope_theta": 1e4, "num_key_value_heads": 32, "head_dim": 128, "max_window_layers": 28},
    "qwen3_moe": {"rms_norm_eps": 1e-6, "rope_theta": 1e4, "num_key_value_heads": 4, "num_experts_per_tok": 8},
    "gemma3_text": {"rms_norm_eps": 1e-6, "rope_theta": 1e6, "num_attention_heads": 8, "num_key_value_heads": 4, "head_dim": 256,
                    "query_pre_attn_scalar": 256, "sliding_window": 4096, "sliding_window_pattern": 6, "rope_local_base_freq": 1e4,
                    "hidden_activation": "gelu_pytorch_tanh", "tie_word_embeddings": True},
    "gpt_oss": {"rms_norm_eps": 1e-5, "rope_theta": 15e4, "num_key_value_heads": 8, "head_dim": 64, "sliding_window": 128,
                "num_experts_per_tok": 4, "swiglu_limit": 7.0},
    "bert": {"layer_norm_eps": 1e-12, "hidden_act": "gelu"},
}
ACTIVATION = {"silu": "silu", "gelu": "gelu", "gelu_pytorch_tanh": "gelu_tanh"}


def load_hf(folder):
    whole = json.loads((folder / "config.json").read_text())
    config = whole.get("text_config", whole)  # a multimodal wrapper's language model
    family = config["model_type"]
    config = DEFAULTS[family] | config
    quantisation = whole.get("quantization_config") or {}
    group = next(iter(quantisation.get("config_groups", {}).values()), {}).get("weights", {})
    block = quantisation.get("weight_block_size") or group.get("block_structure")
    tensors = stored_tensors(folder, "*.safetensors", block)
    if family == "bert":
        return bert_model(folder, config, tensors)
    tensors = {re.sub(r"^(language_model\.model\.|model\.language_model\.|language_model\.|model\.)", "", name): tensor
               for name, tensor in tensors.items() if not re.search(r"vision_tower|multi_modal_projector", name)}
    weights = renamed(tensors, HF_NAMES + (FOUR_NORMS if family == "gemma3_text" else TWO_NORMS))
    if config.get("tie_word_embeddings"):
        weights.pop("head", None)
    split_experts(weights)
    heads = config["num_attention_heads"]
    model = Model(family, heads, config.get("num_key_value_heads") or heads, config.get("head_dim") or config["hidden_size"] // heads,
                  config["rms_norm_eps"], weights=weights)
    model.score_scale = model.head_dim**-0.5
    model.activation = ACTIVATION[config.get("hidden_activation") or config.get("hidden_act", "silu")]
    model.experts_used = config.get("num_experts_per_tok", 0)
    windows_and_ropes(model, config)
    if family == "ministral3":
        parameters = config["rope_parameters"]
        model.query_growth = parameters["llama_4_scaling_beta"], parameters["original_max_position_embeddings"]
    if family == "mixtral" or config.get("norm_topk_prob"):
        model.routing = "renormalised"
    if family == "gpt_oss":
        model.routing, model.swiglu_limit = "chosen", config["swiglu_limit"]
    if family == "gemma3_text":
        model.norm_offset, model.embed_scale = 1, sqrt(config["hidden_size"])
        model.score_scale = config["query_pre_attn_scalar"]**-0.5
        model.attention_softcap, model.logit_softcap = config.get("attn_logit_softcapping"), config.get("final_logit_softcapping")
    return model


def split_experts(weights):
    """gpt-oss stores a layer's experts as one; gate and up are its even and odd rows."""
    for name in [name for name in weights if ".all." in name]:
        layer, _, part, kind = name.split(".")
        for expert, tensor in enumerate(weights.pop(name)):
            pieces = {"down": tensor} if part == "down" else {"gate": tensor[0::2], "up": tensor[1::2]}
            for piece, rows in pieces.items():
                weights[f"{layer}.experts.{expert}.{piece}.{kind}"] = rows


def windows_and_ropes(model, config):
    layers, window = range(model.layers), config.get("sliding_window")
    if model.family in ("qwen2", "qwen3", "qwen3_moe"):
        window = window if config.get("use_sliding_window") else None
    sliding = [kind == "sliding_attention" for kind in config.get("layer_types") or []]
    if not sliding:
        sliding = {"mistral": [True for _ in layers],
                   "ministral3": [True for _ in layers],
                   "mixtral": [True for _ in layers],
                   "gemma3_text": [(i + 1) % config.get("sliding_window_pattern", 1) != 0 for i in layers],
                   "gpt_oss": [i % 2 == 0 for i in layers]}.get(
                       model.family, [i >= config.get("max_window_layers", len(layers)) for i in layers])
    model.windows = [window if slides else None for slides in sliding]

    def make(parameters, theta):
        return rope(model.head_dim, theta, parameters, config.get("max_position_embeddings"))

    parameters = config.get("rope_parameters")  # transformers v5: theta is in there; Gemma: one per layer type
    if parameters and "full_attention" in parameters:
        ropes = {kind: make(p, p["rope_theta"]) for kind, p in parameters.items()}
        model.ropes = [ropes["sliding_attention" if slides else "full_attention"] for slides in sliding]
    elif parameters:
        model.ropes = [make(parameters, parameters["rope_theta"])] * model.layers
    else:
        whole = make(config.get("rope_scaling"), config["rope_theta"])
        local = make(None, config["rope_local_base_freq"]) if "rope_local_base_freq" in config else whole
        model.ropes = [local if slides else whole for slides in sliding]


def bert_model(folder, config, tensors):
    tensors = {name.removeprefix("bert."): tensor for name, tensor in tensors.items()}
    tensors = {name: t for name, t in tensors.items() if not re.match(r"pooler\.|cls\.|embeddings\.position_ids", name)}
    heads = config["num_attention_heads"]
    model = Model("bert", heads, heads, config["hidden_size"] // heads, config["layer_norm_eps"], weights=renamed(tensors, BERT_NAMES))
    model.score_scale, model.activation, model.pooling = model.head_dim**-0.5, ACTIVATION[config["hidden_act"]], "cls"
    pooling = folder / "1_Pooling" / "config.json"
    if pooling.exists() and json.loads(pooling.read_text())["pooling_mode_mean_tokens"]:
        model.pooling = "mean"
    modules = folder / "modules.json"
    model.normalise = modules.exists() and "Normalize" in modules.read_text()
    return model


# Mistral native

NATIVE_NAMES = [
    (r"tok_embeddings\.weight", "embed"), (r"norm\.weight", "norm"), (r"output\.weight", "head"),
    (r"layers\.(\d+)\.attention\.w([qkvo])\.weight", r"\1.\2.weight"),
    (r"layers\.(\d+)\.attention_norm\.weight", r"\1.attention_norm"), (r"layers\.(\d+)\.ffn_norm\.weight", r"\1.mlp_norm"),
    (r"layers\.(\d+)\.feed_forward\.w1\.weight", r"\1.gate.weight"), (r"layers\.(\d+)\.feed_forward\.w2\.weight", r"\1.down.weight"),
    (r"layers\.(\d+)\.feed_forward\.w3\.weight", r"\1.up.weight"),
]


def load_native(folder):
    params = json.loads((folder / "params.json").read_text())
    weights = renamed(stored_tensors(folder, "consolidated*.safetensors"), NATIVE_NAMES)
    if params.get("tied_embeddings"):
        weights.pop("head", None)
    model = Model("mistral", params["n_heads"], params["n_kv_heads"], params["head_dim"], params["norm_eps"], weights=weights)
    model.score_scale = model.head_dim**-0.5
    window = params.get("sliding_window")
    model.windows = window if isinstance(window, list) else [window] * model.layers
    scaling = params.get("yarn")
    if scaling:
        scaling = {"rope_type": "yarn", "factor": scaling["factor"], "beta_fast": scaling["beta"], "beta_slow": scaling["alpha"],
                   "original_max_position_embeddings": scaling["original_max_position_embeddings"],
                   "attention_factor": None if scaling.get("apply_scale", True) else 1.0}
    model.ropes = [rope(model.head_dim, params["rope_theta"], scaling)] * model.layers
    growth = params.get("llama_4_scaling")
    if growth:
        model.query_growth = growth["beta"], growth["original_max_position_embeddings"]
    for layer in range(model.layers):
        weights[f"{layer}.q.weight"] = unpair(weights[f"{layer}.q.weight"], model.heads)
        weights[f"{layer}.k.weight"] = unpair(weights[f"{layer}.k.weight"], model.kv_heads)
    return model


# GGUF

GGUF_NAMES = [
    (r"token_embd\.weight", "embed"), (r"output_norm\.weight", "norm"), (r"output\.weight", "head"), (r"rope_freqs\.weight", "rope_freqs"),
    (r"blk\.(\d+)\.attn_norm\.weight", r"\1.attention_norm"), (r"blk\.(\d+)\.ffn_norm\.weight", r"\1.mlp_norm"),
    (r"blk\.(\d+)\.attn_([qkv])\.(weight|bias)", r"\1.\2.\3"), (r"blk\.(\d+)\.attn_output\.(weight|bias)", r"\1.o.\2"),
    (r"blk\.(\d+)\.attn_([qk])_norm\.weight", r"\1.\2_norm"), (r"blk\.(\d+)\.attn_sinks\.weight", r"\1.sinks"),
    (r"blk\.(\d+)\.post_attention_norm\.weight", r"\1.attention_post_norm"), (r"blk\.(\d+)\.post_ffw_norm\.weight", r"\1.mlp_post_norm"),
    (r"blk\.(\d+)\.ffn_(gate|up|down)\.(weight|bias)", r"\1.\2.\3"), (r"blk\.(\d+)\.ffn_gate_inp\.(weight|bias)", r"\1.router.\2"),
    (r"blk\.(\d+)\.ffn_(gate|up|down)_exps\.(weight|bias)", r"\1.merged.\2.\3"),
    (r"position_embd\.weight", "positions"), (r"token_types\.weight", "segments"), (r"token_embd_norm\.(weight|bias)", r"embed_norm.\1"),
    (r"blk\.(\d+)\.attn_output_norm\.(weight|bias)", r"\1.attention_post_norm.\2"),
    (r"blk\.(\d+)\.layer_output_norm\.(weight|bias)", r"\1.mlp_post_norm.\2"),
]


def load_gguf(path):
    keys, stored = read_gguf(path)
    family = keys["general.architecture"]
    weights = renamed({name: tensor for name, (_, tensor) in stored.items()}, GGUF_NAMES)
    for name in [name for name in weights if ".merged." in name]:
        layer, _, part, kind = name.split(".")
        for expert, tensor in enumerate(weights.pop(name)):
            weights[f"{layer}.experts.{expert}.{part}.{kind}"] = tensor
    if family == "gpt-oss":  # post_attention_norm is this family's name of the norm before the experts
        weights = {name.replace("attention_post_norm", "mlp_norm"): tensor for name, tensor in weights.items()}

    def key(name, default=None):
        return keys.get(f"{family}.{name}", default)

    heads = key("attention.head_count")
    kv_heads = key("attention.head_count_kv", heads)
    kv_heads = kv_heads[0] if isinstance(kv_heads, list) else kv_heads
    eps = key("attention.layer_norm_rms_epsilon") or key("attention.layer_norm_epsilon")
    head_dim = key("attention.key_length") or key("rope.dimension_count") or key("embedding_length") // heads
    model = Model(family, heads, kv_heads, head_dim, eps, score_scale=head_dim**-0.5, weights=weights)
    if family == "bert":
        model.activation, model.pooling = "gelu", {1: "mean", 2: "cls"}[key("pooling_type")]
        return model
    model.experts_used = key("expert_used_count", 0)
    model.routing = "chosen" if family == "gpt-oss" else "renormalised"
    model.swiglu_limit = 7.0 if family == "gpt-oss" else None
    gguf_windows_and_ropes(model, key)
    if family == "gemma3":  # its norms are stored with the 1 added
        model.embed_scale, model.activation = sqrt(key("embedding_length")), "gelu_tanh"
        model.logit_softcap = key("final_logit_softcapping")
    if family in ("llama", "mistral3"):
        for layer in range(model.layers):
            for name, count in (("q", heads), ("k", kv_heads)):
                for kind in ("weight", "bias"):
                    if f"{layer}.{name}.{kind}" in weights:
                        weights[f"{layer}.{name}.{kind}"] = unpair(weights[f"{layer}.{name}.{kind}"], count)
    return model


def gguf_windows_and_ropes(model, key):
    layers = range(model.layers)
    window = key("attention.sliding_window")
    sliding = {"gemma3": [(i + 1) % 6 != 0 for i in layers], "gpt-oss": [i % 2 == 0 for i in layers]}.get(
        model.family, [window is not None for _ in layers])
    model.windows = [window if slides else None for slides in sliding]
    theta, kind = key("rope.freq_base", 1e4), key("rope.scaling.type", "none")
    scaling = None if kind == "none" else {
        "rope_type": kind, "factor": key("rope.scaling.factor"),
        "original_max_position_embeddings": key("rope.scaling.original_context_length"),
        "beta_fast": key("rope.scaling.yarn_beta_fast"), "beta_slow": key("rope.scaling.yarn_beta_slow"),
        "truncate": model.family != "gpt-oss"}
    if key("rope.scaling.yarn_log_multiplier"):  # mscale_all_dim, mscale being 1
        scaling |= {"mscale": 1.0, "mscale_all_dim": key("rope.scaling.yarn_log_multiplier")}
    if key("attention.temperature_scale"):  # stored as F32
        model.query_growth = key("attention.temperature_scale"), key("rope.scaling.original_context_length")
    whole = rope(model.head_dim, theta, scaling, key("context_length"))
    if "rope_freqs" in model.weights:
        whole = Rope(whole.frequencies / model.weights.pop("rope_freqs"))
    local = rope(model.head_dim, key("rope.freq_base_swa", 1e4)) if model.family == "gemma3" else whole
    model.ropes = [local if slides else whole for slides in sliding]
