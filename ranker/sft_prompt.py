"""How a model that writes instructions is asked, in training (ranker/sft.py) as in use: the words stand here alone."""

from __future__ import annotations

from models.prompt import fenced
from prompts.render import render
from sandbox.elide import clean, elide

TASK_CHARACTERS = 4_000
"""A longer task text is cut in the middle; the texts that such a model is trained on have some hundred."""
WORD_CHARACTERS = 100
"""A longer kind of data or metric is cut in the middle."""
METRIC_CLASSES = {
    "categorization_accuracy": ("accuracy", "balanced_accuracy"),
    "auc": ("roc_auc", "average_precision"),
    "auc_multiclass": ("mean_columnwise_roc_auc",),
    "log_loss": ("balanced_log_loss", "mean_columnwise_log_loss"),
    "f_score": ("f1", "f1_micro", "f1_macro", "f1_weighted"),
    "mse": ("rmse", "mcrmse"),
    "percentage_errors": ("rmsle", "mean_columnwise_rmsle", "mape", "smape"),
    "mae": ("medae", "mean_columnwise_mae"),
    "r2_score": ("r2",),
    "correlation": ("pearson", "spearman", "matthews", "quadratic_weighted_kappa"),
}
"""The coarse classes in which placed instructions name metrics, and which of a task's metrics each stands for."""
_CLASS_OF = {metric: name for name, metrics in METRIC_CLASSES.items() for metric in metrics}
_WORDS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")
_ENDINGS = {1: "st", 2: "nd", 3: "rd"}


def place_word(rank: int) -> str:
    """`first` to `tenth`, then `11th`, `22nd`, ...

    Raises: ValueError where rank is below 1.
    """
    if rank < 1:
        raise ValueError(f"rank {rank}: places start with 1, the best.")
    if rank <= len(_WORDS):
        return _WORDS[rank - 1]
    teen = 10 <= rank % 100 <= 20
    return f"{rank}{'th' if teen else _ENDINGS.get(rank % 10, 'th')}"


def messages(task: str, data_type: str, metric: str, rank: int) -> list[dict[str, str]]:
    """One turn of the user that asks for the instruction of one place; `role` and `content`.

    rank: 1 is the best of the notebooks collected for a competition, which is not Kaggle's place. Kind of data and
    metric may be empty; a metric of a task is named by its class. Three candidates are three ranks (Linguacodus,
    arXiv 2403.11585). The task's text stands between `<data>` marks that it cannot close.

    Raises: ValueError where rank is below 1.
    """
    known = [("Kind of data", data_type), ("Metric", _CLASS_OF.get(metric, metric))]
    about = [f"{name}: {elide(_words(said), WORD_CHARACTERS)}" for name, said in known if said.strip()]
    wanted = (
        f"Write the instruction of the {place_word(rank)} place solution of this competition: data preprocessing, "
        "model architecture and model training."
    )
    content = "\n\n".join([fenced("competition", elide(clean(task.strip()), TASK_CHARACTERS)), *about, wanted])
    return [{"role": "user", "content": content}]


def conversation(task: str, data_type: str, metric: str, rank: int) -> list[dict[str, str]]:
    """`messages` after the system's turn that every question of models/gate.py opens with: what a model is trained on.

    Raises: ValueError where rank is below 1.
    """
    return [{"role": "system", "content": render("system")}, *messages(task, data_type, metric, rank)]


def _words(name: str) -> str:
    """`f_score_multiclass` as words, on one line and without marks."""
    return " ".join(clean(name).replace("_", " ").replace("<", " ").split())
