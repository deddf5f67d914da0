"""The model in training: a base from a folder, frozen, with LoRA beside its linear layers; its examples in tokens.

What a model is asked is turned into tokens by models/local_child.py, which asks it in use too. Safetensors only, and no
code of the base's folder is run.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, get_peft_model, prepare_model_for_kbit_training
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

from models.local_child import Local, context_of, imports, placement
from ranker.placed import Placed
from ranker.sft_data import Example, SftError, example
from ranker.sft_prompt import conversation
from ranker.sft_records import FourBit, Settings

DROPOUT = 0.05
ALPHA = 2
"""LoRA's alpha as a multiple of r."""
IGNORED = -100
"""The label of tokens that take no part in the loss."""


@dataclass(frozen=True)
class Batch:
    """Examples side by side, shorter ones padded at their end. Tensors are (examples, tokens), int64."""

    ids: Any
    mask: Any
    """1 where there is a token, 0 where padding stands."""
    labels: Any
    """`ids` where an answer stands, else `IGNORED`."""

    @property
    def answered(self) -> int:
        """Tokens of answers."""
        return int((self.labels != IGNORED).sum())

    @property
    def tokens(self) -> int:
        """Tokens without padding."""
        return int(self.mask.sum())


def load_base(folder: Path, four_bit: FourBit) -> Local:
    """Read the base into memory: on a GPU where there is one, there in 4 bits (nf4) where bitsandbytes is installed.

    Raises: SftError, models.local_child.FAULTS.
    """
    if four_bit == "on" and not (torch.cuda.is_available() and imports("bitsandbytes")):
        raise SftError("--four-bit on: needs a CUDA GPU and bitsandbytes; install it (pip), or say --four-bit auto.")
    safely = {"local_files_only": True, "trust_remote_code": False}
    config = AutoConfig.from_pretrained(folder, **safely)
    tokenizer = AutoTokenizer.from_pretrained(folder, **safely)
    if tokenizer.eos_token_id is None:
        raise SftError(f"--base {folder}: its tokenizer has no eos_token, so no answer could end; name one in it.")
    options = placement(config)
    if four_bit == "off":
        options.pop("quantization_config", None)
    if "device_map" in options:
        options["device_map"] = {"": 0}  # one GPU holds it all: what is moved out of memory cannot be trained through
    model = AutoModelForCausalLM.from_pretrained(folder, config=config, use_safetensors=True, **safely, **options)
    return Local(model, tokenizer, context_of(config, tokenizer))


def with_adapter(base: Local, settings: Settings) -> Any:
    """The base, frozen, with a fresh adapter: LoRA at all linear layers (QLoRA, arXiv 2305.14314, section 4).

    Raises: models.local_child.FAULTS.
    """
    model = base.model
    if getattr(model, "is_loaded_in_4bit", False):
        model = prepare_model_for_kbit_training(model, gradient_checkpointing_kwargs={"use_reentrant": False})
    elif model.device.type == "cuda":
        model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
        model.enable_input_require_grads()
    model.config.use_cache = False
    torch.manual_seed(settings.seed)
    sizes = {"r": settings.rank, "lora_alpha": ALPHA * settings.rank, "lora_dropout": DROPOUT}
    return get_peft_model(model, LoraConfig(task_type="CAUSAL_LM", target_modules="all-linear", **sizes))


def examples(base: Local, lines: Sequence[Placed], most: int) -> list[Example]:
    """The lines in at most `most` tokens each; those are left out whose prompt fills them."""
    made = (_example(base, line, most) for line in lines)
    return [one for one in made if one is not None]


def _example(base: Local, line: Placed, most: int) -> Example | None:
    turns = conversation(line.task, line.data_type, line.metric, line.rank)
    prompt = base.tokens(turns)["input_ids"][0].tolist()
    answer = answer_text(base, turns, line.instruction.strip())
    ids = base.tokenizer(answer, add_special_tokens=False)["input_ids"]
    return example(prompt, ids, base.tokenizer.eos_token_id, most)


def answer_text(base: Local, turns: list[dict[str, str]], answer: str) -> str:
    """`answer` with what the chat template puts between the prompt and it (a blank, an empty thought); plain: a blank.

    Raises: ValueError where the template refuses the turns.
    """
    if not base.tokenizer.chat_template:
        return f" {answer}"
    prompt = base.templated(turns)
    whole = base.templated([*turns, {"role": "assistant", "content": answer}])
    lead, found, _ = whole.removeprefix(prompt).partition(answer)
    return lead + answer if found and whole.startswith(prompt) else answer


def batch_of(some: Sequence[Example], device: Any) -> Batch:
    """Examples as one batch."""
    width = max(len(one.ids) for one in some)
    ids = torch.zeros((len(some), width), dtype=torch.int64)
    mask, labels = torch.zeros_like(ids), torch.full_like(ids, IGNORED)
    for row, one in enumerate(some):
        size = len(one.ids)
        ids[row, :size] = torch.tensor(one.ids)
        mask[row, :size] = 1
        labels[row, one.prompt : size] = ids[row, one.prompt : size]
    return Batch(ids.to(device), mask.to(device), labels.to(device))


def loss_of(model: Any, batch: Batch) -> Any:
    """Mean loss of an answer's token, in nats."""
    return model(input_ids=batch.ids, attention_mask=batch.mask, labels=batch.labels).loss
