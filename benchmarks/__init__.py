"""Measurements. Nothing here is imported by the program or by its tests' assertions on speed."""
