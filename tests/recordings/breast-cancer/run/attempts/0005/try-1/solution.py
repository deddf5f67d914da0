import os

import numpy as np
import pandas as pd
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import QuadraticDiscriminantAnalysis
from sklearn.gaussian_process import GaussianProcessClassifier
from sklearn.gaussian_process.kernels import RBF
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

SEED = int(os.environ["SEED"])
train = pd.read_csv("data/train.csv")
test = pd.read_csv("data/test.csv")
sample = pd.read_csv("data/sample_submission.csv").set_index("id")
target = "malignant"
columns = [c for c in train.columns if c not in ("id", target)]


def components():
    return [FunctionTransformer(np.log1p), StandardScaler(), PCA(n_components=16, random_state=SEED)]


def models():
    return [
        make_pipeline(*components(), GaussianProcessClassifier(1.0 * RBF(3.0), random_state=SEED)),
        make_pipeline(*components(), QuadraticDiscriminantAnalysis(reg_param=0.2)),
    ]


X, y, X_test = train[columns], train[target], test[columns]
held_out = np.zeros((len(y), 2))
for fit, held in StratifiedKFold(5, shuffle=True, random_state=SEED).split(X, y):
    for place, model in enumerate(models()):
        held_out[held, place] = model.fit(X.iloc[fit], y.iloc[fit]).predict_proba(X.iloc[held])[:, 1]
print("AUC", [round(roc_auc_score(y, held_out[:, k]), 4) for k in (0, 1)])
print("mean AUC", round(roc_auc_score(y, held_out.mean(axis=1)), 4))
predicted = np.mean([m.fit(X, y).predict_proba(X_test)[:, 1] for m in models()], axis=0)
sample[target] = pd.Series(predicted, index=test["id"])
sample.loc[test["id"], [target]].reset_index().to_csv("submission.csv", index=False)
