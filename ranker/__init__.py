"""LEARNING: puts instructions in the order in which they are worth trying."""
