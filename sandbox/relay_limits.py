"""Bounds that the relay keeps and the host checks. Standard library only: both sides import it."""

FRAME_LIMIT = 8 * 2**20
"""Largest frame in bytes between relay and host."""
TEXT_KEPT = 32_768
"""Characters kept at each end of one piece of text."""
PICTURE_LIMIT = 7 * 2**20
"""Characters of a picture in base64 that are still passed on."""
