# ruff: noqa: PLC0415 - the heavy imports come after stdout is put aside, so that no library can print among the frames
"""The process in which a local Hugging Face model lives: `python -m models.local_child`, started by models/local.py.

Frames (sandbox/frames.py) on stdin and stdout:

    in   {folder, adapter}                                  once; absolute paths, adapter may be null
    out  {ready, context, device, four_bit}                 or {error, kind}, and the process ends
    in   {messages, max_tokens, temperature, seed, stop}    messages: [{role, content}]
    out  {text}*, {done, prompt_tokens, completion_tokens, finish}    or {error, kind}

kind is "context", "memory" or "other". The process ends with its stdin, also in the middle of an answer. Weights are
read as safetensors only and no code of a model folder is run, so a folder from anywhere can do no more than answer.
"""

from __future__ import annotations

import importlib
import os
import queue
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from models.local_text import Say, Speaker, alternating, plain
from sandbox.frames import FrameError, own_pipes, read_frame, write_frame

LEAST_ROOM = 64
"""Tokens; with less room than this after the prompt, an answer is refused rather than cut short."""
UNKNOWN_CONTEXT = 2_048
"""Tokens, where neither configuration nor tokenizer says what the model takes: the least that is common."""
FAULTS = (
    RuntimeError,
    MemoryError,
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    ArithmeticError,
    ImportError,
    OSError,
)
"""What the libraries raise for a folder or a request that they cannot serve, or a machine that is too small."""


@dataclass(frozen=True)
class Local:
    """A model that is in memory."""

    model: Any
    tokenizer: Any
    context: int
    """Tokens of prompt and answer together."""

    def ready(self) -> dict[str, object]:
        """The first frame out."""
        four_bit = bool(getattr(self.model, "is_loaded_in_4bit", False))
        return {"ready": True, "context": self.context, "device": self.model.device.type, "four_bit": four_bit}

    def answer(self, request: Mapping[str, Any], say: Say) -> dict[str, object]:
        """Say the answer piece by piece; returns the last frame. Raises: FAULTS."""
        inputs = self.tokens(request["messages"])
        size, wanted = inputs["input_ids"].shape[1], request["max_tokens"]
        most = min(wanted, self.context - size)
        if most < min(wanted, LEAST_ROOM):
            why = f"the prompt has {size:,} tokens and the model takes {self.context:,} with the answer"
            return {"error": why, "kind": "context"}
        speaker = Speaker(self.tokenizer, request.get("stop") or [], say)
        self._generate(inputs, most, request, speaker)
        ended = speaker.stopped or len(speaker.ids) < most or speaker.ids[-1] in self._ends()
        counts = {"prompt_tokens": size, "completion_tokens": len(speaker.ids)}
        return {"done": True, **counts, "finish": "stop" if ended else "length"}

    def _generate(self, inputs: dict[str, Any], most: int, request: Mapping[str, Any], speaker: Speaker) -> None:
        import torch
        from transformers import StoppingCriteriaList

        def stopped(ids: Any, scores: Any, **_: object) -> Any:
            return torch.full((ids.shape[0],), speaker.stopped, device=ids.device, dtype=torch.bool)

        seed, temperature = request["seed"], request["temperature"]
        _ = torch.seed() if seed is None else torch.manual_seed(seed)  # a fresh process always has the same seed
        self.model.generate(
            **inputs,
            max_new_tokens=most,
            num_beams=1,  # others cannot be streamed
            do_sample=temperature > 0,
            temperature=temperature or None,
            eos_token_id=self._ends() or None,
            pad_token_id=self.tokenizer.pad_token_id if self.tokenizer.pad_token_id is not None else 0,
            stopping_criteria=StoppingCriteriaList([stopped]),
            streamer=speaker,
        )

    def _ends(self) -> list[int]:
        """Tokens that end an answer: chat models often name one in the tokenizer only, or in the settings only."""
        named = self.model.generation_config.eos_token_id
        several = named if isinstance(named, list) else [named]
        return sorted({end for end in (*several, self.tokenizer.eos_token_id) if end is not None})

    def tokens(self, messages: list[dict[str, str]]) -> dict[str, Any]:
        """The messages as the model reads them, ready for an answer: tensors (1, tokens)."""
        templated = bool(self.tokenizer.chat_template)
        text = self.templated(messages) if templated else plain(messages)
        tokens = self.tokenizer(text, add_special_tokens=not templated, return_tensors="pt")
        return {name: tokens[name].to(self.model.device) for name in ("input_ids", "attention_mask")}

    def templated(self, messages: list[dict[str, str]]) -> str:
        """The messages as text by the model's own chat template. Raises: ValueError where it refuses them."""
        from transformers.utils import chat_template_utils

        options = {"tokenize": False, "add_generation_prompt": True}
        refusal = chat_template_utils.jinja2.TemplateError  # the template language as transformers runs it
        try:
            return str(self.tokenizer.apply_chat_template(messages, **options))
        except refusal:
            pass  # some take no system turn, or insist on turns that alternate
        try:
            return str(self.tokenizer.apply_chat_template(alternating(messages), **options))
        except refusal as error:
            raise ValueError(f"the model's chat template refuses these messages: {error}") from error


