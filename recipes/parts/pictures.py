"""Pictures as numbers: where each row's picture lies, and its size, colours, shape, edges and pixels."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image, UnidentifiedImageError

from recipes.parts.files import cpus

ENDINGS = {".jpg", ".jpeg", ".png", ".gif", ".bmp", ".tif", ".tiff", ".webp"}
SIDES = {3_000: 160, 10_000: 96, 10**9: 64}
"""Up to so many pictures: the longest side, in pixels, on which shapes are measured."""
GRID = 8
"""Cells a side of the histograms of gradients."""
ANGLES = 8
PIXELS = 16
"""Side of the small picture whose pixels are features."""


@dataclass(frozen=True)
class Seen:
    """Features of one set of rows; rows without a readable picture are NaN."""

    shape: np.ndarray
    """Size, colours, moments, outline: tens of columns."""
    edges: np.ndarray
    """Histograms of gradients in GRID x GRID cells."""
    pixels: np.ndarray
    """A small picture in colour."""


def find_pictures(
    train: pd.DataFrame, test: pd.DataFrame, shared: Sequence[str]
) -> tuple[list[Path | None], list[Path | None]]:
    """The file of each row of train and of test: a column of names or ids, with or without folder and ending.

    Raises:
        ValueError: no column names files that are there.
    """
    files = _index([Path("data") / name for name in shared])
    names = [name for name in test.columns if name in train.columns and train[name].nunique() > 1]
    best, hits = "", 0.0
    for name in names:
        sample = [*train[name].head(300), *test[name].head(300)]
        found = sum(_look_up(files, value) is not None for value in sample) / max(1, len(sample))
        if found > hits:
            best, hits = name, found
    if hits < 0.3:
        raise ValueError("no column names the pictures")
    return [_look_up(files, v) for v in train[best]], [_look_up(files, v) for v in test[best]]


def _index(places: Sequence[Path]) -> dict[str, Path]:
    files: dict[str, Path] = {}
    for place in places:
        paths = sorted(place.rglob("*")) if place.is_dir() else [place]
        for path in paths:
            if path.suffix.lower() in ENDINGS:
                relative = path.relative_to("data").as_posix()
                for key in (relative, relative.split("/", 1)[-1], path.name, path.stem):
                    files.setdefault(key.lower(), path)
    return files


def _look_up(files: dict[str, Path], value: object) -> Path | None:
    text = str(value).strip().lower().removeprefix("./").removeprefix("data/")
    for key in (text, text.removesuffix(".0"), text.rsplit("/", 1)[-1], text.rsplit(".", 1)[0]):
        if key in files:
            return files[key]
    return None


def see_pictures(paths: Sequence[Path | None], total: int) -> Seen:
    """Features of all pictures; `total` is the number of pictures of train and test."""
    side = next(side for most, side in SIDES.items() if total <= most)
    with ThreadPoolExecutor(cpus()) as pool:
        rows = list(pool.map(lambda path: see_picture(path, side), paths))
    width = [next((len(row[part]) for row in rows if row is not None), 1) for part in range(3)]
    blank = [np.full(size, np.nan, dtype=np.float32) for size in width]
    return Seen(*[np.stack([blank[part] if row is None else row[part] for row in rows]) for part in range(3)])


def see_picture(path: Path | None, side: int) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    """Shape, edges and pixels of one picture; None where it cannot be read."""
    if path is None:
        return None
    try:
        with Image.open(path) as file:
            size = file.size
            file.draft("RGB", (side, side))
            picture = file.convert("RGB")
    except (OSError, UnidentifiedImageError, ValueError):
        return None
    scale = min(1.0, side / max(picture.size))
    small = picture.resize([max(8, round(length * scale)) for length in picture.size], Image.Resampling.BILINEAR)
    colours = np.asarray(small, dtype=np.float32) / 255
    grey = colours @ np.array([0.299, 0.587, 0.114], dtype=np.float32)
    pixels = np.asarray(picture.resize((PIXELS, PIXELS), Image.Resampling.BOX), dtype=np.float32).ravel() / 255
    shape = [np.log(size[0]), np.log(size[1]), np.log(size[0] / size[1]), *_colours(colours, grey), *_outline(grey)]
    return np.array(shape, dtype=np.float32), gradients(grey), pixels


def _colours(colours: np.ndarray, grey: np.ndarray) -> list[float]:
    flat = colours.reshape(-1, 3)
    spread = flat.max(axis=1) - flat.min(axis=1)
    levels = np.histogram(grey, bins=8, range=(0, 1))[0] / grey.size
    return [*flat.mean(axis=0), *flat.std(axis=0), *np.percentile(grey, (5, 25, 50, 75, 95)), spread.mean(), *levels]


def _outline(grey: np.ndarray) -> list[float]:
    """Moments, roundness and outline of what differs from the border's usual brightness."""
    border = np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])
    mass = np.abs(grey - np.median(border))
    mass = mass / max(float(mass.max()), 1e-6)
    total = float(mass.sum()) + 1e-6
    rows, columns = np.mgrid[: grey.shape[0], : grey.shape[1]]
    right = columns - (mass * columns).sum() / total
    down = rows - (mass * rows).sum() / total
    across, along = np.gradient(mass)
    inside = mass > 0.5
    high, wide = max(1, int(inside.any(axis=1).sum())), max(1, int(inside.any(axis=0).sum()))
    edge = float(np.hypot(across, along).sum())
    plain = [float(mass.mean()), np.log(total), edge / total**0.5, np.log(high / wide), total / (high * wide)]
    return [*plain, *_moments(mass, right, down, total), *_radii(mass, inside, right, down, total)]


