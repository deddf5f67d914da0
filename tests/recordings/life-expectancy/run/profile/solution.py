"""Profile: what a person would look up in the task's data, written to profile.json. Sees what every script sees."""

from __future__ import annotations


# --- settings ---
TRAIN = 'data/train.csv'
TEST = 'data/test.csv'
SAMPLE = 'data/sample_submission.csv'
ID = 'id'
TARGETS = ['life_expectancy']
COLUMNS = ['life_expectancy']
PROBLEM = 'regression'
OUTPUT = 'values'
METRIC = 'rmse'
CLASSES = []
IGNORE = []
SPLIT = 'group'
SPLIT_COLUMN = 'country'
TIME = None
SHARED = []
SAFE = False
# --- end of settings ---


from collections import Counter
from collections.abc import Collection
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from importlib import metadata
from itertools import islice
from pathlib import Path
from typing import Any
import csv
import gzip
import importlib
import io
import json
import numpy as np
import os
import pandas as pd
import re
import time
import warnings
import zipfile
import zlib


SAMPLE_ROWS = 3000


def _is_counter(column: pd.Series) -> bool:
    """A whole number that counts rows: all different, rising, without large gaps."""
    if len(column) < 50 or not column.is_monotonic_increasing or not column.is_unique:
        return False
    whole = bool((column == column.round()).all())
    return whole and float(column.iloc[-1] - column.iloc[0]) < 3 * len(column)


FLAG_WORDS = [{"true", "false"}, {"yes", "no"}, {"y", "n"}, {"t", "f"}, {"0", "1"}]


def _plain_value(value: Any) -> str:
    text = str(value).strip().lower()
    return text.removesuffix(".0")


def _is_flag(known: pd.Series) -> bool:
    values = known.unique()
    return len(values) <= 2 and {_plain_value(value) for value in values} in FLAG_WORDS


DATE = re.compile(
    r"^\s*(?:\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4}"
    r"|\d{1,2}[- ][A-Za-z]{3,9}[- ,]+\d{2,4}|[A-Za-z]{3,9} \d{1,2},? \d{4})(?:[ T]+\d{1,2}:\d{2}.*)?\s*$"
)


PATH = re.compile(r"\.(?:jpe?g|png|gif|bmp|tiff?|webp|wav|mp3|flac|ogg|npy|dcm)$", re.IGNORECASE)


