"""Contents and validation of a card."""

import dataclasses
import json

import numpy as np
import pytest
from pydantic import TypeAdapter, ValidationError

from multifield import camels
from multifield.config.training import Hyperparameters
from multifield.maps import split_simulations
from multifield.models import ModelFolder
from multifield.prediction.card import (
    Channel,
    Inferred,
    ModelCard,
    NetworkRecord,
    SigmaFactors,
    check_is_of,
)
from multifield.prediction.novelty import NoveltyReference

CARD = TypeAdapter(ModelCard)


def make_card(**changes) -> ModelCard:
    values = {
        "schema_version": 4,
        "suite": "MockTNG",
        "sim_set": "LH",
        "field": "T_Mgas",
        "label": "all_steps_4_4_o3",
        "smoothing_width": 2.0,
        "remove_monopole": False,
        "map_size": 16,
        "box": 25.0,
        "periodic": True,
        "mask": None,
        "noise": 0.0,
        "beam": 0.0,
        "channels": tuple(
            Channel(
                field=field,
                unit=camels.FIELDS[field].unit,
                transform="log10",
                mean=5.0,
                std=0.1,
                raw_file=f"Maps_{field}.npy",
                raw_sha256="0" * 64,
                floor=None,
            )
            for field in ("T", "Mgas")
        ),
        "normalization_over": "training",
        "parameters": tuple(Inferred.of(parameter) for parameter in camels.PARAMETERS[:2]),
        "architecture": "o3_err",
        "networks": (
            NetworkRecord(
                trial=3,
                weights="weights_3.pt",
                sha256="0" * 64,
                hyperparameters=Hyperparameters(lr=1e-3, wd=0, dr=0.1, hidden=2),
                valid_loss=-3.0,
            ),
        ),
        "sigma_factors": (
            SigmaFactors(
                n_networks=1, orientations=8, factors={"Omega_m": 0.1 + 0.2, "sigma_8": 2.0}
            ),
        ),
        "share": 0.4,
        "training": {},
        "theta_sha256": "0" * 64,
        "versions": {},
        "split": split_simulations(20),
        "novelty": NoveltyReference(
            n_bins=1,
            n_quantiles=2,
            level=0.1,
            mean=(0.0,),
            std=(1.0,),
            valid_distances=(1.0,),
            projections=(((1.0,),),),
        ),
    }
    return ModelCard(**values | changes)


def as_json(**changes) -> str:
    return json.dumps(json.loads(CARD.dump_json(make_card())) | changes)


def test_json_preserves_all_digits():
    assert CARD.validate_json(as_json()) == make_card()


def test_the_fields_are_channels_in_their_order():
    assert make_card().fields == make_card().normalization.fields == ("T", "Mgas")


def test_a_later_schema_is_named_before_its_unknown_keys():
    with pytest.raises(ValidationError, match=r"schema_version: Expected 4, got 5") as caught:
        CARD.validate_json(as_json(schema_version=5, colour="blue"))
    assert caught.value.error_count() == 1


def test_the_bounds_tell_what_the_networks_learned():
    """A network with a joint head learns A_SN1 in the logarithm, where the suite draws it so."""
    a_sn1 = camels.CMD["A_SN1"]
    log = Inferred(name="A_SN1", minimum=np.log10(0.25), maximum=np.log10(4.0))
    options = {"suite": "IllustrisTNG", "sigma_factors": ()}
    values, logs = (
        make_card(**options, parameters=(*make_card().parameters, each))
        for each in (Inferred.of(a_sn1), log)
    )
    assert values.space == camels.CMD
    assert logs.space == camels.CMD.learn_as_drawn()
    assert make_card(**options).space == camels.CMD  # of cosmology alone both are the same
    with pytest.raises(ValidationError, match="A_SN1"):  # mock suites draw the value
        make_card(sigma_factors=(), parameters=(log,))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"colour": "blue"}, "colour"),
        ({"schema_version": None}, "schema_version: Expected 4"),
        ({"map_size": 0}, "map_size"),
        ({"box": 0.0}, "box"),
        ({"mask": "AAAA"}, "mask: Expected a packed mask"),
        ({"field": "Mgas_T"}, "channels: Expected the fields of Mgas_T"),
        ({"suite": "TNG"}, "suite: Expected one of"),
        ({"networks": []}, "networks"),
        (
            {"parameters": [{"name": "Omega_m", "minimum": 0.0, "maximum": 1.0}]},
            "parameters: Expected a parameter of MockTNG LH with its bounds",
        ),
        (
            {"parameters": [{"name": "Omega_m", "minimum": 0.1, "maximum": 0.5}]},
            "sigma_factors: Expected factors of",
        ),
    ],
)
def test_a_card_that_contradicts_itself_is_refused(changes, message):
    with pytest.raises(ValidationError, match=message):
        CARD.validate_json(as_json(**changes))


def test_weights_must_be_in_the_folder():
    with pytest.raises(ValidationError, match="Expected the name of a file in weights/"):
        dataclasses.replace(make_card().networks[0], weights="../weights_3.pt")


def test_factors_depend_on_networks_and_orientations():
    assert make_card().factors(1, 8) == {"Omega_m": 0.1 + 0.2, "sigma_8": 2.0}
    with pytest.raises(ValueError, match=r"Expected 1 to 1 networks .* got 2 and 8"):
        make_card().factors(2, 8)


@pytest.mark.parametrize(
    "other", [{"suite": "MockNbody"}, {"field": "T"}, {"label": "all_steps_5_5_o3"}]
)
def test_the_card_of_other_networks_is_refused(tmp_path, other):
    mine = {"suite": "MockTNG", "field": "T_Mgas", "label": "all_steps_4_4_o3"}
    check_is_of(make_card(), ModelFolder(path=tmp_path, **mine))
    (name,) = other
    with pytest.raises(ValueError, match=f"card: Expected {name} {other[name]}"):
        check_is_of(make_card(), ModelFolder(path=tmp_path, **mine | other))