def _moments(mass: np.ndarray, right: np.ndarray, down: np.ndarray, total: float) -> list[float]:
    """Logarithms of Hu's first four invariant moments (1962), and how stretched the shape is."""

    def moment(p: int, q: int) -> float:
        return float((mass * right**p * down**q).sum() / total ** (1 + (p + q) / 2))

    n20, n02, n11 = moment(2, 0), moment(0, 2), moment(1, 1)
    n30, n03, n21, n12 = moment(3, 0), moment(0, 3), moment(2, 1), moment(1, 2)
    found = [
        n20 + n02,
        (n20 - n02) ** 2 + 4 * n11**2,
        (n30 - 3 * n12) ** 2 + (3 * n21 - n03) ** 2,
        (n30 + n12) ** 2 + (n21 + n03) ** 2,
    ]
    axes = np.linalg.eigvalsh([[n20, n11], [n11, n02]])
    stretch = np.log(max(float(axes[1]), 1e-8) / max(float(axes[0]), 1e-8))
    return [*[float(np.log(abs(value) + 1e-8)) for value in found], float(stretch)]


def _radii(mass: np.ndarray, inside: np.ndarray, right: np.ndarray, down: np.ndarray, total: float) -> list[float]:
    """Mass by distance from the middle, and how wavy the outline is (Fourier sizes, no matter how turned)."""
    far = np.hypot(right, down) / (total / np.pi) ** 0.5
    rings = np.histogram(far, bins=24, range=(0, 3), weights=mass)[0] / total
    angle = ((np.arctan2(down, right) + np.pi) / (2 * np.pi) * 64).astype(int) % 64
    reach = np.zeros(64)
    np.maximum.at(reach, angle.ravel(), np.where(inside, far, 0).ravel())
    return [*rings, *np.abs(np.fft.rfft(reach))[:24] / 64]


def gradients(grey: np.ndarray) -> np.ndarray:
    """Histograms of oriented gradients (Dalal and Triggs, 2005) in GRID x GRID cells; they sum to one, then roots."""
    down, right = np.gradient(grey)
    strength = np.hypot(right, down)
    angle = ((np.arctan2(down, right) % np.pi) / np.pi * ANGLES).astype(int) % ANGLES
    rows = (np.arange(grey.shape[0]) * GRID // grey.shape[0])[:, None]
    columns = (np.arange(grey.shape[1]) * GRID // grey.shape[1])[None, :]
    place = (rows * GRID + columns) * ANGLES + angle
    sums = np.bincount(place.ravel(), weights=strength.ravel(), minlength=GRID * GRID * ANGLES)
    return np.sqrt(sums / (sums.sum() + 1e-6)).astype(np.float32)
