"""Recipes: plain scripts that solve a kind of task without a model, and what is known about each of them."""
