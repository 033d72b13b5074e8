"""What a network reads from maps, and what there is to read.

The maps are changed in several ways (`views`), and the information that is left is measured twice:

- by the *network* as it was trained, recalibrated on validation maps that were changed in the same
  way: what it uses. It was not trained on such maps, so it may lose more than it needs to;
- by *statistics*, a regression that is trained on the changed maps: what there is at least.

Information is the mean joint log-probability of the truth against the prior [nats per map], of the
test maps. Intervals come from resampled test simulations, and differences are taken map by map.
"""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np
import torch

from multifield import camels
from multifield.config.evaluation import BootstrapConfig
from multifield.config.studies import ExplainConfig
from multifield.core.progress import progress
from multifield.data import MapLoader, SplitLoaders
from multifield.evaluation import Results, average_networks, average_orientations, predict
from multifield.evaluation.bootstrap import Resamples
from multifield.evaluation.information import Nats
from multifield.evaluation.intervals import Interval, estimate_intervals, percentile_interval
from multifield.evaluation.prediction import Viewed
from multifield.evaluation.results import joint_results
from multifield.models import Network, SummaryStatistics, for_inference
from multifield.studies.explain import quantities as q
from multifield.studies.explain.reader import (
    Regression,
    Truth,
    fit_posteriors,
    measure_network,
    measure_reader,
    measure_sets,
    shapley_values,
)
from multifield.studies.explain.result import Explanation, Reader, Row, Topic
from multifield.studies.explain.statistics import (
    GROUPS,
    POWER,
    describe_maps,
    list_columns,
)
from multifield.studies.explain.views import (
    CLASSES,
    View,
    list_views,
    name_view,
    nyquist,
    unchanged,
)
from multifield.training import choose_device, torch_threads
from multifield.training.precision import set_numerics

logger = logging.getLogger(__name__)

ALL = "all statistics"
MAPS, NO_MEAN = "maps", "without mean"


def explain(
    data: SplitLoaders,
    networks: Sequence[Network],
    suite: str,
    fields: tuple[str, ...],
    config: ExplainConfig,
    bootstrap: BootstrapConfig,
    *,
    device: str = "auto",
    n_threads: int = 0,
    box: float = camels.BOX_SIZE,
) -> Explanation:
    """Measure what networks read from maps of scales, environments, statistics and fields.

    Parameters
    ----------
    data : SplitLoaders
        Maps of the suite. Regressions are fitted to the training maps, choices are made on the
        validation maps, and every number is of the test maps.
    networks : sequence of Network
        Trained networks, whose posteriors are averaged. If there are none, only statistics read.
    suite : str
        Name of the suite.
    fields : tuple of str
        Names of the channels.
    config : ExplainConfig
        Scales, widths and environments that are removed from the maps.
    bootstrap : BootstrapConfig
        Resamples of the test simulations.
    device : str, optional
        Device of networks and statistics; see `multifield.training.choose_device`.
    n_threads : int, optional
        Number of PyTorch CPU threads. 0 keeps PyTorch's default.
    box : float, optional
        Side of the maps [Mpc/h].

    Returns
    -------
    explanation : Explanation
        All numbers with their intervals.

    Raises
    ------
    ValueError
        If a wave number is beyond Nyquist, or there is only one test simulation.
    """
    check_scales(config, data.map_size, box)
    study = _Study(data, networks, fields, config, bootstrap, choose_device(device))
    rows: list[Row] = []
    views = list_views(config, fields, box)
    numerics = set_numerics("float32")  # as in evaluation
    with torch_threads(n_threads), numerics, progress("views", len(views), "views") as advance:
        for name, view in views.items():
            rows += study.read(name, view)
            advance(1)
        if networks:
            rows += study.explain_outputs()
    rows = [*study.summarize(), *rows]
    left_out = [] if len(fields) > 1 else ["fields: There is only one field."]
    left_out += [] if networks else ["network: There is no trained network."]
    return Explanation(
        suite=suite,
        mock=camels.find_suite(suite).mock,
        fields=fields,
        inferred=study.truth.names,
        map_size=data.map_size,
        n_networks=len(networks),
        n_simulations=study.resamples.n_simulations,
        level=bootstrap.level,
        rows=tuple(rows),
        left_out=tuple(left_out),
    )


