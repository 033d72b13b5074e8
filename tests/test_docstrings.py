"""Every public docstring is complete, and no sentence in one is long."""

import importlib
import re
from collections.abc import Iterator

import griffe
import pytest

from tests.helpers.projects import ROOT

LONGEST_SENTENCE = 40  # words
SENTENCE_ENDS = re.compile(r"(?<=[.!?:;])\s+|\n\s*\n|\n\s*[*-] |::")
NO_PROSE = re.compile(r"^[=\- ]+$|^ {4}|^>>> |^\w+  +\S")  # tables, code

OTHERS = ("multifield.pipelines.", "multifield.maps.reference.")

PACKAGE = griffe.load(
    "multifield", search_paths=[ROOT / "src"], docstring_parser="numpy", resolve_aliases=False
)


def members_of(parent: griffe.Object) -> Iterator[griffe.Object]:
    """Yield what is defined in a package, class or module and has no underscore before its name."""
    for member in parent.members.values():
        if member.is_alias or member.name.startswith("_"):
            continue
        yield member
        if member.is_module or member.is_class:
            yield from members_of(member)


OBJECTS = {each.path: each for each in [PACKAGE, *members_of(PACKAGE)] if each.docstring}


def described(thing: griffe.Object) -> dict[str, str]:
    """Give the descriptions of the parameters and attributes that a docstring names."""
    kinds = {griffe.DocstringSectionKind.parameters, griffe.DocstringSectionKind.attributes}
    entries = {}
    for section in thing.docstring.parsed:
        if section.kind in kinds:
            for item in section.value:
                for name in item.name.split(","):
                    entries[name.strip().lstrip("*")] = item.description.strip()
    return entries


def parameters_of(thing: griffe.Object) -> list[str]:
    """Name the parameters of a call, those of a dataclass being its fields."""
    names = [each.name.lstrip("*") for each in getattr(thing, "parameters", [])]
    return [name for name in names if name not in ("self", "cls", "metadata")]


def returns_something(thing: griffe.Object) -> bool:
    """Whether a call gives a value."""
    return str(getattr(thing, "returns", None)) not in ("None", "NoReturn", "")


def sentences(text: str) -> Iterator[str]:
    """Yield the sentences of a docstring."""
    lines = [line for line in text.split("\n") if not NO_PROSE.match(line)]
    yield from SENTENCE_ENDS.split("\n".join(lines))


def exported_paths() -> set[str]:
    """Give where the names are defined that the packages export."""
    packages = [PACKAGE, *[each for each in OBJECTS.values() if each.is_init_module]]
    paths = set()
    for package in packages:
        module = importlib.import_module(package.path)
        for name in getattr(module, "__all__", []):
            value = getattr(module, name)
            paths.add(f"{getattr(value, '__module__', '')}.{getattr(value, '__qualname__', '')}")
    functions = {path for path, each in OBJECTS.items() if each.is_function}
    # Kedro gives create_pipeline its arguments; maps.transforms describes what the twin takes
    return {path for path in paths & functions if not path.startswith(OTHERS)}


@pytest.mark.parametrize("path", sorted(exported_paths()))
def test_an_exported_function_describes_all_it_takes_and_gives(path):
    thing = OBJECTS[path]
    entries = described(thing)
    missing = [name for name in parameters_of(thing) if name not in entries]
    assert not missing, f"not described: {', '.join(missing)}"
    kinds = {section.kind for section in thing.docstring.parsed}
    gives = {griffe.DocstringSectionKind.returns, griffe.DocstringSectionKind.yields}
    assert not returns_something(thing) or kinds & gives, "no Returns section"


@pytest.mark.parametrize("path", OBJECTS)
def test_a_docstring_is_complete(path):
    thing = OBJECTS[path]
    entries = described(thing)
    without = [name for name, text in entries.items() if not text]
    assert not without, f"no description: {', '.join(without)}"
    if entries and (thing.is_function or thing.is_class):
        missing = [name for name in parameters_of(thing) if name not in entries]
        assert not missing, f"not described: {', '.join(missing)}"
    for section in thing.docstring.parsed:
        if section.kind is griffe.DocstringSectionKind.returns:
            assert all(item.description.strip() for item in section.value), (
                "Returns: no description"
            )


@pytest.mark.parametrize("path", OBJECTS)
def test_a_sentence_is_short(path):
    found = sentences(OBJECTS[path].docstring.value)
    long = [each for each in found if len(each.split()) > LONGEST_SENTENCE]
    assert not long, long
