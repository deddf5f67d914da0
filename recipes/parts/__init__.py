"""Parts that recipes import; render.py copies what a recipe uses into the script that is run."""