def check_scales(config: ExplainConfig, map_size: int, box: float) -> None:
    """Raise ValueError if a wave number is beyond the Nyquist wave number of the maps."""
    limit = nyquist(map_size, box)
    beyond = [f"{k:g}" for k in config.k_cuts if k > limit]
    if beyond:
        raise ValueError(
            f"explain.k_cuts: Expected at most {limit:.3g} h/Mpc, the Nyquist wave number of maps of "
            f"{map_size} pixels, got {', '.join(beyond)}. Change explain.k_cuts in conf/."
        )


@dataclass(eq=False)
class _Study:
    """Data and settings of an explanation, and what was measured so far."""

    data: SplitLoaders
    networks: Sequence[Network]
    fields: tuple[str, ...]
    config: ExplainConfig
    bootstrap: BootstrapConfig
    device: torch.device
    nats: dict[tuple[Reader, str], Nats] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.truth = Truth.of(self.data)
        statistics = SummaryStatistics(1, 0.0, self.data.channels, self.data.map_size)
        self.columns = list_columns(statistics)
        self.statistics = statistics.to(self.device)
        self.parts = (self.data.train, self.data.valid, self.data.test)
        self.copies = [for_inference(network) for network in self.networks]
        self.resamples = Resamples(self.truth.simulation(2), self.bootstrap)
        if self.resamples.n_simulations < 2:
            raise ValueError(
                "split.n_test: Expected at least two test simulations for the intervals of explain, "
                "got one."
            )

    # ---- information of views ----

    def read(self, name: str, view: View) -> Iterator[Row]:
        """Measure the information in a view, and all that needs its statistics."""
        features = [describe_maps(part, view, self.statistics, self.device) for part in self.parts]
        targets = [self.truth.targets(part) for part in (0, 1)]
        regression = Regression(features, targets, self.config.degree)
        everything = np.ones(len(self.columns.groups), dtype=np.bool_)
        _, self.nats["statistics", name] = measure_reader(regression, everything, self.truth)
        if self.copies:
            valid, test = (self._infer(part, view) for part in self.parts[1:])
            self.nats["network", name] = measure_network(valid, test, self.truth)
            if name == MAPS:
                self._inferred = valid, test
        logger.info("%s: %s", name, ", ".join(self._describe(name)))
        if name in (MAPS, NO_MEAN):
            yield from self._epsilons(name, regression, everything)
        if name == MAPS:
            self._features = features
            yield from self._statistics(regression)
        below = {name_view("below", k): k for k in self.config.k_cuts}
        if len(self.fields) > 1 and name in (MAPS, *below):
            yield from self._fields(regression, below.get(name))

    def _describe(self, name: str) -> list[str]:
        found = {by: nats.mean() for (by, of), nats in self.nats.items() if of == name}
        return [f"{nats:.2f} nats by the {by}" for by, nats in found.items()]

    def _infer(self, loader: MapLoader, view: View) -> Results:
        """Average the posteriors of all networks and orientations."""
        n = self.config.orientations
        found = [
            predict(Viewed(each, view), loader, range(n), device=self.device.type)
            for each in self.copies
        ]
        return average_orientations(average_networks(found), n)

    def summarize(self) -> Iterator[Row]:
        """List the information in all views."""
        readers: tuple[Reader, ...] = ("statistics", "network") if self.copies else ("statistics",)
        for by in readers:
            whole = self.nats[by, MAPS]
            yield self._row("maps", MAPS, q.NATS, by, whole)
            for kind in ("below", "above"):
                for k in self.config.k_cuts:
                    nats = self.nats[by, name_view(kind, k)]
                    yield self._row("scales", kind, q.NATS, by, nats, scale=k)
            for width in self.config.smoothing_widths:
                nats = self.nats[by, name_view("smoothed", width)]
                yield self._row("smoothing", "smoothed", q.NATS, by, nats, scale=width)
            for name in CLASSES:
                without, only = (self.nats[by, f"{word} {name}"] for word in ("without", "only"))
                yield self._row("environments", name, q.LOST, by, whole - without)
                yield self._row("environments", name, q.ALONE, by, only)
            yield self._row("monopole", MAPS, q.NATS, by, whole)
            yield self._row("monopole", NO_MEAN, q.NATS, by, self.nats[by, NO_MEAN])
            yield self._row("monopole", NO_MEAN, q.LOST, by, whole - self.nats[by, NO_MEAN])

    # ---- statistics, mean and fields ----

    def _epsilons(self, name: str, regression: Regression, everything: np.ndarray) -> Iterator[Row]:
        """Measure the mean relative error of each parameter, as `evaluate` does."""
        _, posterior = fit_posteriors(regression.predict(everything), self.truth)
        theta = np.asarray(self.truth.theta[2], np.float64)
        results = joint_results(theta, posterior, self.truth.maps_per_simulation)
        found = estimate_intervals(results, self.truth.simulation(2), self.bootstrap)["epsilon"]
        for parameter in self.truth.names:
            yield Row(
                topic="monopole",
                name=name,
                quantity=q.epsilon_of(parameter),
                read_by="statistics",
                scale=None,
                interval=found.get(parameter),
            )

    def _statistics(self, regression: Regression) -> Iterator[Row]:
        """Divide the information among the groups of statistics."""
        groups = [group for group in GROUPS if group in self.columns.groups]
        sets = [some for n in range(len(groups) + 1) for some in combinations(groups, n)]
        columns = {frozenset(some): self.columns.of_groups(some) for some in sets}
        nats = measure_sets(regression, columns, self.truth)
        whole = nats[frozenset(groups)]
        shared, after = (shapley_values(nats, groups, first) for first in (None, POWER))
        for group in groups:
            measured = {
                q.ALONE: nats[frozenset([group])],
                q.LOST: whole - nats[frozenset(groups) - {group}],
                q.SHAPLEY: shared[group],
                q.AFTER_POWER: after[group],
            }
            for quantity, values in measured.items():
                yield self._row("statistics", group, quantity, "statistics", values)
            yield self._row("statistics", group, q.SHARE, "statistics", after[group], whole)

    def explain_outputs(self) -> Iterator[Row]:
        """Measure how well groups of statistics predict the posterior means of the networks."""
        columns = list(self.truth.columns)
        everywhere = [self._infer(self.data.train, unchanged), *self._inferred]
        outputs = [each.mean[:, columns] for each in everywhere]
        regression = Regression(self._features, outputs[:2], self.config.degree)
        spread = (outputs[2] - outputs[2].mean(axis=0)) ** 2
        groups = [group for group in GROUPS if group in self.columns.groups]
        for name, chosen in {ALL: groups, **{group: [group] for group in groups}}.items():
            found = regression.predict(self.columns.of_groups(chosen))[1]
            explained = spread - (found - outputs[2]) ** 2
            for number, parameter in enumerate(self.truth.names):
                quantity = q.r2_of(parameter)
                shares = explained[:, number], spread[:, number]
                yield self._row("outputs", name, quantity, "network", *shares)

    def _fields(self, regression: Regression, scale: float | None) -> Iterator[Row]:
        """Measure each field alone, and what it adds to the others."""
        whole = frozenset(range(len(self.fields)))
        sets = [frozenset[int](), *(frozenset([each]) for each in whole)]
        sets += [*(whole - {each} for each in whole), whole]
        columns = {each: self.columns.of_channels(tuple(each)) for each in sets}
        nats = measure_sets(regression, columns, self.truth)
        for channel, name in enumerate(self.fields):
            added = nats[whole] - nats[whole - {channel}]
            alone = nats[frozenset([channel])]
            yield self._row("fields", name, q.ALONE, "statistics", alone, scale=scale)
            yield self._row("fields", name, q.ADDED, "statistics", added, scale=scale)

    # ---- intervals ----

    def _row(
        self,
        topic: Topic,
        name: str,
        quantity: str,
        read_by: Reader,
        values: np.ndarray,
        relative_to: np.ndarray | None = None,
        *,
        scale: float | None = None,
    ) -> Row:
        interval = self._interval(
            values, np.ones_like(values) if relative_to is None else relative_to
        )
        return Row(
            topic=topic,
            name=name,
            quantity=quantity,
            read_by=read_by,
            scale=scale,
            interval=interval,
        )

    def _interval(self, values: np.ndarray, relative_to: np.ndarray) -> Interval | None:
        """Give the ratio of two means over the maps, in all simulations and in resamples."""
        with np.errstate(divide="ignore", invalid="ignore"):
            value = float(values.mean() / relative_to.mean())
            resampled = self.resamples.totals(values) / self.resamples.totals(relative_to)
        return percentile_interval(value, resampled, self.bootstrap.level)
