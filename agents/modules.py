"""write, in modules: a script in four questions, as the paper Linguacodus turns an instruction into code (phase B).

The paper names the modules and no more. Chosen here: each question shows the modules before it, all of them show the
data and the contract of a script as ours do, and the modules follow each other in one file.
"""

from __future__ import annotations

from agents.brief import Brief, shown
from agents.scripts import Draft, next_part
from models.base import Data, Mind, Question
from recipes.base import Instruction

IN_MODULES = "in modules"
"""The tag of an instruction whose script is written so."""
MODULES = ("preprocessing", "architecture", "training", "submission")
MODULE_TOKENS = 8_000
"""Length of an answer that holds one module, thinking included."""
INSTRUCTION_CHARACTERS = 7_000


def write_modules(mind: Mind, brief: Brief, instruction: Instruction, attempt: str) -> Draft:
    """The script of an instruction; every answer may take an equal share of the time.

    Raises: NoAnswer, ReplayDiffers.
    """
    plan = "\n".join([instruction.title, instruction.preprocessing, instruction.model, instruction.training])
    variables = brief.about() | brief.contract() | {"plan": Data(plan, keep=INSTRUCTION_CHARACTERS)}
    seconds = brief.seconds / len(MODULES)
    code = ""
    for module in MODULES:
        here = variables | {"module": module, "before": shown(code) if code else None}
        read = next_part(code, brief.profile.modules, last=module == MODULES[-1])
        key = f"{attempt}/write-{module}"
        part = mind.ask(Question(key, "write", "linguacodus_module", here, read, None, MODULE_TOKENS, seconds))
        code += f"# {module}\n{part}\n"
    return Draft(code.rstrip() + "\n")
