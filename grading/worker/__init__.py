"""The half of grading that sees the labels, in the grader's container; no pydantic and no yaml there."""