def load(folder: str, adapter: str | None) -> Local:
    """Read a model into memory. Raises: FAULTS."""
    from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

    safely = {"local_files_only": True, "trust_remote_code": False}
    config = AutoConfig.from_pretrained(folder, **safely)
    tokenizer = AutoTokenizer.from_pretrained(folder, **safely)
    options = {**safely, **placement(config), "use_safetensors": True}
    model = AutoModelForCausalLM.from_pretrained(folder, config=config, **options)
    if adapter is not None:
        from peft import PeftModel

        model = PeftModel.from_pretrained(model, adapter)
    return Local(model.eval(), tokenizer, context_of(config, tokenizer))


def placement(config: Any) -> dict[str, Any]:
    """Where weights go and as what: 4-bit nf4 (QLoRA, arXiv 2305.14314) or bfloat16 on a GPU, else the CPU's best."""
    import torch
    from transformers import BitsAndBytesConfig

    if not torch.cuda.is_available():
        native = config.get_text_config().dtype == torch.bfloat16 and cpu_has_bfloat16()
        return {"dtype": torch.bfloat16 if native else torch.float32}
    dtype = torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
    options: dict[str, Any] = {"dtype": dtype, "device_map": "auto"}
    if getattr(config, "quantization_config", None) is None and imports("bitsandbytes"):
        four_bit = {"load_in_4bit": True, "bnb_4bit_quant_type": "nf4", "bnb_4bit_compute_dtype": dtype}
        options["quantization_config"] = BitsAndBytesConfig(**four_bit)
    return options


def cpu_has_bfloat16() -> bool:
    """Whether the CPU multiplies bfloat16 by itself; where it does not, float32 is faster. Knows Linux only."""
    try:
        words = set(Path("/proc/cpuinfo").read_text(encoding="utf-8").split())
    except OSError:
        return False
    return bool(words & {"avx512_bf16", "amx_bf16", "bf16"})


def imports(library: str) -> bool:
    """Whether a library is there and works."""
    try:
        importlib.import_module(library)
    except FAULTS:
        return False
    return True


def context_of(config: Any, tokenizer: Any) -> int:
    """Tokens that a model takes."""
    said = getattr(config.get_text_config(), "max_position_embeddings", None) or tokenizer.model_max_length
    return int(said) if said < 10**9 else UNKNOWN_CONTEXT  # tokenizers say 10**30 where they do not know


def failure(error: BaseException) -> dict[str, object]:
    """The frame for an exception: its first line, and whether memory was short."""
    text = str(error).strip().partition("\n")[0][:300]
    memory = any(words in str(error).lower() for words in ("out of memory", "allocate memory", "not enough memory"))
    kind = "memory" if memory or isinstance(error, MemoryError) else "other"
    return {"error": f"{type(error).__name__}: {text}", "kind": kind}


def serve(requests: queue.Queue[dict[str, Any]], say: Say) -> None:
    """Load what the first frame names, then answer one request after the other. Raises: OSError (stdout is closed)."""
    first = requests.get()
    try:
        local = load(first["folder"], first["adapter"])
    except FAULTS as error:
        say(failure(error))
        return
    say(local.ready())
    while True:
        request = requests.get()
        try:
            last = local.answer(request, say)
        except FAULTS as error:
            last = failure(error)
        say(last)


def listen(source: BinaryIO, requests: queue.Queue[dict[str, Any]]) -> None:
    """Pass frames on; end the process where they end, since then nobody is left to answer to."""
    try:
        while (frame := read_frame(source)) is not None:
            requests.put(frame)
    except (FrameError, OSError):
        pass
    finally:
        os._exit(0)


def main() -> None:
    """Serve until stdin ends."""
    source, sink = own_pipes()
    requests: queue.Queue[dict[str, Any]] = queue.Queue()
    threading.Thread(target=listen, args=(source, requests), daemon=True).start()
    serve(requests, lambda message: write_frame(sink, message))


if __name__ == "__main__":
    main()
