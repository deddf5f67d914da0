"""What a script can import where it runs."""

from __future__ import annotations

import re
from importlib import metadata

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
"""Well-known distributions for work with data, as package indexes spell them; what only they need is not named."""
MOST_MODULES = 2000


def packages() -> list[str]:
    """Installed distributions that a script may want, as "pandas 3.1.1", sorted."""
    useful = set(USEFUL.split())
    found = {
        f"{name} {distribution.version}"
        for distribution in metadata.distributions()
        if (name := distribution.metadata["Name"]) and re.sub(r"[-_.]+", "-", name).lower() in useful
    }
    return sorted(found)


def modules() -> list[str]:
    """Top-level modules of all installed distributions, sorted."""
    return sorted(name for name in metadata.packages_distributions() if name.isidentifier())[:MOST_MODULES]
