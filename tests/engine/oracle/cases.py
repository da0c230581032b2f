"""The cases: a configuration each, odd where a fixed size would hide an error, and the layouts it is written in."""
from dataclasses import dataclass, field

import numpy as np


@dataclass
class Case:
    why: str
    config: dict                                # the language model's, as in a Hugging Face folder
    hf: dict = field(default_factory=dict)      # arguments of write_hf; None: not in this layout
    native: dict = None                         # keys beyond the plain ones of params.json
    gguf: dict = None                           # arguments of write_gguf_model
    prompt: int = 24
    wrap: dict = None                           # what a multimodal wrapper has around the language model's configuration
    publish: object = lambda config: config     # from `config` to what is written
    pooling: dict = None                        # an encoder's: {"mode": "cls" | "mean", "normalise": bool}


def decoder(model_type, architecture, **changes):
    config = {"architectures": [architecture], "model_type": model_type, "hidden_size": 32, "intermediate_size": 40, "num_hidden_layers": 2,
              "num_attention_heads": 3, "num_key_value_heads": 1, "head_dim": 16, "vocab_size": 97, "max_position_embeddings": 256,
              "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "hidden_act": "silu", "tie_word_embeddings": False, "torch_dtype": "bfloat16"}
    return {key: value for key, value in (config | changes).items() if value is not ...}


def llama(**changes):
    return decoder("llama", "LlamaForCausalLM", **changes)


def mistral(**changes):
    return decoder("mistral", "MistralForCausalLM", **({"num_attention_heads": 5, "rope_theta": 1e6, "sliding_window": None} | changes))


def ministral3(**changes):
    return decoder("ministral3", "Ministral3ForCausalLM", **({"num_attention_heads": 4, "num_key_value_heads": 2, "sliding_window": None,
                                                              "rope_theta": 100.0, "max_position_embeddings": 64} | changes))


def mixtral(**changes):
    return decoder("mixtral", "MixtralForCausalLM", **({"intermediate_size": 16, "num_attention_heads": 4, "num_key_value_heads": 2,
                                                       "rope_theta": 1e6, "num_local_experts": 5, "num_experts_per_tok": 2} | changes))


def qwen2(**changes):
    return decoder("qwen2", "Qwen2ForCausalLM", **({"rms_norm_eps": 1e-6, "rope_theta": 1e6, "use_sliding_window": False, "sliding_window": 131072,
                                                   "max_window_layers": 2} | changes))


def qwen3(**changes):
    return decoder("qwen3", "Qwen3ForCausalLM", **({"rms_norm_eps": 1e-6, "rope_theta": 1e6, "head_dim": 24, "attention_bias": False,
                                                   "sliding_window": None, "use_sliding_window": False, "max_window_layers": 2} | changes))


def qwen3moe(**changes):
    return decoder("qwen3_moe", "Qwen3MoeForCausalLM",
                   **({"intermediate_size": 56, "moe_intermediate_size": 16, "num_experts": 6,
                       "num_experts_per_tok": 3, "norm_topk_prob": True, "decoder_sparse_step": 1, "mlp_only_layers": [],
                       "rms_norm_eps": 1e-6, "rope_theta": 1e6, "attention_bias": False} | changes))


def gemma3(**changes):
    return decoder("gemma3_text", "Gemma3ForCausalLM",
                   **({"intermediate_size": 24, "num_hidden_layers": 7, "num_attention_heads": 2,
                       "rms_norm_eps": 1e-6, "rope_theta": 1e6, "rope_local_base_freq": 10000.0, "hidden_act": ...,
                       "hidden_activation": "gelu_pytorch_tanh", "tie_word_embeddings": True, "sliding_window": 8, "sliding_window_pattern": 6,
                       "query_pre_attn_scalar": 16, "rope_scaling": {"rope_type": "linear", "factor": 8.0}} | changes))


def gptoss(**changes):
    window = ["sliding_attention", "full_attention", "sliding_attention"]
    return decoder("gpt_oss", "GptOssForCausalLM",
                   **({"intermediate_size": 32, "num_hidden_layers": 3, "num_attention_heads": 3,
                       "num_local_experts": 5, "num_experts_per_tok": 2, "experts_per_token": 2, "sliding_window": 8, "layer_types": window,
                       "swiglu_limit": 7.0, "rope_theta": 1000.0, "max_position_embeddings": 8192, "initial_context_length": 256,
                       "attention_bias": True, "rope_scaling": yarn(32.0, 256, truncate=False),
                       "quantization_config": {"quant_method": "mxfp4", "modules_to_not_convert": [
                           "model.layers.*.self_attn", "model.layers.*.mlp.router", "model.embed_tokens", "lm_head"]}} | changes))


def bert(**changes):
    return {"architectures": ["BertModel"], "model_type": "bert", "hidden_size": 48, "intermediate_size": 40, "num_hidden_layers": 2,
            "num_attention_heads": 3, "vocab_size": 97, "max_position_embeddings": 64, "type_vocab_size": 2, "hidden_act": "gelu",
            "layer_norm_eps": 1e-12, "pad_token_id": 0, "position_embedding_type": "absolute", "torch_dtype": "float32"} | changes


def yarn(factor, original=32, **more):
    return {"rope_type": "yarn", "factor": factor, "beta_fast": 32.0, "beta_slow": 1.0, "original_max_position_embeddings": original} | more


# `type` beside `rope_type`: files have both.
GROWING = yarn(4.0, 8, type="yarn", mscale=1.0, mscale_all_dim=1.0, llama_4_scaling_beta=0.5)
LLAMA3 = {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 32}


# How configurations are published


def version5(config):
    """transformers 5: `dtype`, and theta and the scaling in one."""
    config = dict(config)
    config["dtype"] = config.pop("torch_dtype")
    scaling = config.pop("rope_scaling", None) or {"rope_type": "default"}
    config["rope_parameters"] = {"rope_theta": config.pop("rope_theta")} | scaling
    return config


def gemma_version5(config):
    """One set of rope_parameters per kind of layer, and the kinds spelled out."""
    config = version5(config)
    pattern = config.pop("sliding_window_pattern")
    config["layer_types"] = ["full_attention" if (i + 1) % pattern == 0 else "sliding_attention" for i in range(config["num_hidden_layers"])]
    local = {"rope_type": "default", "rope_theta": config.pop("rope_local_base_freq")}
    return config | {"rope_parameters": {"full_attention": config["rope_parameters"], "sliding_attention": local}}


def without(*keys):
    return lambda config: {key: value for key, value in config.items() if key not in keys}


def quantised(quantisation):
    return lambda config: config | {"quantization_config": quantisation}


def compressed_tensors(strategy, block=None):
    weights = {"num_bits": 8, "type": "float", "strategy": strategy, "symmetric": True, "dynamic": False, "group_size": None,
               "block_structure": block, "actorder": None, "observer": "minmax", "observer_kwargs": {}}
    activations = weights | {"strategy": "tensor" if strategy == "tensor" else "token", "dynamic": True, "block_structure": None, "observer": None}
    return {"quant_method": "compressed-tensors", "format": "float-quantized", "quantization_status": "compressed", "global_compression_ratio": None,
            "ignore": ["lm_head"], "kv_cache_scheme": None,
            "config_groups": {"group_0": {"targets": ["Linear"], "weights": weights, "input_activations": activations, "output_activations": None}}}


def inside(prefix):
    """Names of a language model inside a multimodal one."""
    return lambda name: prefix + name


def vision(prefix=""):
    zero = ("BF16", (2, 3), bytes(12))
    return {f"{prefix}vision_tower.patch_conv.weight": zero, f"{prefix}vision_tower.transformer.layers.0.attention.q_proj.weight": zero,
            f"{prefix}multi_modal_projector.linear_1.weight": zero}


def nested(name):
    """transformers 5 names: the head stands outside."""
    return name if name == "lm_head.weight" else name.replace("model.", "model.language_model.", 1)


POOLER = {"bert.pooler.dense.weight": ("F32", (1, 2), bytes(8)), "bert.pooler.dense.bias": ("F32", (1,), bytes(4)),
          "bert.embeddings.position_ids": ("I64", (1, 64), np.arange(64, dtype="<i8").tobytes())}
FP8_SHAPE = {"head_dim": 8, "hidden_size": 40, "intermediate_size": 56}  # 16 divides no side
BLOCK8 = {"quant_method": "fp8", "activation_scheme": "dynamic", "fmt": "e4m3", "weight_block_size": [16, 16]}
STATIC8 = {"quant_method": "fp8", "activation_scheme": "static", "ignored_layers": ["lm_head"]}
MISTRAL8 = {"quant_method": "fp8", "activation_scheme": "static", "dequantize": False, "weight_block_size": None,
            "modules_to_not_convert": ["model.vision_tower", "model.multi_modal_projector", "lm_head"]}
QUANTS = {"hidden_size": 64, "intermediate_size": 96, "num_attention_heads": 4}


def gguf_without(*names):
    return lambda keys: [key for key in keys if not key[0].endswith(names)]


def with_key(name, kind, value):
    return lambda keys: [key for key in keys if key[0] != name] + [(name, kind, value)]


CASES = {
    "llama": Case(
        "three heads, one key head; no head_dim, and a GGUF without key_length and vocab_size",
        llama(hidden_size=48, head_dim=...), gguf={"change_keys": gguf_without("key_length", "value_length", "vocab_size")}),
    "llama-linear": Case(
        "linear rope scaling, spelled `type`; tied; F32, the GGUF BF16",
        llama(tie_word_embeddings=True, num_attention_heads=2, rope_scaling={"type": "linear", "factor": 4.0}, torch_dtype="float32"),
        hf={"dtype": "F32"}, gguf={}, prompt=40),
    "llama3": Case(
        "llama3 rope scaling, all three bands, past the original length; tied; GGUF with rope_freqs",
        llama(tie_word_embeddings=True, head_dim=32, rope_theta=500.0, rope_scaling=LLAMA3), gguf={}, prompt=40),
    "llama3-v5": Case(
        "the same kind in a transformers 5 configuration: dtype, rope_parameters; two shards",
        llama(tie_word_embeddings=True, head_dim=32, rope_theta=500.0, rope_scaling=LLAMA3, num_attention_heads=2), hf={"shards": 2},
        publish=version5, prompt=40),
    "llama-bias": Case(
        "attention_bias and mlp_bias; F16",
        llama(attention_bias=True, mlp_bias=True, torch_dtype="float16"), hf={"dtype": "F16"}, gguf={"kind": "F16"}),
    "llama-yarn": Case(
        "YaRN with its usual magnitude, past the original length",
        llama(rope_theta=100.0, max_position_embeddings=128, rope_scaling=yarn(4.0)), gguf={}, prompt=40),
    "mistral": Case(
        "heads x head_dim is not the hidden size; the same weights in all three layouts",
        mistral(), native={}, gguf={}),
    "mistral-window": Case(
        "a window of 8 in a prompt of 40; two consolidated files",
        mistral(sliding_window=8), native={"sliding_window": 8, "shards": 2}, prompt=40),
    "mistral-yarn": Case(
        "YaRN with betas of its own: alpha, beta and apply_scale in params.json, GGUF architecture mistral3",
        mistral(rope_theta=100.0, max_position_embeddings=128, rope_scaling=yarn(4.0, beta_fast=1.5, beta_slow=0.25)),
        native={"yarn": {"factor": 4, "original_max_position_embeddings": 32, "beta": 1.5, "alpha": 0.25, "apply_scale": True}},
        gguf={"architecture": "mistral3"}, prompt=40),
    "mistral-yarn-unscaled": Case(
        "YaRN without a magnitude: apply_scale false, mscale equal to mscale_all_dim; tied",
        mistral(tie_word_embeddings=True, rope_theta=100.0, max_position_embeddings=128, rope_scaling=yarn(4.0, beta_fast=2.0, mscale=1.0,
            mscale_all_dim=1.0)),
        publish=version5,
        native={"tied_embeddings": True, "yarn": {"factor": 4, "original_max_position_embeddings": 32, "beta": 2, "alpha": 1,
            "apply_scale": False}},
        prompt=40),
    "mistral3": Case(
        "the language model inside Mistral3ForConditionalGeneration, without what equals the class's defaults",
        mistral(rms_norm_eps=1e-6, head_dim=8, num_attention_heads=4),
        publish=without("head_dim", "rms_norm_eps", "hidden_act", "tie_word_embeddings", "architectures", "torch_dtype"),
        hf={"rename": inside("language_model."), "extra": vision()},
        wrap={"architectures": ["Mistral3ForConditionalGeneration"], "model_type": "mistral3", "image_token_index": 10,
            "spatial_merge_size": 2, "vision_feature_layer": -1, "vision_config": {"model_type": "pixtral", "hidden_size": 3}}),
    "ministral3": Case(
        "queries that grow with the position (llama_4_scaling), five steps within the prompt; YaRN without a magnitude",
        ministral3(rope_scaling=GROWING), publish=version5, prompt=40,
        native={"yarn": {"factor": 4, "original_max_position_embeddings": 8, "beta": 32, "alpha": 1, "apply_scale": False},
                "llama_4_scaling": {"original_max_position_embeddings": 8, "beta": 0.5}},
        gguf={}),
    "ministral3-wrapper": Case(
        "the same inside Mistral3ForConditionalGeneration, without what equals the class's defaults",
        ministral3(num_attention_heads=32, num_key_value_heads=8, head_dim=8, tie_word_embeddings=True,
                   rope_scaling=GROWING | {"mscale_all_dim": 0.5, "max_position_embeddings": 64}),
        publish=lambda config: without("rms_norm_eps", "hidden_act", "num_attention_heads", "num_key_value_heads", "architectures", "dtype",
                                       "sliding_window")(version5(config)),
        hf={"rename": inside("language_model."), "extra": vision()}, prompt=40,
        wrap={"architectures": ["Mistral3ForConditionalGeneration"], "model_type": "mistral3", "dtype": "bfloat16", "image_token_index": 10,
            "multimodal_projector_bias": False, "projector_hidden_act": "gelu", "spatial_merge_size": 2, "vision_feature_layer": -1,
            "vision_config": {"model_type": "pixtral", "hidden_size": 3}}),
    "mixtral": Case(
        "five experts, two used",
        mixtral(), gguf={}),
    "qwen2": Case(
        "biases on q, k and v; no head_dim; general.alignment 64",
        qwen2(hidden_size=48, head_dim=...), gguf={"alignment": 64}),
    "qwen2-window": Case(
        "use_sliding_window: from layer max_window_layers on; tied",
        qwen2(use_sliding_window=True, sliding_window=8, max_window_layers=1, num_hidden_layers=3, num_attention_heads=2, head_dim=...,
            tie_word_embeddings=True),
        prompt=40),
    "qwen2-yarn": Case(
        "YaRN as Qwen publishes it, all else by default; tied",
        qwen2(num_attention_heads=2, head_dim=..., tie_word_embeddings=True, rope_theta=1000.0, max_position_embeddings=4096,
            rope_scaling={"type": "yarn", "factor": 4.0, "original_max_position_embeddings": 1024}),
        gguf={}, prompt=40),
    "qwen3": Case(
        "norms of q and k, head_dim 24; tied; head_count_kv as an array in the GGUF",
        qwen3(tie_word_embeddings=True), gguf={"change_keys": with_key("qwen3.attention.head_count_kv", "[u32]", [1, 1])}),
    "qwen3-bias": Case(
        "attention_bias",
        qwen3(attention_bias=True)),
    "qwen3moe": Case(
        "six experts, three used, shares made to sum to 1",
        qwen3moe(), gguf={}),
    "qwen3moe-unnormalised": Case(
        "norm_topk_prob false; mlp_only_layers",
        qwen3moe(norm_topk_prob=False, mlp_only_layers=[0])),
    "qwen3moe-step": Case(
        "decoder_sparse_step 2: every other layer is dense",
        qwen3moe(decoder_sparse_step=2, num_hidden_layers=3)),
    "gemma3": Case(
        "windows of 8 but every sixth layer, two bases, linear scaling of the global one",
        gemma3(), gguf={}, prompt=40),
    "gemma3-v5": Case(
        "rope_parameters per kind of layer, layer_types; query_pre_attn_scalar is not head_dim; both soft caps",
        gemma3(num_hidden_layers=3, sliding_window_pattern=3, query_pre_attn_scalar=24, attn_logit_softcapping=5.0,
            final_logit_softcapping=1.0),
        publish=gemma_version5, prompt=40),
    "gemma3-wrapper": Case(
        "inside Gemma3ForConditionalGeneration, leaving out all that equals the class's defaults (head_dim 256)",
        gemma3(num_hidden_layers=6, hidden_size=8, intermediate_size=24, num_attention_heads=1, head_dim=256, query_pre_attn_scalar=256),
        publish=without("head_dim", "query_pre_attn_scalar", "rms_norm_eps", "rope_theta", "rope_local_base_freq",
            "sliding_window_pattern", "hidden_activation", "tie_word_embeddings", "max_position_embeddings", "architectures",
            "torch_dtype"),
        hf={"rename": inside("language_model."), "extra": vision()}, prompt=40,
        wrap={"architectures": ["Gemma3ForConditionalGeneration"], "model_type": "gemma3", "boi_token_index": 3, "mm_tokens_per_image": 4,
            "torch_dtype": "bfloat16", "vision_config": {"model_type": "siglip_vision_model", "hidden_size": 3}}),
    "gemma3-wrapper-v5": Case(
        "the wrapper as transformers 5 names its tensors",
        gemma3(num_hidden_layers=2, sliding_window_pattern=2), publish=gemma_version5, prompt=40,
        hf={"rename": nested, "extra": vision("model.")},
        wrap={"architectures": ["Gemma3ForConditionalGeneration"], "model_type": "gemma3", "boi_token_index": 3, "mm_tokens_per_image": 4,
            "dtype": "bfloat16", "tie_word_embeddings": True, "vision_config": {"model_type": "siglip_vision_model", "hidden_size": 3}}),
    "gptoss": Case(
        "sinks, windows of 8 in every other layer, MXFP4 experts, YaRN without rounded bounds, gates past the limit",
        gptoss(), gguf={"kinds": {"_exps": "MXFP4"}}, prompt=40),
    "bert-cls": Case(
        "the first token's vector; no sentence-transformers files",
        bert(hidden_size=24), hf={"dtype": "F32"}, gguf={"change_keys": with_key("bert.pooling_type", "u32", 2)}, prompt=17),
    "bert-mean": Case(
        "the mean, normalised; names with `bert.`, a pooler and position_ids beside them",
        bert(torch_dtype="bfloat16"), hf={"rename": inside("bert."), "extra": POOLER}, prompt=17,
        pooling={"mode": "mean", "normalise": True}, gguf={"change_keys": with_key("bert.pooling_type", "u32", 1)}),
    "fp8-tensor": Case(
        "compressed-tensors, a scale per tensor",
        llama(hidden_size=48, intermediate_size=56, head_dim=24), hf={"fp8": "ct-tensor"},
        publish=quantised(compressed_tensors("tensor"))),
    "fp8-channel": Case(
        "compressed-tensors, a scale per row",
        qwen2(**FP8_SHAPE | {"num_attention_heads": 5}), hf={"fp8": "ct-channel"}, publish=quantised(compressed_tensors("channel"))),
    "fp8-ct-block": Case(
        "compressed-tensors, a scale per 16 x 16, which does not divide the shapes",
        llama(**FP8_SHAPE), hf={"fp8": "ct-block"}, publish=quantised(compressed_tensors("block", [16, 16]))),
    "fp8-block": Case(
        "weight_block_size 16 x 16 and weight_scale_inv, which multiplies",
        qwen3(**FP8_SHAPE), hf={"fp8": "block"}, publish=quantised(BLOCK8)),
    "fp8-block-experts": Case(
        "the same for experts; the router is not quantised",
        qwen3moe(num_experts=4, moe_intermediate_size=24), hf={"fp8": "block"},
        publish=quantised(BLOCK8 | {"modules_to_not_convert": ["lm_head", "model.layers.0.mlp.gate", "model.layers.1.mlp.gate"]})),
    "fp8-static": Case(
        "a scale per tensor, with input_scale",
        llama(**FP8_SHAPE), hf={"fp8": "static"}, publish=quantised(STATIC8)),
    "fp8-mistral": Case(
        "weight_scale_inv per tensor, with activation_scale",
        mistral(**FP8_SHAPE), hf={"fp8": "mistral"}, publish=quantised(MISTRAL8)),
    "fp8-native": Case(
        "Mistral's own layout: qscale_weight and qscale_act",
        mistral(**FP8_SHAPE), hf=None, native={"fp8": "native", "quantization": {"qformat_weight": "fp8_e4m3", "qscheme_act": "TENSOR"}}),
    "fp8-native-rows": Case(
        "the same with a scale per row, which moves with the rows of q and k",
        mistral(**FP8_SHAPE), hf=None, native={"fp8": "native-rows", "quantization": {"qformat_weight": "fp8_e4m3", "qscheme_act": "NO_SCALES"}}),
    "gguf-split": Case(
        "three parts",
        llama(), hf=None, gguf={"split": 3}),
    "gguf-q5_1": Case(
        "Q5_1; the token table too",
        llama(**QUANTS), hf=None, gguf={"kind": "Q5_1"}),
    "gguf-iq4_nl": Case(
        "IQ4_NL, Q8_0 for the output",
        qwen3(**QUANTS), hf=None, gguf={"kind": "IQ4_NL", "kinds": {"^output": "Q8_0"}}),
    "gguf-mxfp4": Case(
        "MXFP4 in a dense model",
        llama(**QUANTS), hf=None, gguf={"kind": "MXFP4", "kinds": {"token_embd|^output": "Q8_0"}}),
    "gguf-experts": Case(
        "experts of three types, Q4_0, Q5_0 and Q4_1",
        mixtral(intermediate_size=64), hf=None, gguf={"kinds": {"ffn_gate_exps": "Q4_0", "ffn_up_exps": "Q5_0", "ffn_down_exps": "Q4_1"}}),
    "gguf-k": Case(
        "a mix as files have it: Q4_K with Q6_K, Q5_K and IQ4_XS; Q8_0 where 256 does not divide a row",
        llama(hidden_size=256, intermediate_size=256, num_hidden_layers=1, num_attention_heads=4), hf=None,
        gguf={"kind": "Q4_K", "kinds": {"^output": "Q6_K", "attn_output": "Q8_0", "attn_v": "Q6_K", "attn_k": "Q5_K", "ffn_down": "Q5_K",
            "ffn_up": "IQ4_XS"}}),
}