def as_dates(column: pd.Series) -> pd.Series:
    """The column as timestamps without a time zone (NaT where a value is no date)."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            dates = pd.to_datetime(column, errors="coerce", utc=True)
        except (ValueError, TypeError):
            dates = pd.to_datetime(column, errors="coerce", utc=True, format="mixed")
        if dates.isna().mean() > column.isna().mean() + 0.02:
            dates = pd.to_datetime(column, errors="coerce", utc=True, format="mixed")
    return dates.dt.tz_localize(None)


def delimiter(sample: pd.Series) -> str | None:
    """The delimiter of a composite column, or None."""
    for mark in ("/", "_", "|", ":", ";", "-", "."):
        counts = sample.astype(str).str.count(re.escape(mark))
        usual = int(counts.mode().iloc[0])
        if 1 <= usual <= 5 and (counts == usual).mean() > 0.95:
            return mark
    return None


def is_composite(sample: pd.Series) -> bool:
    """Parts joined by one delimiter that stands the same number of times in nearly all values: "B/12/S", "0042_01"."""
    return delimiter(sample) is not None


def _kind_of_text(sample: pd.Series) -> str:
    if sample.str.contains(PATH).mean() > 0.9:
        return "path"
    if sample.str.match(DATE).mean() > 0.95 and as_dates(sample).notna().mean() > 0.95:
        return "date"
    numbers = pd.to_numeric(sample, errors="coerce")
    if numbers.notna().mean() > 0.98:
        return "number"
    words = float(sample.str.count(r"\s+").mean()) + 1
    distinct = sample.nunique() / len(sample)
    if distinct > (0.1 if words >= 12 else 0.5) and words >= 1.8:
        return "text"
    if distinct > 0.98 and len(sample) >= 50 and not is_composite(sample):
        return "id"
    return "category"


def column_kind(column: pd.Series) -> str:
    """The kind of one column."""
    known = column.dropna()
    if len(known) == 0:
        return "constant"
    sample = known if len(known) <= SAMPLE_ROWS else known.sample(SAMPLE_ROWS, random_state=0)
    if isinstance(sample.iloc[0], list | tuple | set | np.ndarray | dict):
        return "list"
    if known.nunique() == 1 and len(known) == len(column):
        return "constant"
    if pd.api.types.is_datetime64_any_dtype(column):
        return "date"
    if pd.api.types.is_bool_dtype(column) or _is_flag(known):
        return "flag"
    if pd.api.types.is_numeric_dtype(column):
        return "id" if _is_counter(column) else "number"
    return _kind_of_text(sample.astype(str))


def column_kinds(table: pd.DataFrame, names: Sequence[str]) -> dict[str, str]:
    """The kind of each named column, judged by at most 3000 of its known values."""
    return {name: column_kind(table[name]) for name in names}


def free_text(table: pd.DataFrame, kinds: dict[str, str]) -> list[str]:
    """Columns whose text is long enough to carry a row by itself (lists of strings too), longest first."""
    lengths: dict[str, float] = {}
    for name, kind in kinds.items():
        if kind in ("text", "list"):
            sample = table[name].dropna().head(SAMPLE_ROWS)
            size = sample.map(len).mean() if kind == "list" else sample.astype(str).str.count(r"\s+").mean() + 1
            if size >= (3 if kind == "list" else 6):
                lengths[name] = float(size)
    return sorted(lengths, key=lambda name: -lengths[name])


MOST_EXAMPLES = 3


WIDE = 100


def distinct(column: pd.Series) -> int:
    """Different known values, also of lists."""
    try:
        return int(column.nunique())
    except TypeError:
        return int(column.dropna().map(str).nunique())


CELL = 60


def shown(value: object, most: int = CELL) -> str:
    """`value` as text of at most `most` characters that can all be printed."""
    text = str(value)[: 20 * most]
    plain = "".join(c if c.isprintable() else " " if c.isspace() else "" for c in text).strip()
    return plain if len(plain) <= most else f"{plain[: most - 3]}..."


FACT_ROWS = 20_000


def some_rows(column: pd.Series) -> pd.Series:
    """Known values, of many a sample in the order of the table."""
    known = column.dropna()
    return known if len(known) <= FACT_ROWS else known.sample(FACT_ROWS, random_state=0).sort_index()


def frequent(column: pd.Series) -> list[str]:
    """A few different values as text, the most frequent first."""
    counts = some_rows(column).map(str).value_counts()
    texts = (shown(value) for value in counts.index[: 10 * MOST_EXAMPLES])
    return list(dict.fromkeys(text for text in texts if text))[:MOST_EXAMPLES]


NAME = 200


def shown_name(name: object, most: int = NAME) -> str:
    """A name with escapes where a character cannot be printed, so that code can still spell it."""
    text = str(name)[:most]
    return shown("".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text), most)


def facts_of(name: str, column: pd.Series, kind: str, numbers: str) -> dict[str, Any]:
    """The fields of recipes.base.ColumnFacts."""
    return {
        "name": shown_name(name),
        "kind": kind,
        "missing": round(float(column.isna().mean()), 4),
        "unique": distinct(column),
        "numbers": numbers,
        "examples": frequent(column),
    }


MOST_CLASSES = 12


def class_counts(column: pd.Series) -> str:
    """ "0: 443, 1: 270": rows of each class, the most frequent first."""
    counts = column.value_counts()
    parts = [f"{shown(label)}: {count}" for label, count in counts.head(MOST_CLASSES).items()]
    more = len(counts) - len(parts)
    return ", ".join(parts + ([f"... and {more} more"] if more else []))


def date_range(column: pd.Series) -> str:
    """ "2011-01-01 to 2012-12-19", with the time of day where there is one."""
    known = column.dropna().drop_duplicates()
    ends = [known.iloc[[0, -1]], known.sort_values().iloc[[0, -1]]]
    dates = as_dates(pd.concat([some_rows(known), *ends])).dropna()
    form = "%Y-%m-%d" if bool((dates == dates.dt.normalize()).all()) else "%Y-%m-%d %H:%M"
    return f"{dates.min().strftime(form)} to {dates.max().strftime(form)}"


def short(value: float, digits: int = 4) -> str:
    """A number with few digits, in plain form unless it is very large or small."""
    return f"{float(f'{value:.{digits}g}'):g}"


def item_counts(column: pd.Series) -> str:
    """ "3.2 items on average, at most 10"."""
    sizes = some_rows(column).map(lambda value: len(value) if hasattr(value, "__len__") else 1)
    return f"{short(sizes.mean(), 3)} items on average, at most {int(sizes.max())}"


SKEWED = 1.0


def as_numbers(column: pd.Series) -> pd.Series:
    """Finite values as floats."""
    values = pd.to_numeric(column.dropna(), errors="coerce").dropna().astype("float64")
    return values[np.isfinite(values)]


def number_statistics(column: pd.Series) -> str:
    """ "min 0.42, median 14.5, mean 32.2, max 512.3, skewed right"."""
    values = as_numbers(column)
    if values.empty:
        return "no finite numbers"
    found = {"min": values.min(), "median": values.median(), "mean": values.mean(), "max": values.max()}
    parts = [f"{name} {short(value)}" for name, value in found.items()]
    skew = float(values.skew())
    if abs(skew) > SKEWED:
        parts.append("skewed right" if skew > 0 else "skewed left")
    return ", ".join(parts)


def percent(share: float) -> str:
    """A share as "61 %"."""
    return f"{100 * share:.3g} %"


def sign_shares(column: pd.Series) -> list[str]:
    """Shares of zeros and of values below zero, where there are any."""
    values = as_numbers(column)
    shares = {"zero": float((values == 0).mean()), "negative": float((values < 0).mean())}
    return [f"{percent(share)} {name}" for name, share in shares.items() if share > 0]


def top_share(column: pd.Series) -> str:
    """ "top value 61 % of rows", of the rows that have one."""
    counts = some_rows(column).map(str).value_counts(normalize=True)
    if len(counts) == 1:
        return "one value"
    return f"top value {percent(counts.iloc[0])} of rows"


def word_counts(column: pd.Series) -> str:
    """ "12 words on average, at most 80"."""
    words = some_rows(column).map(str).str.count(r"\S+")
    return f"{short(words.mean(), 3)} words on average, at most {int(words.max())}"


def statistics(column: pd.Series, kind: str) -> str:
    """What stands for a column of this kind."""
    if not column.notna().any():
        return "no values"
    match kind:
        case "number":
            return number_statistics(column)
        case "values":
            return ", ".join([number_statistics(column), *sign_shares(column)])
        case "classes":
            return class_counts(column)
        case "date":
            return date_range(column)
        case "text":
            return word_counts(column)
        case "list":
            return item_counts(column)
        case "id" | "path" if column.dropna().is_unique:
            return "different in each row"
        case _:
            return top_share(column)


def guarded_statistics(column: pd.Series, kind: str) -> str:
    """The statistics, "" where the values defy them: one odd column must not cost the others theirs."""
    try:
        return statistics(column, kind)
    except (TypeError, ValueError, ArithmeticError, AttributeError):
        return ""


def column_facts(name: str, column: pd.Series, kind: str, width: int) -> dict[str, Any]:
    """What is known of a feature, one of `width`."""
    found = facts_of(name, column, kind, guarded_statistics(column, kind))
    return found | {"examples": found["examples"][: 1 if width > WIDE else MOST_EXAMPLES]}


def target_facts(name: str, column: pd.Series, kind: str) -> dict[str, Any]:
    """What is known of a target: of numbers ("values"), of class labels ("classes") or of free "text"."""
    column = column if kind == "values" else column.mask(column == "")
    return facts_of(name, column, "target", guarded_statistics(column, kind))


def _missing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and np.isnan(value))


def _as_text(table: pd.DataFrame, text: Sequence[str]) -> pd.DataFrame:
    wanted = [column for column in text if column in table]
    return table.assign(**{c: table[c].map(lambda v: "" if _missing(v) else str(v)).astype(object) for c in wanted})


def _read_delimited(data: bytes, separator: str | None, text: Sequence[str]) -> pd.DataFrame:
    header = data[:65536].split(b"\n", 1)[0].decode("utf-8", "replace")
    if separator is None:
        separator = "," if "," in header else max(",;\t|", key=header.count)
    try:
        data.decode("utf-8")
        encoding = "utf-8-sig"
    except UnicodeDecodeError:
        encoding = "latin-1"
    kept: dict[Any, Any] = dict.fromkeys(text, str)
    return pd.read_csv(io.BytesIO(data), sep=separator, encoding=encoding, converters=kept, low_memory=False)


def _records(text: str) -> Any:
    """A JSON array, an object of columns, or one JSON object a line."""
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return [json.loads(line) for line in text.splitlines() if line.strip()]


def _unzip(data: bytes) -> tuple[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        inner = next(n for n in archive.namelist() if not n.endswith("/") and not n.startswith("__MACOSX"))
        return inner.lower(), archive.read(inner)


def read_table(path: str, text: Sequence[str] = ()) -> pd.DataFrame:
    """The table in a csv, tsv, json, jsonl or parquet file, which may be packed as .gz or .zip.

    Columns named in `text` come back as the exact text of the file ("" where empty), for ids and class labels.
    """
    name, data = path.lower(), Path(path).read_bytes()
    if name.endswith(".gz"):
        name, data = name[:-3], gzip.decompress(data)
    elif name.endswith(".zip"):
        name, data = _unzip(data)
    if name.endswith((".parquet", ".pq")):
        return _as_text(pd.read_parquet(io.BytesIO(data)), text)
    if name.endswith((".json", ".jsonl", ".ndjson")):
        return _as_text(pd.DataFrame(_records(data.decode("utf-8-sig"))), text)
    return _read_delimited(data, "\t" if name.endswith((".tsv", ".tab")) else None, text)


MOST_MODULES = 2000


def modules() -> list[str]:
    """Top-level modules of all installed distributions, sorted."""
    return sorted(name for name in metadata.packages_distributions() if name.isidentifier())[:MOST_MODULES]


USEFUL = """
albumentations autogluon autogluon-tabular catboost category-encoders cupy dask datasets einops evaluate fasttext
featuretools flax formulaic geopandas gensim h5py hdbscan holidays hyperopt imageio imbalanced-learn jax joblib keras
kornia librosa lifelines lightgbm lightning lime matplotlib mlxtend networkx neuralforecast nltk numba numpy
opencv-contrib-python opencv-python opencv-python-headless openpyxl optuna pandas patsy peft pillow plotly pmdarima
polars prophet pyarrow pydicom pytorch-lightning pytorch-tabnet pyyaml rapidfuzz rdkit safetensors scikit-image
scikit-learn scikit-survival scipy seaborn sentence-transformers sentencepiece shap shapely sktime soundfile spacy
statsforecast statsmodels sympy tabpfn tensorflow tensorflow-cpu textblob textstat timm tokenizers torch torchaudio
torchvision tqdm transformers tsfresh ultralytics umap-learn xarray xgboost xgboost-cpu
"""


def packages() -> list[str]:
    """Installed distributions that a script may want, as "pandas 3.1.1", sorted."""
    useful = set(USEFUL.split())
    found = {
        f"{name} {distribution.version}"
        for distribution in metadata.distributions()
        if (name := distribution.metadata["Name"]) and re.sub(r"[-_.]+", "-", name).lower() in useful
    }
    return sorted(found)


PICTURES = {".jpg", ".jpeg", ".png", ".gif", ".bmp", ".tif", ".tiff", ".webp"}


MOST_FILES = 60


UNREADABLE = (OSError, ValueError, TypeError, KeyError, EOFError, RecursionError, zipfile.BadZipFile, zlib.error)


MOST_WALKED = 2000


def size(number: float) -> str:
    """Bytes as "124 kB"."""
    for unit in ("B", "kB", "MB"):
        if number < 999.5:
            return f"{number:.3g} {unit}"
        number /= 1000
    return f"{number:.3g} GB"


def file_facts(path: Path) -> str:
    """ "124 kB of text"."""
    with path.open("rb") as file:
        head = file.read(4096)
    plain = b"\0" not in head and len(head.decode("utf-8", "ignore").encode()) >= 0.95 * len(head)
    return f"{size(path.stat().st_size)} of {'text' if plain else 'binary data'}"


LARGEST_TABLE = 50_000_000


TABLES = (".csv", ".tsv", ".tab", ".json", ".jsonl", ".ndjson", ".parquet", ".pq")


STARTED = time.monotonic()


def time_limit() -> float:
    """Seconds that the whole script may take (TIME_LIMIT_S)."""
    return float(os.environ.get("TIME_LIMIT_S", "600"))


def time_left() -> float:
    """Seconds until the time limit, counted from the start of the script; a guard, not a plan."""
    return time_limit() - (time.monotonic() - STARTED)


def further_table(path: Path) -> pd.DataFrame | None:
    """A table beside those of the task; None where it is none, or too large to be read in passing."""
    name = path.name.lower()
    plain = name.removesuffix(".gz")
    most = LARGEST_TABLE if name == plain else LARGEST_TABLE // 10
    if not plain.endswith(TABLES) or path.stat().st_size > most or time_left() < time_limit() / 2:
        return None
    if name.endswith(".json") and not path.read_bytes().lstrip(b"\xef\xbb\xbf \r\n\t").startswith(b"["):
        return None  # the keys of an object may be what elsewhere is a cell
    try:
        return read_table(str(path))
    except UNREADABLE:
        return None


def holding(what: str, names: list[str]) -> str:
    """ "folder, 990 files such as 1.jpg (.jpg 990)"."""
    names = [name for name in names if not name.endswith("/")]
    if not names:
        return f"{what}, empty"
    many = len(names) > MOST_WALKED
    endings = Counter(Path(name).suffix.lower() or "no ending" for name in names[:MOST_WALKED])
    counts = ", ".join(f"{shown_name(ending, CELL)} {count}" for ending, count in endings.most_common(8))
    number = f"more than {MOST_WALKED} files" if many else f"{len(names)} files"
    return f"{what}, {number} such as {shown_name(min(names), CELL)} ({counts}{', of those looked at' if many else ''})"


FEW_PICTURES = 20


def picture_sizes(paths: Sequence[Path]) -> str:
    """ ", pictures of 8 x 8 pixels (L)", from the smallest to the largest of the first; "" without pictures."""
    try:
        images = importlib.import_module("PIL.Image")
    except ImportError:
        return ""
    seen: set[tuple[int, int, str]] = set()
    for path in [path for path in paths if path.suffix.lower() in PICTURES][:FEW_PICTURES]:
        try:
            with images.open(path) as picture:
                seen.add((picture.width, picture.height, picture.mode))
        except (*UNREADABLE, images.DecompressionBombError):
            continue
    ends = [f"{width} x {height}" for width, height, _ in (min(seen), max(seen))] if seen else []
    modes = ", ".join(sorted({mode for _, _, mode in seen}))
    return f", pictures of {' to '.join(dict.fromkeys(ends))} pixels ({modes})" if seen else ""


SHOWN_COLUMNS = 40


def table_facts(table: pd.DataFrame) -> str:
    """ "table, 713 rows, columns PassengerId, Survived"."""
    names = [shown_name(name, CELL) for name in table.columns[:SHOWN_COLUMNS]]
    more = len(table.columns) - len(names)
    return f"table, {len(table)} rows, columns {', '.join(names)}" + (f" ... and {more} more" if more else "")


def walk(folder: Path) -> Iterator[str]:
    """Files below a folder, relative to it."""
    for place, _, names in os.walk(folder):
        yield from (os.path.relpath(os.path.join(place, name), folder) for name in names)


def path_facts(path: Path) -> str:
    """What a file or folder is."""
    if path.is_dir():
        names = list(islice(walk(path), MOST_WALKED + 1))
        return holding("folder", names) + picture_sizes([path / name for name in sorted(names)])
    if not path.is_file():
        return "not a plain file"
    if path.suffix.lower() == ".zip":
        with zipfile.ZipFile(path) as archive:
            return holding("zip archive", archive.namelist()[: MOST_WALKED + 1])
    table = further_table(path)
    return table_facts(table) if table is not None else file_facts(path) + picture_sizes([path])


def guarded_facts(path: Path) -> str:
    """The facts of a file or folder, also of one that cannot be read."""
    try:
        return path_facts(path)
    except UNREADABLE:
        return "cannot be read"


FEW_FILES = 10


def tables_within(entry: str) -> list[str]:
    """The tables in a small folder."""
    folder = Path("data") / entry
    inside = list(islice(walk(folder), FEW_FILES + 1)) if folder.is_dir() else []
    if len(inside) > FEW_FILES:
        return []
    return sorted(f"{entry}/{name}" for name in inside if name.lower().removesuffix(".gz").endswith(TABLES))


def data_files(known: Mapping[str, pd.DataFrame], shared: Sequence[str]) -> list[dict[str, str]]:
    """Name and facts of the tables already read, then of what all views share."""
    names = list(dict.fromkeys(name for entry in shared for name in (entry, *tables_within(entry))))
    found = [{"name": shown_name(name), "facts": table_facts(table)} for name, table in known.items()]
    places = [(name, Path("data") / name) for name in names if name not in known]
    found += [{"name": shown_name(name), "facts": guarded_facts(path)} for name, path in places[:MOST_FILES]]
    more = len(places) - MOST_FILES
    return found + ([{"name": "...", "facts": f"{more} more files"}] if more > 0 else [])


SHOWN_ROWS = 3


def chosen_columns(names: list[Any], wanted: Collection[str]) -> list[int]:
    """Places of the columns that have room: those of `wanted`, then the first ones, in the order of the table."""
    order = sorted(range(len(names)), key=lambda place: names[place] not in wanted)
    return sorted(order[:SHOWN_COLUMNS])


def csv_line(cells: list[str]) -> str:
    """One line of csv without its end."""
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(cells)
    return line.getvalue()


def is_missing(value: Any) -> bool:
    """Whether a cell holds nothing."""
    return value is None or (pd.api.types.is_scalar(value) and bool(pd.isna(value)))


def shown_cell(value: Any) -> str:
    """A cell as text, "" where it holds nothing."""
    return "" if is_missing(value) else shown(value)


def first_rows(table: pd.DataFrame, wanted: Collection[str]) -> list[str]:
    """The first rows as csv lines, header first; columns in `wanted` are kept where not all have room."""
    places = chosen_columns(list(table.columns), wanted)
    more = len(table.columns) - len(places)
    head = [shown_name(table.columns[place], CELL) for place in places]
    lines = [csv_line(head + ([f"... and {more} more"] if more else []))]
    for row in range(min(SHOWN_ROWS, len(table))):
        cells = [shown_cell(table.iloc[row, place]) for place in places]
        lines.append(csv_line(cells + (["..."] if more else [])))
    return lines


MOST_COLUMNS = 200
MOST_TARGETS = 40
FEW_OTHERS = 8
"""With so few other columns, a free text is what a row is about."""
LONG_TEXT = 20
"""Words on average from which a text is what a row is about, whatever stands beside it."""
NO_DETAILS: dict[str, list[Any]] = {
    "files": [],
    "facts": [],
    "train_rows": [],
    "submission_rows": [],
    "packages": [],
    "modules": [],
}


def has_pictures() -> bool:
    """Whether a shared folder holds images."""
    folders = [Path("data") / name for name in SHARED if (Path("data") / name).is_dir()]
    return any(Path(name).suffix.lower() in PICTURES for folder in folders for name in islice(walk(folder), 1000))


def is_text(table: pd.DataFrame, kinds: dict[str, str]) -> bool:
    """Whether a free text carries the row."""
    texts = free_text(table, kinds)
    if not texts:
        return False
    others = [name for name, kind in kinds.items() if name not in texts and kind not in ("id", "constant")]
    words = table[texts[0]].dropna().head(1000).astype(str).str.split().map(len).mean()
    return len(others) <= FEW_OTHERS or float(words) >= LONG_TEXT


def example(column: pd.Series) -> str:
    """One known value as text."""
    known = column.dropna()
    return shown(known.iloc[0], 80) if len(known) else ""


def find_modality(train: pd.DataFrame, kinds: dict[str, str]) -> str:
    """What kind of task it is."""
    if SPLIT == "time":
        return "series"
    if has_pictures():
        return "image"
    return "text" if is_text(train, kinds) else "tabular"


def describe_column(name: str, column: pd.Series, kind: str) -> dict[str, Any]:
    """The fields of recipes.base.Column."""
    return {
        "name": shown_name(name),
        "kind": kind,
        "missing": round(float(column.isna().mean()), 4),
        "unique": distinct(column),
        "example": example(column),
    }


def summarise(train: pd.DataFrame, test: pd.DataFrame, kinds: dict[str, str], modality: str) -> str:
    """A few plain sentences."""
    counts = pd.Series(list(kinds.values()), dtype=object).value_counts()
    held = ", ".join(f"{count} {kind}" for kind, count in counts.items())
    missing = float(train[list(kinds)].isna().to_numpy().mean()) if kinds else 0.0
    targets = ", ".join(shown_name(name) for name in TARGETS[:10])
    return (
        f"A {modality} task: {PROBLEM} of {targets}, scored by {METRIC}. "
        f"{len(train)} rows to learn from and {len(test)} to predict, with {len(kinds)} columns ({held}); "
        f"{missing:.1%} of the cells are empty."
    )


def describe(train: pd.DataFrame, test: pd.DataFrame, kinds: dict[str, str]) -> dict[str, Any]:
    """The fields of recipes.base.Description."""
    modality = find_modality(train, kinds)
    return {
        "modality": modality,
        "rows": len(train),
        "test_rows": len(test),
        "columns": [describe_column(name, train[name], kind) for name, kind in islice(kinds.items(), MOST_COLUMNS)],
        "width": len(kinds),
        "summary": summarise(train, test, kinds, modality),
    }


def find_details(train: pd.DataFrame, test: pd.DataFrame, kinds: dict[str, str]) -> dict[str, list[Any]]:
    """The other fields of recipes.base.Profile."""
    sample = read_table(SAMPLE, text=[ID, *COLUMNS] if ID else COLUMNS) if Path(SAMPLE).exists() else pd.DataFrame()
    facts = [column_facts(name, train[name], kind, len(kinds)) for name, kind in islice(kinds.items(), MOST_COLUMNS)]
    facts += [target_facts(name, train[name], target_kind()) for name in TARGETS[:MOST_TARGETS]]
    tables = {TRAIN: train, TEST: test} | ({SAMPLE: sample} if len(sample) else {})
    return {
        "files": data_files({name.removeprefix("data/"): table for name, table in tables.items()}, SHARED),
        "facts": facts,
        "train_rows": first_rows(train, TARGETS),
        "submission_rows": first_rows(sample, COLUMNS) if len(sample) else [],
        "packages": packages(),
        "modules": modules(),
    }


def target_kind() -> str:
    """What the targets hold: numbers, class labels, or texts that are no classes."""
    if PROBLEM == "regression":
        return "values"
    return "classes" if CLASSES or PROBLEM == "multilabel" else "text"


def write(profile: dict[str, Any]) -> None:
    """Put profile.json in place; whoever takes it never sees half of one."""
    unfinished = Path("profile.json.part")
    unfinished.write_text(json.dumps(profile, ensure_ascii=False), encoding="utf-8")
    unfinished.replace("profile.json")


def main() -> None:
    """Look at the data and write profile.json: first what every run needs, so that details cannot cost it."""
    exact = [*([ID] if ID else []), *([] if target_kind() == "values" else TARGETS)]
    train, test = read_table(TRAIN, text=exact), read_table(TEST, text=[ID] if ID else [])
    kinds = column_kinds(train, [name for name in train.columns if name not in (*TARGETS, *IGNORE, ID)])
    described = describe(train, test, kinds)
    write({"description": described, **NO_DETAILS})
    write({"description": described, **find_details(train, test, kinds)})


main()
