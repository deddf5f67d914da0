"""Plots of generated code, made safe to show: decoded and written anew, so that nothing but pixels gets through."""

from __future__ import annotations

import io
import struct
import zlib

from PIL import Image

MAX_BYTES = 8 * 2**20
MAX_PIXELS = 16_000_000


def reencode(data: bytes) -> bytes | None:
    """The same picture as a fresh PNG without metadata; None where it is no PNG, or too large."""
    if len(data) > MAX_BYTES:
        return None
    try:
        with Image.open(io.BytesIO(data), formats=["PNG"]) as picture:
            if picture.width * picture.height > MAX_PIXELS:
                return None
            pixels = picture.convert("RGBA" if "A" in picture.getbands() or "transparency" in picture.info else "RGB")
    except (OSError, ValueError, SyntaxError, EOFError, struct.error, zlib.error, Image.DecompressionBombError):
        return None
    out = io.BytesIO()
    clean = Image.new(pixels.mode, pixels.size)
    clean.paste(pixels)
    clean.save(out, "PNG")
    return out.getvalue() if out.tell() <= MAX_BYTES else None
