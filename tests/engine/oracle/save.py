"""Random weights for a configuration, and writers of a checkpoint in each layout. Weights go by their Hugging Face names."""
import json
import re
from math import ceil, sqrt
from pathlib import Path

import numpy as np

import blocks
import forward
from formats import write_gguf, write_safetensors, write_split_gguf


# Weights


def shapes(config):
    """name -> (shape, "norm" | "bias" | "weight" | ...) of a decoder; what a flag of the configuration leaves out is not there."""
    c, family = config, config["model_type"]
    hidden, heads = c["hidden_size"], c["num_attention_heads"]
    head_dim, kv_heads = c.get("head_dim") or hidden // heads, c.get("num_key_value_heads") or heads
    yield "model.embed_tokens.weight", (c["vocab_size"], hidden), "embedding"
    yield "model.norm.weight", (hidden,), "norm"
    if not c.get("tie_word_embeddings", family == "gemma3_text"):
        yield "lm_head.weight", (c["vocab_size"], hidden), "embedding"
    biased = {"q", "k", "v"} if family == "qwen2" else {"q", "k", "v", "o"} if c.get("attention_bias") else set()
    for layer in range(c["num_hidden_layers"]):
        p = f"model.layers.{layer}."
        norms = ["input_layernorm", "post_attention_layernorm"]
        norms += ["pre_feedforward_layernorm", "post_feedforward_layernorm"] * (family == "gemma3_text")
        for name in norms:
            yield f"{p}{name}.weight", (hidden,), "norm"
        for name, rows in (("q", heads * head_dim), ("k", kv_heads * head_dim), ("v", kv_heads * head_dim), ("o", hidden)):
            yield f"{p}self_attn.{name}_proj.weight", (rows, heads * head_dim if name == "o" else hidden), "score" if name in "qk" else "weight"
            if name in biased:
                yield f"{p}self_attn.{name}_proj.bias", (rows,), "bias"
        if family in ("qwen3", "qwen3_moe", "gemma3_text"):
            yield f"{p}self_attn.q_norm.weight", (head_dim,), "norm"
            yield f"{p}self_attn.k_norm.weight", (head_dim,), "norm"
        yield from mlp_shapes(c, layer, p)


def mlp_shapes(c, layer, p):
    family, hidden = c["model_type"], c["hidden_size"]
    if family == "gpt_oss":
        inner, experts = c["intermediate_size"], c["num_local_experts"]
        yield p + "self_attn.sinks", (c["num_attention_heads"],), "sinks"
        yield p + "mlp.router.weight", (experts, hidden), "router"
        yield p + "mlp.router.bias", (experts,), "bias"
        yield p + "mlp.experts.gate_up_proj", (experts, 2 * inner, hidden), "wide"
        yield p + "mlp.experts.gate_up_proj_bias", (experts, 2 * inner), "bias"
        yield p + "mlp.experts.down_proj", (experts, hidden, inner), "weight"
        yield p + "mlp.experts.down_proj_bias", (experts, hidden), "bias"
    elif family == "mixtral":
        yield p + "block_sparse_moe.gate.weight", (c["num_local_experts"], hidden), "router"
        for expert in range(c["num_local_experts"]):
            for name in ("w1", "w2", "w3"):
                yield f"{p}block_sparse_moe.experts.{expert}.{name}.weight", mlp_shape(name == "w2", c["intermediate_size"], hidden), "weight"
    elif family == "qwen3_moe" and layer not in c.get("mlp_only_layers", []) and (layer + 1) % c.get("decoder_sparse_step", 1) == 0:
        yield p + "mlp.gate.weight", (c["num_experts"], hidden), "router"
        for expert in range(c["num_experts"]):
            for name in ("gate", "up", "down"):
                yield f"{p}mlp.experts.{expert}.{name}_proj.weight", mlp_shape(name == "down", c["moe_intermediate_size"], hidden), "weight"
    else:
        for name in ("gate", "up", "down"):
            shape = mlp_shape(name == "down", c["intermediate_size"], hidden)
            yield f"{p}mlp.{name}_proj.weight", shape, "weight"
            if c.get("mlp_bias"):
                yield f"{p}mlp.{name}_proj.bias", shape[:1], "bias"


