"""The language model of the ranker: score(description, instruction), any Hugging Face base with LoRA.

Two ways of reading, for encoders and causal models alike:

    apart     each text is read by itself and pooled; a small head scores the two vectors. A pool of n instructions
              costs n + 1 readings whatever the number of tasks, so thousands of outcomes are learned on a CPU.
    together  one reading a pair. An encoder gets a linear head on its pooled vector; a causal model is asked and
              the score is the logit of " yes" less that of " no".
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from peft import LoraConfig, PeftModel, get_peft_model, get_peft_model_state_dict, prepare_model_for_kbit_training
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers import AutoConfig, AutoModel, AutoModelForCausalLM, AutoTokenizer

from models.local_child import placement

SAFELY = {"local_files_only": True, "trust_remote_code": False}
SETTINGS, HEAD, ADAPTER = "ranker.json", "head.safetensors", "adapter_model.safetensors"
QUESTION = "Task: {task}\nPlan: {plan}\nDoes this plan do well on this task? Answer:"


@dataclass(frozen=True)
class Settings:
    """What makes a scorer besides its weights."""

    base: str
    """Name of the base model, for people; the folder is given when it is loaded."""
    reading: Literal["apart", "together"] = "apart"
    causal: bool = False
    width: int = 0
    """Size of the base's hidden vectors."""
    inner: int = 128
    """Size of the head's."""
    max_tokens: int = 512
    """Of one text; what is longer is cut at its end."""
    layers: int = 0
    """Of the base; 0 where they were not counted."""


class Head(nn.Module):  # type: ignore[misc]  # torch has no types here
    """A score from two vectors: what the plan is worth anywhere, and what it is worth on this task."""

    def __init__(self, width: int, inner: int) -> None:
        super().__init__()
        self.task, self.plan = nn.Linear(width, 2 * inner), nn.Linear(width, 2 * inner)
        self.join = nn.Linear(inner, 1)
        self.alone = nn.Linear(width, 1)

    def forward(self, tasks: Tensor, plans: Tensor) -> Tensor:
        """(T, width) and (P, width) -> (T, P)."""
        task, plan = self.task(tasks), self.plan(plans)
        inner = task.shape[1] // 2
        product = task[:, :inner] @ plan[:, :inner].T / inner**0.5
        mixed = self.join(torch.nn.functional.gelu(task[:, None, inner:] + plan[None, :, inner:])).squeeze(-1)
        return product + mixed + self.alone(plans).T


