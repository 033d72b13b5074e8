"""Pictures of maps and figures as Kedro-Viz wants them: base64 of a PNG."""

import base64
import io
from collections.abc import Mapping

from kedro_datasets._typing import ImagePreview

from multifield.arrays import Maps


def encode_png(png: bytes) -> ImagePreview:
    """Encode the bytes of a PNG."""
    return ImagePreview(base64.b64encode(png).decode())


def preview_maps(maps: Mapping[str, Maps], suite: str, *, logarithmic: bool) -> ImagePreview:
    """Draw the first map of each field."""
    from multifield.evaluation import figures  # matplotlib is slow to import and seldom needed here

    png = io.BytesIO()
    figures.fields_mosaic(
        {field: field_maps[0] for field, field_maps in maps.items()}, suite, logarithmic=logarithmic
    ).savefig(png, format="png", dpi=100)
    return encode_png(png.getvalue())