def mlp_shape(down, inner, hidden):
    return (hidden, inner) if down else (inner, hidden)


def bert_shapes(c):
    hidden, inner = c["hidden_size"], c["intermediate_size"]
    yield "embeddings.word_embeddings.weight", (c["vocab_size"], hidden), "table"
    yield "embeddings.position_embeddings.weight", (c["max_position_embeddings"], hidden), "table"
    yield "embeddings.token_type_embeddings.weight", (c["type_vocab_size"], hidden), "table"
    layers = [f"encoder.layer.{i}." for i in range(c["num_hidden_layers"])]
    norms = ["embeddings.LayerNorm"] + [p + n for p in layers for n in ("attention.output.LayerNorm", "output.LayerNorm")]
    for norm in norms:
        yield norm + ".weight", (hidden,), "norm"
        yield norm + ".bias", (hidden,), "bias"
    for p in layers:
        for name in ("attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense", "intermediate.dense",
                     "output.dense"):
            rows, columns = (inner, hidden) if name[0] == "i" else (hidden, inner) if name == "output.dense" else (hidden, hidden)
            yield f"{p}{name}.weight", (rows, columns), "score" if "query" in name or "key" in name else "weight"
            yield f"{p}{name}.bias", (rows,), "bias"


def random_weights(config, seed):
    """Sized so that logits depend on every layer, attention prefers some positions, and norms, biases and sinks matter. Every
    value is exact in BF16. RandomState's stream is the one NumPy promises never to change."""
    random, weights = np.random.RandomState(seed), {}
    wanted = list(bert_shapes(config) if config["model_type"] == "bert" else shapes(config))
    embedding = 2 if any(name == "lm_head.weight" for name, _, _ in wanted) else 0.6  # a tied one must not drown the layers
    for name, shape, kind in wanted:
        x = random.standard_normal(shape)
        size = {"embedding": embedding / sqrt(shape[-1]), "score": 1.5 / sqrt(shape[-1]), "router": 2 / sqrt(shape[-1]), "norm": 0.2, "bias": 0.3,
                "weight": 1 / sqrt(shape[-1]), "wide": 4 / sqrt(shape[-1]), "sinks": 1, "table": 0.6}[kind]
        one = 1 if kind == "norm" and config["model_type"] != "gemma3_text" else 0
        weights[name] = blocks.bf16_decode(blocks.bf16_encode(x * size + one)).reshape(shape)
    return weights


# Hugging Face


def stored(values, kind):
    return kind, np.shape(values), blocks.encode(kind, values)


def write_hf(folder, config, weights, dtype="BF16", fp8=None, rename=lambda name: name, extra=(), shards=1):
    """extra: tensors beside the model's, as write_safetensors takes them."""
    folder.mkdir(parents=True)
    tensors = dict(extra)
    for name, values in weights.items():
        tensors |= {rename(key): tensor for key, tensor in hf_tensors(name, values, dtype, fp8).items()}
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    write_shards(folder, "model", tensors, shards)


