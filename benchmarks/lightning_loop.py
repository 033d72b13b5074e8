"""Train the plain network with Lightning, from a DataLoader, on the maps of the other sides."""

import logging
import os
from contextlib import closing
from typing import TYPE_CHECKING, Any

import lightning
import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from multifield.config.training import TrainingConfig
from multifield.data import MapLoader
from multifield.data.augmentation import draw_epoch
from multifield.training import moment_loss

if TYPE_CHECKING:
    from benchmarks.training import Steps

MAX_WORKERS = 8


class Maps(Dataset[tuple[Tensor, Tensor]]):
    """Maps in the order and orientation of an epoch, turned one by one as tutorials do."""

    def __init__(self, loader: MapLoader) -> None:
        with closing(loader.ordered([0])) as batches:
            both = [(batch.x.copy(), batch.theta.copy()) for batch in batches]
        self._maps, self._theta = (np.concatenate(each) for each in zip(*both, strict=True))
        self._plan = draw_epoch(len(loader), loader.map_size, 1, 0, flips=True, shifts=False)

    def __len__(self) -> int:
        return len(self._maps)

    def __getitem__(self, position: int) -> tuple[Tensor, Tensor]:
        number = self._plan.order[position]
        quarter_turns, flips = divmod(int(self._plan.orientation[position]), 2)
        x = torch.rot90(torch.from_numpy(self._maps[number]), quarter_turns, (1, 2))
        return x.flip(1) if flips else x, torch.from_numpy(self._theta[number])


class Published(lightning.LightningModule):
    """The published network and loss."""

    def __init__(
        self,
        network: nn.Module,
        optimizer: torch.optim.Optimizer,
        schedule: torch.optim.lr_scheduler.LRScheduler,
        steps: "Steps",
    ) -> None:
        super().__init__()
        self.network = network
        self._optimizer, self._schedule, self._steps = optimizer, schedule, steps

    def configure_optimizers(self) -> Any:
        """Return the optimizer, and the schedule that changes in each step."""
        schedule = {"scheduler": self._schedule, "interval": "step"}
        return {"optimizer": self._optimizer, "lr_scheduler": schedule}

    def training_step(self, batch: tuple[Tensor, Tensor], _: int) -> Tensor:
        """Return the loss of a batch."""
        x, theta = batch
        return moment_loss(*self.network(x).float().chunk(2, dim=1), theta)

    def on_train_start(self) -> None:
        """Begin the time of the first step."""
        self._steps.begin()

    def on_train_batch_end(self, outputs: Any, *_: object) -> None:
        """End the time of a step; the next one includes the wait for its batch."""
        self._steps.end(outputs["loss"].item())


def fit(
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    schedule: torch.optim.lr_scheduler.LRScheduler,
    loader: MapLoader,
    config: TrainingConfig,
    device: torch.device,
    steps: "Steps",
) -> None:
    """Train one epoch of whole batches."""
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    on_gpu = device.type == "cuda"
    n_workers = min(MAX_WORKERS, os.cpu_count() or 1) if on_gpu else 0
    batches = DataLoader(
        Maps(loader), config.batch_size, num_workers=n_workers, pin_memory=on_gpu, drop_last=True
    )
    trainer = lightning.Trainer(
        accelerator="gpu" if on_gpu else "cpu",
        devices=1,
        precision="bf16-mixed" if config.precision == "bfloat16" else "32-true",
        max_epochs=1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(Published(network, optimizer, schedule, steps), batches)
