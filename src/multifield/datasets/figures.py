"""Figures as PNG and PDF."""

from kedro_datasets._typing import ImagePreview
from kedro_datasets.matplotlib import MatplotlibDataset
from matplotlib.figure import Figure

from multifield.datasets.previews import encode_png
from multifield.reporting.figures.style import ONE_AT_A_TIME


class FigureDataset(MatplotlibDataset):  # type: ignore[misc] # it is not typed
    """Figure that is saved as PNG and PDF and loaded as the bytes of the PNG.

    The arguments are those of `MatplotlibDataset`.
    """

    def load(self) -> bytes:
        """Read the PNG."""
        with self._fs.open(str(self._get_load_path()), mode="rb") as file:
            png: bytes = file.read()
        return png

    def preview(self) -> ImagePreview:
        """Return the PNG for Kedro-Viz."""
        return encode_png(self.load())

    def _save_to_fs(self, full_key_path: str, plot: Figure) -> None:
        with ONE_AT_A_TIME:  # another thread must not draw in its style meanwhile
            super()._save_to_fs(full_key_path, plot)
            with self._fs.open(f"{full_key_path.removesuffix('.png')}.pdf", mode="wb") as file:
                plot.savefig(file, format="pdf")