def write_shards(folder, stem, tensors, shards):
    if shards == 1:
        write_safetensors(folder / f"{stem}.safetensors", tensors)
        return
    names, weight_map = sorted(tensors), {}
    for shard in range(shards):
        file = f"{stem}-{shard + 1:05}-of-{shards:05}.safetensors"
        share = names[len(names) * shard // shards:len(names) * (shard + 1) // shards]
        write_safetensors(folder / file, {name: tensors[name] for name in share})
        weight_map |= {name: file for name in share}
    total = sum(len(data) for _, _, data in tensors.values())
    index = {"metadata": {"total_size": total}, "weight_map": weight_map}
    (folder / f"{stem}.safetensors.index.json").write_text(json.dumps(index, indent=2) + "\n")


def hf_tensors(name, values, dtype, fp8):
    if re.search(r"experts\.(gate_up|down)_proj$", name):  # gpt-oss
        packed, exponents = blocks.mxfp4_hf_encode(values)
        return {name + "_blocks": ("U8", packed.shape, packed.tobytes()), name + "_scales": ("U8", exponents.shape, exponents.tobytes())}
    if fp8 and re.search(r"(_proj|\.w[1-3]|\.w[qkvo])\.weight$", name):
        return fp8_tensors(name[:-len(".weight")], values, fp8)
    return {name: stored(values, dtype)}


# scheme: (suffix of the scale, its element type and shape, suffix of the activations' scale)
FP8 = {
    "ct-tensor": ("weight_scale", "F32", "one", None),
    "ct-channel": ("weight_scale", "BF16", "rows", None),
    "ct-block": ("weight_scale", "BF16", "blocks", None),
    "block": ("weight_scale_inv", "F32", "blocks", None),
    "static": ("weight_scale", "F32", "scalar", "input_scale"),
    "mistral": ("weight_scale_inv", "BF16", "scalar", "activation_scale"),
    "native": ("qscale_weight", "F32", "scalar", "qscale_act"),
    "native-rows": ("qscale_weight", "F32", "rows", None),
}
BLOCK = 16  # rows and columns per scale


def fp8_tensors(name, values, scheme):
    suffix, kind, layout, activation = FP8[scheme]
    rows, columns = values.shape
    if layout == "blocks":
        shape = (ceil(rows / BLOCK), ceil(columns / BLOCK))
        padded = np.zeros((shape[0] * BLOCK, shape[1] * BLOCK))
        padded[:rows, :columns] = np.abs(values)
        largest = padded.reshape(shape[0], BLOCK, shape[1], BLOCK).max(axis=(1, 3))
    elif layout == "rows":
        largest = np.abs(values).max(axis=1, keepdims=True)
    else:
        largest = np.abs(values).max().reshape((1,) if layout == "one" else ())
    scale = blocks.decode(kind, blocks.encode(kind, largest / 448)).reshape(largest.shape)
    wide = scale.repeat(BLOCK, axis=0).repeat(BLOCK, axis=1)[:rows, :columns] if layout == "blocks" else scale
    tensors = {name + ".weight": stored(np.clip(values / wide, -448, 448), "F8_E4M3"), f"{name}.{suffix}": stored(scale, kind)}
    if activation:
        tensors[f"{name}.{activation}"] = stored(np.array(0.03125), kind)
    return tensors


# Mistral native


def pair(weight, heads):
    """Rotary pairs half a head apart -> side by side."""
    return weight.reshape(heads, 2, -1, *weight.shape[1:]).swapaxes(1, 2).reshape(weight.shape)


NATIVE = [("model.embed_tokens", "tok_embeddings"), ("lm_head", "output"), ("model.", ""), ("self_attn.", "attention."), ("_proj", ""),
          ("input_layernorm", "attention_norm"), ("post_attention_layernorm", "ffn_norm"), ("mlp.gate", "feed_forward.w1"),
          ("mlp.down", "feed_forward.w2"), ("mlp.up", "feed_forward.w3")]


def write_native(folder, config, weights, more, fp8=None, shards=1):
    """`more`: keys of params.json beyond the plain ones."""
    folder.mkdir(parents=True)
    tensors = {}
    for name, values in weights.items():
        for old, new in NATIVE:
            name = name.replace(old, new)
        name = re.sub(r"attention\.([qkvo])\.", r"attention.w\1.", name)
        if re.search(r"\.w[qk]\.", name):
            values = pair(values, config["num_attention_heads" if ".wq." in name else "num_key_value_heads"])
        tensors |= hf_tensors(name, values, "BF16", fp8)
    write_shards(folder, "consolidated", tensors, shards)
    params = {"dim": config["hidden_size"], "n_layers": config["num_hidden_layers"], "head_dim": config["head_dim"],
              "hidden_dim": config["intermediate_size"], "n_heads": config["num_attention_heads"], "n_kv_heads": config["num_key_value_heads"],
              "norm_eps": config["rms_norm_eps"], "vocab_size": config["vocab_size"], "rope_theta": config["rope_theta"]} | more
    (folder / "params.json").write_text(json.dumps(params, indent=2) + "\n")


# GGUF

ARCHITECTURES = {"llama": "llama", "mistral": "llama", "ministral3": "mistral3", "mixtral": "llama", "qwen2": "qwen2", "qwen3": "qwen3", "qwen3_moe": "qwen3moe",
                 "gemma3_text": "gemma3", "gpt_oss": "gpt-oss", "bert": "bert"}
GGUF = [(r"model\.embed_tokens", "token_embd"), (r"model\.norm", "output_norm"), (r"lm_head", "output"), (r"model\.layers", "blk"),
        (r"input_layernorm", "attn_norm"), (r"self_attn\.o_proj", "attn_output"), (r"self_attn\.([qkv])_proj", r"attn_\1"),
        (r"self_attn\.([qk])_norm", r"attn_\1_norm"), (r"self_attn\.sinks", "attn_sinks.weight"), (r"pre_feedforward_layernorm", "ffn_norm"),
        (r"post_feedforward_layernorm", "post_ffw_norm"), (r"(block_sparse_moe|mlp)\.(gate|router)\.", "ffn_gate_inp."),
        (r"(block_sparse_moe|mlp)\.experts\.(\d+\.)?", "experts."), (r"mlp\.(gate|up|down)_proj", r"ffn_\1"),
        (r"experts\.(gate|up|down)_proj", r"ffn_\1_exps"), (r"experts\.w1", "ffn_gate_exps"), (r"experts\.w2", "ffn_down_exps"),
        (r"experts\.w3", "ffn_up_exps")]
BERT_GGUF = [(r"embeddings\.word_embeddings", "token_embd"), (r"embeddings\.position_embeddings", "position_embd"),
             (r"embeddings\.token_type_embeddings", "token_types"), (r"embeddings\.LayerNorm", "token_embd_norm"), (r"encoder\.layer", "blk"),
             (r"attention\.self\.([qkv])[a-z]+", r"attn_\1"), (r"attention\.output\.dense", "attn_output"),
             (r"attention\.output\.LayerNorm", "attn_output_norm"), (r"intermediate\.dense", "ffn_up"), (r"output\.dense", "ffn_down"),
             (r"output\.LayerNorm", "layer_output_norm")]


def gguf_name(name, family):
    after = "ffn_norm" if family not in ("gemma3_text", "gpt_oss") else "post_attention_norm"
    for old, new in BERT_GGUF if family == "bert" else GGUF + [(r"post_attention_layernorm", after)]:
        name = re.sub(old, new, name)
    return name


def without_interleaving(weights):
    """gpt-oss: gate and up apart, under the names that experts have elsewhere."""
    for name, values in weights.items():
        match = re.fullmatch(r"(.*experts)\.(gate_up|down)_proj(_bias)?", name)
        if not match:
            yield name, values
            continue
        kind = "bias" if match[3] else "weight"
        for part, piece in [("down", values)] if match[2] == "down" else [("gate", values[:, 0::2]), ("up", values[:, 1::2])]:
            yield f"{match[1]}.{part}_proj.{kind}", piece


def gguf_weights(config, weights):
    """GGUF name -> array: experts merged, rotary pairs side by side where the architecture wants it, Gemma's norms with the 1 added."""
    family, merged = config["model_type"], {}
    for name, values in without_interleaving(weights):
        new = gguf_name(name, family)
        if ARCHITECTURES[family] in ("llama", "mistral3") and re.search(r"attn_[qk]\.", new):
            values = pair(values, config["num_attention_heads" if "attn_q." in new else "num_key_value_heads"])
        if family == "gemma3_text" and "norm" in new:
            values = values + 1
        merged.setdefault(new, []).append(values)
    return {name: parts[0] if "_exps" not in name or parts[0].ndim == (2 if "bias" in name else 3) else np.stack(parts)
            for name, parts in merged.items()}


def gguf_keys(config, architecture):
    c, family = config, config["model_type"]
    head_dim = c.get("head_dim") or c["hidden_size"] // c["num_attention_heads"]
    keys = [("general.architecture", "str", architecture), ("general.name", "str", "oracle")]

    def add(name, kind, value):
        if value is not None:
            keys.append((f"{architecture}.{name}", kind, value))

    add("context_length", "u32", c["max_position_embeddings"])
    add("embedding_length", "u32", c["hidden_size"])
    add("block_count", "u32", c["num_hidden_layers"])
    add("feed_forward_length", "u32", c["intermediate_size"])
    add("attention.head_count", "u32", c["num_attention_heads"])
    add("vocab_size", "u32", c["vocab_size"])
    if family == "bert":
        add("attention.layer_norm_epsilon", "f32", c["layer_norm_eps"])
        add("attention.causal", "bool", False)
        return keys
    add("attention.head_count_kv", "u32", c["num_key_value_heads"])
    add("attention.layer_norm_rms_epsilon", "f32", c["rms_norm_eps"])
    add("rope.freq_base", "f32", c["rope_theta"])
    add("rope.dimension_count", "u32", head_dim)
    add("attention.key_length", "u32", head_dim)
    add("attention.value_length", "u32", head_dim)
    add("attention.sliding_window", "u32", c.get("sliding_window") if family in ("gemma3_text", "gpt_oss") else None)
    add("expert_count", "u32", c.get("num_local_experts") or c.get("num_experts"))
    add("expert_used_count", "u32", c.get("num_experts_per_tok"))
    add("expert_feed_forward_length", "u32", c.get("moe_intermediate_size") or (c["intermediate_size"] if family == "gpt_oss" else None))
    scaling = c.get("rope_scaling") or {}
    kind = scaling.get("rope_type", scaling.get("type"))
    if kind in ("linear", "yarn"):
        add("rope.scaling.type", "str", kind)
        add("rope.scaling.factor", "f32", scaling["factor"])
        add("rope.scaling.original_context_length", "u32", scaling.get("original_max_position_embeddings"))
        add("rope.scaling.yarn_beta_fast", "f32", scaling.get("beta_fast"))
        add("rope.scaling.yarn_beta_slow", "f32", scaling.get("beta_slow"))
        add("rope.scaling.yarn_log_multiplier", "f32", scaling.get("mscale_all_dim"))
        add("attention.temperature_scale", "f32", scaling.get("llama_4_scaling_beta"))
    return keys


def write_gguf_model(path, config, weights, kind="BF16", kinds=None, architecture=None, change_keys=lambda keys: keys, split=0, alignment=32):
    """`kinds`: pattern of a tensor's name -> element type, before `kind` for matrices and F32 for vectors and routers."""
    architecture = architecture or ARCHITECTURES[config["model_type"]]
    tensors = []
    for name, values in gguf_weights(config, weights).items():
        plain = values.ndim == 1 or re.search(r"bias$|ffn_gate_inp|position_embd|token_types", name)
        chosen = "F32" if plain else next((k for pattern, k in (kinds or {}).items() if re.search(pattern, name)), kind)
        tensors.append((name, values.shape, chosen, blocks.encode(chosen, values)))
    scaling = config.get("rope_scaling") or {}
    if scaling.get("rope_type") == "llama3":
        head_dim = config.get("head_dim") or config["hidden_size"] // config["num_attention_heads"]
        plain, scaled = (forward.rope(head_dim, config["rope_theta"], s).frequencies for s in (None, scaling))
        tensors.append(("rope_freqs.weight", plain.shape, "F32", blocks.encode("F32", plain / scaled)))
    keys = change_keys(gguf_keys(config, architecture))
    if split:
        write_split_gguf(path, keys, tensors, split)
    else:
        write_gguf(Path(path) / "model.gguf", keys, tensors, alignment)