class Scorer(nn.Module):  # type: ignore[misc]
    """A base model with its adapter and head."""

    def __init__(self, settings: Settings, body: Any, tokenizer: Any) -> None:
        super().__init__()
        self.settings, self.body, self.tokenizer = settings, body, tokenizer
        self.tokenizer.padding_side = "right"
        if self.tokenizer.pad_token_id is None:
            self.tokenizer.pad_token = self.tokenizer.eos_token or self.tokenizer.unk_token
        if settings.reading == "apart":
            self.head: nn.Module | None = Head(settings.width, settings.inner)
        else:
            self.head = None if settings.causal else nn.Linear(settings.width, 1)
        self.answers = [self._word(" yes"), self._word(" no")]

    @property
    def device(self) -> torch.device:
        """Where the body is."""
        return next(self.body.parameters()).device

    def forward(self, tasks: Sequence[str], plans: Sequence[str]) -> Tensor:
        """Scores of every plan on every task: (T, P), float32."""
        if self.settings.reading == "apart":
            assert self.head is not None
            read = self.pooled([*tasks, *plans])
            return self.head(read[: len(tasks)], read[len(tasks) :])
        texts = [self.question(task, plan) for task in tasks for plan in plans]
        if self.head is not None:
            return self.head(self.pooled(texts)).view(len(tasks), len(plans))
        inputs = self._tokens(texts)
        logits = self.body(**inputs).logits
        last = logits[torch.arange(len(texts)), inputs["attention_mask"].sum(dim=1) - 1].float()
        yes, no = self.answers
        return (last[:, yes] - last[:, no]).view(len(tasks), len(plans))

    def question(self, task: str, plan: str) -> str:
        """Both in one text, each cut to half of the room, so that a long one leaves the other and the end whole."""
        frame = len(self.tokenizer(QUESTION.format(task="", plan=""))["input_ids"])
        room = max(1, (self.settings.max_tokens - frame) // 2 - 2)
        return QUESTION.format(task=self._cut(task, room), plan=self._cut(plan, room))

    def pooled(self, texts: Sequence[str]) -> Tensor:
        """(texts, width): the mean over tokens, of a causal model the last one. Alike lengths are read together."""
        order = sorted(range(len(texts)), key=lambda place: len(texts[place]))
        found: list[Any] = [None] * len(texts)
        for begin in range(0, len(order), 16):
            places = order[begin : begin + 16]
            vectors = self._pooled([texts[place] for place in places])
            for place, vector in zip(places, vectors, strict=True):
                found[place] = vector
        return torch.stack(found)

    def _pooled(self, texts: Sequence[str]) -> Tensor:
        inputs = self._tokens(texts)
        mask = inputs["attention_mask"]
        if self.settings.causal:
            hidden = self.body(**inputs, output_hidden_states=True).hidden_states[-1].float()
            return hidden[torch.arange(len(texts)), mask.sum(dim=1) - 1]
        hidden = self.body(**inputs).last_hidden_state.float()
        weights = mask.unsqueeze(-1).float()
        return (hidden * weights).sum(dim=1) / weights.sum(dim=1)

    def _tokens(self, texts: Sequence[str]) -> dict[str, Tensor]:
        cut = {"truncation": True, "max_length": self.settings.max_tokens, "padding": True, "return_tensors": "pt"}
        found = self.tokenizer(list(texts), **cut)
        return {name: found[name].to(self.device) for name in ("input_ids", "attention_mask")}

    def _cut(self, text: str, room: int) -> str:
        tokens = self.tokenizer(text, add_special_tokens=False, truncation=True, max_length=room + 1)["input_ids"]
        return text if len(tokens) <= room else str(self.tokenizer.decode(tokens[:room]))

    def _word(self, word: str) -> int:
        return int(self.tokenizer(word, add_special_tokens=False)["input_ids"][-1])

    def save(self, folder: Path) -> None:
        """Adapter, head and settings; no path of this machine is in them."""
        folder.mkdir(parents=True, exist_ok=True)
        for config in self.body.peft_config.values():
            config.base_model_name_or_path = self.settings.base
        self.body.save_pretrained(folder, safe_serialization=True, save_embedding_layers=False)  # True asks a hub
        (folder / "README.md").unlink(missing_ok=True)  # peft's empty model card
        if self.head is not None:
            save_file({name: value.half() for name, value in self.head.state_dict().items()}, folder / HEAD)
        (folder / SETTINGS).write_text(json.dumps(asdict(self.settings), indent=1) + "\n", encoding="utf-8")


def fresh(base: Path, name: str, reading: Literal["apart", "together"], rank: int, max_tokens: int) -> Scorer:
    """A scorer to be trained: the base with a LoRA adapter (arXiv 2106.09685) on all its linear layers.

    4-bit weights (QLoRA, arXiv 2305.14314) where there is a GPU and bitsandbytes.
    """
    config = AutoConfig.from_pretrained(base, **SAFELY)
    causal = any("CausalLM" in architecture for architecture in config.architectures or [])
    body = body_of(base, config, causal)
    if getattr(body, "is_loaded_in_4bit", False):
        body = prepare_model_for_kbit_training(body)
    lora = LoraConfig(r=rank, lora_alpha=2 * rank, lora_dropout=0.05, target_modules="all-linear")
    width, layers = sizes(config)
    settings = Settings(name, reading, causal, width, max_tokens=max_tokens, layers=layers)
    return on_device(Scorer(settings, get_peft_model(body, lora), AutoTokenizer.from_pretrained(base, **SAFELY)))


def load(folder: Path, base: Path, trainable: bool = False) -> Scorer:
    """A trained scorer, for scoring only unless `trainable`.

    Raises: OSError, ValueError, KeyError, RuntimeError, SafetensorError where files are missing or do not fit.
    """
    settings = Settings(**json.loads((folder / SETTINGS).read_text(encoding="utf-8")))
    config = AutoConfig.from_pretrained(base, **SAFELY)
    with safe_open(folder / ADAPTER, framework="pt") as weights:
        held = set(weights.keys())
    other = f"{folder} was trained on {settings.base}, which {base} is not"
    width, layers = sizes(config)
    if width != settings.width or settings.layers not in (0, layers):
        raise ValueError(other)
    body = PeftModel.from_pretrained(
        body_of(base, config, settings.causal), folder, is_trainable=trainable, local_files_only=True
    )
    if held != set(get_peft_model_state_dict(body, save_embedding_layers=False)):
        raise ValueError(other)
    if not trainable and not getattr(body, "is_loaded_in_4bit", False):
        body = body.merge_and_unload()  # one matrix a layer instead of three
    scorer = Scorer(settings, body, AutoTokenizer.from_pretrained(base, **SAFELY))
    if scorer.head is not None:
        scorer.head.load_state_dict({name: value.float() for name, value in load_file(folder / HEAD).items()})
    return on_device(scorer)


def sizes(config: Any) -> tuple[int, int]:
    """Width and layers of a base."""
    text = config.get_text_config()
    return text.hidden_size, getattr(text, "num_hidden_layers", 0)


def body_of(base: Path, config: Any, causal: bool) -> Any:
    """The base model on this machine's best device."""
    options = {**SAFELY, **placement(config), "use_safetensors": True}
    return (AutoModelForCausalLM if causal else AutoModel).from_pretrained(base, config=config, **options)


def on_device(scorer: Scorer) -> Scorer:
    """The head beside the body."""
    if scorer.head is not None:
        scorer.head.to(scorer.device)
    return scorer


def score(scorer: Scorer, description: str, instructions: Sequence[str]) -> list[float]:
    """How promising each instruction is for the task; higher is better, comparable within one task."""
    scorer.eval()
    with torch.inference_mode():
        return [float(value) for value in scorer([description], instructions)[0]]
