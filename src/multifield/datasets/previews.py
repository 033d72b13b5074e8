"""Previews of maps and figures for Kedro-Viz, as base64 of a PNG."""

import base64
import io
from collections.abc import Mapping

from kedro_datasets._typing import ImagePreview
from PIL import Image

from multifield.core.arrays import Maps

PANEL = 428 / 300  # width to height, to which Kedro-Viz stretches every preview


def encode_png(png: bytes) -> ImagePreview:
    """Encode the bytes of a PNG, padded with white to the aspect ratio `PANEL`."""
    with Image.open(io.BytesIO(png)) as picture:
        width, height = picture.size
        size = (max(width, round(PANEL * height)), max(height, round(width / PANEL)))
        framed = Image.new("RGB", size, "white")
        framed.paste(picture, ((size[0] - width) // 2, (size[1] - height) // 2))
    buffer = io.BytesIO()
    framed.save(buffer, format="png")
    return ImagePreview(base64.b64encode(buffer.getvalue()).decode())


def preview_maps(maps: Mapping[str, Maps], suite: str, *, logarithmic: bool) -> ImagePreview:
    """Draw the first map of each field of a suite."""
    from multifield.reporting import figures  # matplotlib is slow to import and rarely needed

    png = io.BytesIO()
    figures.fields_mosaic(
        {field: field_maps[0] for field, field_maps in maps.items()}, suite, logarithmic=logarithmic
    ).savefig(png, format="png", dpi=100)
    return encode_png(png.getvalue())
