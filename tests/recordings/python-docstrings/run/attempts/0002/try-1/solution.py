import os
import re

import numpy as np
import pandas as pd
from scipy.sparse import hstack
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.pipeline import Pipeline, make_pipeline, make_union
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

SEED = int(os.environ["SEED"])
train = pd.read_csv("data/train.csv")
test = pd.read_csv("data/test.csv")


def pieces(text):
    split = re.sub(r"([a-z])([A-Z])", r"\1 \2", str(text)).replace("_", " ")
    return f"{text} {split}"


X = train["text"].map(pieces)
y = train["chapter"]

words = make_pipeline(
    TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True), TruncatedSVD(150, n_iter=10, random_state=SEED)
)
letters = make_pipeline(
    TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), sublinear_tf=True),
    TruncatedSVD(150, n_iter=10, random_state=SEED),
)
model = Pipeline([
    ("features", make_union(words, letters)),
    ("scale", StandardScaler()),
    ("svm", SVC(kernel="rbf", class_weight="balanced", random_state=SEED)),
])
grid = {
    "svm__C": [0.3, 1, 3, 10, 30, 100],
    "svm__gamma": [0.0003, 0.001, 0.003, 0.01, 0.03],
    "features__pipeline-1__truncatedsvd__n_components": [100, 150],
}
search = GridSearchCV(model, grid, cv=StratifiedKFold(5, shuffle=True, random_state=SEED), n_jobs=1)
search.fit(X, y)
print("accuracy", round(search.best_score_, 4), search.best_params_)
pd.DataFrame({"id": test["id"], "chapter": search.predict(test["text"].map(pieces))}).to_csv(
    "submission.csv", index=False
)
