"""Makes a tiny causal language model with random weights, in a process of its own: it needs torch, the tests do not.

python -m tests.tiny_model FOLDER [--adapter FOLDER]
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from peft import LoraConfig, get_peft_model
from tokenizers import Tokenizer, decoders, models, pre_tokenizers  # type: ignore[import-not-found,unused-ignore]
from transformers import PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM

CONTEXT = 8_192
"""Tokens; one token is one byte."""
START, END = "<|start|>", "<|end|>"
TEMPLATE = (
    "{% for message in messages %}"
    "{% if message['role'] == 'system' %}{{ raise_exception('no system turns here') }}{% endif %}"
    "<|start|>{{ message['role'] }}: {{ message['content'] }}<|end|>"
    "{% endfor %}"
    "{% if add_generation_prompt %}<|start|>assistant: {% endif %}"
)


def tokenizer() -> PreTrainedTokenizerFast:
    """A token a byte, and two for the turns of a conversation."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    core = Tokenizer(models.BPE(vocab={letter: place for place, letter in enumerate(letters)}, merges=[]))
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    core.add_special_tokens([START, END])
    return PreTrainedTokenizerFast(tokenizer_object=core, eos_token=END, chat_template=TEMPLATE)


def model() -> Qwen2ForCausalLM:
    """Two layers with large weights, so that the likeliest token stands out. It says ASCII and has no end."""
    config = Qwen2Config(
        vocab_size=258,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=2,
        max_position_embeddings=CONTEXT,
        initializer_range=0.5,
        tie_word_embeddings=False,
    )
    made = Qwen2ForCausalLM(config)
    with torch.no_grad():
        made.lm_head.weight[ord("~") - ord("!") + 1 :] = 0.0  # sorted, the printable letters come first
    return made


def save_adapter(base: Qwen2ForCausalLM, folder: Path) -> None:
    """A LoRA adapter that changes much."""
    adapted = get_peft_model(base, LoraConfig(r=4, target_modules="all-linear"))
    with torch.no_grad():
        for name, weight in adapted.named_parameters():
            if "lora_B" in name:
                weight.normal_(std=1.0)
    adapted.save_pretrained(folder)


def main() -> None:
    """Write the model, and an adapter where one is wanted."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--adapter", type=Path)
    wanted = parser.parse_args()
    torch.manual_seed(0)
    torch.set_num_threads(1)
    base = model()
    base.save_pretrained(wanted.folder)
    tokenizer().save_pretrained(wanted.folder)
    if wanted.adapter:
        save_adapter(base, wanted.adapter)


if __name__ == "__main__":
    main()
