import os
import re

import numpy as np
import pandas as pd
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.model_selection import StratifiedKFold
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, LinearSVC

SEED = int(os.environ["SEED"])
train = pd.read_csv("data/train.csv")
test = pd.read_csv("data/test.csv")


def pieces(text):
    split = re.sub(r"([a-z])([A-Z])", r"\1 \2", str(text)).replace("_", " ")
    return f"{text} {split}"


def write(predicted):
    pd.DataFrame({"id": test["id"], "chapter": predicted}).to_csv("submission.csv", index=False)


texts, new, y = train["text"].map(pieces), test["text"].map(pieces), train["chapter"].to_numpy()
plain = TfidfVectorizer(sublinear_tf=True)
write(LinearSVC(C=0.5, random_state=SEED).fit(plain.fit_transform(texts), y).predict(plain.transform(new)))


def spaces(fit_texts, other_texts):
    """Both n-gram spaces, reduced and scaled; everything is fitted on the first texts."""
    known, other = [], []
    for settings in ({"ngram_range": (1, 2)}, {"analyzer": "char_wb", "ngram_range": (2, 4)}):
        vectors = TfidfVectorizer(sublinear_tf=True, min_df=2, **settings)
        reduce = TruncatedSVD(100, n_iter=3, random_state=SEED)
        known.append(reduce.fit_transform(vectors.fit_transform(fit_texts)))
        other.append(reduce.transform(vectors.transform(other_texts)))
    scale = StandardScaler().fit(np.hstack(known))
    return scale.transform(np.hstack(known)), scale.transform(np.hstack(other))


grid = [(C, gamma) for C in (1, 3, 10) for gamma in (0.0003, 0.001, 0.003)]
right = dict.fromkeys(grid, 0)
for fit, held in StratifiedKFold(3, shuffle=True, random_state=SEED).split(texts, y):
    Z, Z_held = spaces(texts.iloc[fit], texts.iloc[held])
    for C, gamma in grid:
        model = SVC(C=C, gamma=gamma, class_weight="balanced").fit(Z, y[fit])
        right[C, gamma] += int(np.sum(model.predict(Z_held) == y[held]))
best = max(right, key=right.get)
print("C, gamma", best, "accuracy", round(right[best] / len(y), 4))
Z, Z_new = spaces(texts, new)
write(SVC(C=best[0], gamma=best[1], class_weight="balanced").fit(Z, y).predict(Z_new))
