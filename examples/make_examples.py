"""Make the examples again from data that ships inside Python packages; nothing is downloaded.

    python -m examples.make_examples [FOLDER]

Needs what the sandbox image has: scikit-learn, statsmodels, plotly, pandas, Pillow. The same versions (those of
sandbox/requirements.txt, and Python 3.11 for the docstrings) give the same files byte for byte: everything drawn is
drawn with one seed. Writes public/ and answers.csv of each example; task.yaml and README.md are written by hand.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import plotly.data
import statsmodels.datasets.co2
from PIL import Image
from sklearn.datasets import load_breast_cancer, load_digits

from examples.docstrings import docstring_rows

SEED = 20240311
Parts = tuple[pd.DataFrame, pd.DataFrame]
"""Train and test, both with the target."""


def life_expectancy(folder: Path) -> None:
    """Gapminder: 142 countries, every fifth year; the test countries are not in train."""
    table = plotly.data.gapminder()[["country", "continent", "year", "pop", "gdpPercap", "lifeExp"]]
    table = table.rename(columns={"pop": "population", "gdpPercap": "gdp_per_person", "lifeExp": "life_expectancy"})
    countries = _shuffled(table["country"].drop_duplicates())
    held_out = table["country"].isin(set(countries[:40]))
    _write(folder, (table[~held_out], table[held_out]), ["life_expectancy"], fill=60.0)


def breast_cancer(folder: Path) -> None:
    """Wisconsin Diagnostic Breast Cancer: 30 measurements of cell nuclei; 1 is malignant."""
    data = load_breast_cancer(as_frame=True)
    table = data.data.rename(columns=lambda name: name.replace(" ", "_")).assign(malignant=1 - data.target)
    _write(folder, _by_row(table, 0.3), ["malignant"], fill=0.5)


def python_docstrings(folder: Path) -> None:
    """The standard library's docstrings and the chapter of the manual that describes their module."""
    table = pd.DataFrame(docstring_rows(SEED), columns=["text", "chapter"])
    _write(folder, _by_row(table, 0.3), ["chapter"], fill="Concurrent Execution")


def digits(folder: Path) -> None:
    """Handwritten digits as 8x8 grey pictures, one PNG file each; a probability for each digit is asked for."""
    data = load_digits()
    chosen = _shuffled(pd.Series(range(len(data.target))))[:700]
    table = pd.DataFrame({"digit": data.target[chosen]})
    train, test = _numbered(_by_row(table, 0.3))
    pictures = folder / "public" / "images"
    pictures.mkdir(parents=True, exist_ok=True)
    for part in (train, test):
        for index, number in part["id"].items():
            pixels = np.minimum(data.images[chosen[index]] * 16, 255).astype(np.uint8)
            Image.fromarray(pixels).save(pictures / f"{number}.png")
    answers = pd.DataFrame({str(digit): (test["digit"] == digit).astype(int) for digit in range(10)})
    answers.insert(0, "id", test["id"])
    sample = answers.assign(**{str(digit): 0.1 for digit in range(10)})
    _save(folder, train, test[["id"]], sample, answers)


def co2(folder: Path) -> None:
    """Weekly carbon dioxide at Mauna Loa, 1958 to 2001; the last two years are to be forecast."""
    table = statsmodels.datasets.co2.load_pandas().data.dropna().rename_axis("date").reset_index()
    table["date"] = table["date"].dt.strftime("%Y-%m-%d")
    late = table["date"] >= "2000"
    train, test = table[~late], table[late]
    _save(folder, train, test[["date"]], test.assign(co2=350.0), test)


EXAMPLES: dict[str, Callable[[Path], None]] = {
    "life-expectancy": life_expectancy,
    "breast-cancer": breast_cancer,
    "python-docstrings": python_docstrings,
    "digits": digits,
    "co2": co2,
}


def _shuffled(values: pd.Series) -> np.ndarray:
    return np.random.default_rng(SEED).permutation(values.to_numpy())


def _by_row(table: pd.DataFrame, share: float) -> Parts:
    """Rows in random order, the last `share` of them as test."""
    table = table.iloc[_shuffled(pd.Series(range(len(table))))]
    cut = round(len(table) * (1 - share))
    return table.iloc[:cut], table.iloc[cut:]


def _numbered(parts: Parts) -> Parts:
    """An id that says nothing about the row: numbers in random order over both parts."""
    sizes = [len(part) for part in parts]
    numbers = np.random.default_rng(SEED + 1).permutation(np.arange(1, sum(sizes) + 1))
    train, test = (part.copy() for part in parts)
    train.insert(0, "id", numbers[: sizes[0]])
    test.insert(0, "id", numbers[sizes[0] :])
    return train, test


def _write(folder: Path, parts: Parts, targets: list[str], fill: object) -> None:
    train, test = _numbered(parts)
    answers = test[["id", *targets]]
    _save(folder, train, test.drop(columns=targets), answers.assign(**dict.fromkeys(targets, fill)), answers)


def _save(
    folder: Path, train: pd.DataFrame, test: pd.DataFrame, sample_submission: pd.DataFrame, answers: pd.DataFrame
) -> None:
    (folder / "public").mkdir(parents=True, exist_ok=True)
    train.to_csv(folder / "public" / "train.csv", index=False, lineterminator="\n")
    test.to_csv(folder / "public" / "test.csv", index=False, lineterminator="\n")
    sample_submission.to_csv(folder / "public" / "sample_submission.csv", index=False, lineterminator="\n")
    answers.to_csv(folder / "answers.csv", index=False, lineterminator="\n")


def main(root: Path) -> None:
    """Write every example below `root`."""
    for name, make in EXAMPLES.items():
        shutil.rmtree(root / name / "public", ignore_errors=True)
        make(root / name)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parent)
