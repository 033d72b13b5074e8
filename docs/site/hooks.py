"""What MkDocs makes of the code while it builds the site: reference pages, formulas, checks.

Every warning of this file ends a strict build: an undocumented public name, a link to a file of the
repository that is not there, and a page that would load something from the network.
"""

import functools
import importlib
import inspect
import json
import logging
import os
import pkgutil
import re
import shutil
import sys
import types
import typing
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import griffe
import latex2mathml.converter
import yaml
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.plugins import event_priority
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

import multifield
from multifield.camels import BUILT_IN
from multifield.config.loader import read_parameters
from multifield.config.schema import Parameters
from multifield.pipeline_registry import register_pipelines

ROOT = Path(__file__).parents[2]
NOTEBOOKS = {"06_nodes_and_catalog": "how-to"}  # folder of the site, if it is not tutorials
COPIES = ROOT / "build/notebooks"
LOG = logging.getLogger("mkdocs.hooks.multifield")


# ---- pages ----


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """List the pages of packages in the navigation, and turn fences named math into MathML."""
    (reference,) = (part["Reference"] for part in config.nav or () if "Reference" in part)
    (api,) = (part for part in reference if "Python API" in part)
    api["Python API"] = [{name: page_of(name)} for name in public_packages()]
    fences = config.mdx_configs.setdefault("pymdownx.superfences", {})
    fences["custom_fences"] = [{"name": "math", "class": "math", "format": format_formula}]
    return config


@event_priority(100)  # before the plugin that looks for notebooks
def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the notebooks and the pages that follow from the code."""
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        place = f"{NOTEBOOKS.get(path.stem, 'tutorials')}/{path.name}"
        (COPIES / place).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, COPIES / place)  # the plugin wants a file under its name in the site
        files.append(File(place, str(COPIES), config.site_dir, config.use_directory_urls))
    code = griffe.load("multifield", search_paths=[str(ROOT / "src")])
    pages = {page_of(name): package_page(name, code) for name in public_packages()}
    pages["reference/pipelines.md"] = pipelines_page()
    pages["reference/parameters.md"] = parameters_page()
    pages["reference/suites.md"] = suites_page()
    for place, text in pages.items():
        files.append(File.generated(config, place, content=text))
    return files


# ---- Python API ----


@functools.cache
def public_packages() -> tuple[str, ...]:
    """Name the packages that export names, without those whose names their parent exports."""
    found = {"multifield": public_names(multifield)}
    for each in pkgutil.walk_packages(multifield.__path__, "multifield."):
        if each.ispkg and not each.name.startswith("multifield.pipelines"):
            names = public_names(importlib.import_module(each.name))
            if not names <= found.get(each.name.rpartition(".")[0], set()):
                found[each.name] = names
    return tuple(sorted(found))


def public_names(package: ModuleType) -> set[str]:
    """Name what a package exports."""
    return {name for name in getattr(package, "__all__", ()) if not name.startswith("__")}


def page_of(package: str) -> str:
    """Name the page of a package."""
    return f"reference/api/{package}.md"


PACKAGE = "{show_root_heading: false, show_root_toc_entry: false, members: false}"


def package_page(name: str, code: griffe.Object | griffe.Alias) -> str:
    """Write the page of a package: its docstring, and each of its public names."""
    package = importlib.import_module(name)
    lines = [f"# {name}", f"::: {name}\n    options: {PACKAGE}"]
    for member in sorted(public_names(package), key=str.lower):
        path = f"{name}.{member}"
        if isinstance(getattr(package, member), ModuleType):
            continue
        if path in sys.modules:  # a module hides a function of its name
            path = f"{path}.{member}"
        try:
            check_documented(path, code[path.removeprefix("multifield.")])
            lines.append(f"::: {path}")
        except griffe.AliasResolutionError as error:
            lines.append(f"## {member}\n\nThe same as `{error.alias.target_path}`.")
    return "\n\n".join(lines) + "\n"


def check_documented(path: str, item: griffe.Object | griffe.Alias) -> None:
    """Warn of a public name, or a public method, without a docstring."""
    item = item.final_target if isinstance(item, griffe.Alias) else item
    methods = item.functions if item.is_class else {}
    for name, each in {"": item, **methods}.items():
        if not name.startswith("_") and not each.has_docstring:
            LOG.warning("%s: no docstring", f"{path}.{name}".rstrip("."))


# ---- pipelines ----


def pipelines_page() -> str:
    """Write what can be run: the nodes of each pipeline with what they take and give."""
    passed_on = datasets_in_memory()
    lines = ["# Pipelines", PIPELINES_INTRODUCTION]
    for name, pipeline in register_pipelines().items():
        if name == "__default__":
            continue
        package = importlib.import_module(f"multifield.pipelines.{name}.pipeline")
        free = sorted(each for each in pipeline.inputs() if not each.startswith("param"))
        stored = sorted(each for each in pipeline.all_outputs() if each not in passed_on)
        lines += [f"## {name}", first_paragraph(package.__doc__)]
        lines.append(f"**Reads** {in_code(free) or 'parameters only'}")
        lines.append(f"**Stores** {in_code(stored)}")
        rows = ["| node | does | parameters |", "|---|---|---|"]
        for node in pipeline.nodes:
            groups = [each.removeprefix("params:") for each in node.inputs if "params:" in each]
            does = first_paragraph(inspect.getdoc(node.func))
            rows.append(f"| `{node.name.rpartition('.')[2]}` | {does} | {in_code(groups)} |")
        lines.append("\n".join(rows))
    return "\n\n".join(lines) + "\n"


PIPELINES_INTRODUCTION = (
    "`multifield run`, or `kedro run` in a clone, executes `ingest`, `preprocess`, `tune`, "
    "`evaluate` and `report`. `--pipelines <name>,<name>` executes the named ones instead. "
    "Each pipeline reads files of earlier ones and stores files in [`data/`](data.md). "
    "[Parameters](parameters.md) lists the groups that nodes take."
)


def datasets_in_memory() -> set[str]:
    """Name the datasets that a pipeline hands from node to node without a file."""
    found = set()
    for path in (ROOT / "conf/base").glob("*/catalog.yml"):
        entries = yaml.safe_load(path.read_text())
        found |= {name for name, entry in entries.items() if "MemoryDataset" in entry["type"]}
    return found


def first_paragraph(text: str | None) -> str:
    """Take the summary of a docstring, in one line."""
    return " ".join((text or "").split("\n\n")[0].split())


def in_code(names: list[str]) -> str:
    """Join names, each as code, without repeats."""
    return ", ".join(f"`{name}`" for name in dict.fromkeys(names))


# ---- parameters ----


def parameters_page() -> str:
    """Write all parameters: type and meaning by the schema, value and source by conf/base."""
    values = dict(flatten(read_parameters("base", {})))
    comments = read_comments()
    lines = ["# Parameters", PARAMETERS_INTRODUCTION, "## Choices of a run"]
    choices = [each.name for each in fields(Parameters) if not is_dataclass(each.type)]
    choices.remove("recipes")
    lines.append(parameter_table(Parameters, choices, "", values, comments))
    for each in fields(Parameters):
        if is_dataclass(each.type):
            names = [inner.name for inner in fields(each.type)]
            lines += [f"## {each.name}", first_paragraph(each.type.__doc__)]
            lines.append(parameter_table(each.type, names, f"{each.name}.", values, comments))
    return "\n\n".join(lines) + "\n"


PARAMETERS_INTRODUCTION = (
    "Every parameter of a run with its value in `conf/base`, the published recipe. "
    "`--params <name>=<value>` changes one for a run. An environment such as `mock` or `cmd` "
    "changes several for all of its runs, and a [recipe](../how-to/recipes.md) those of training. "
    "An unknown name, another type or a value out of range stops the run before its first node."
)


def parameter_table(
    owner: Any, names: list[str], prefix: str, values: dict[str, Any], comments: dict[str, str]
) -> str:
    """Write the rows of a group, and those of groups within it."""
    rows = ["| parameter | value in `conf/base` | meaning |", "|---|---|---|"]
    return "\n".join([*rows, *parameter_rows(owner, names, prefix, values, comments)])


def parameter_rows(
    owner: Any, names: list[str], prefix: str, values: dict[str, Any], comments: dict[str, str]
) -> Iterator[str]:
    """Write one row per parameter."""
    described = describe_fields(owner)
    kinds = {each.name: each.type for each in fields(owner)}
    for name in names:
        place, kind = prefix + name, kinds[name]
        if is_dataclass(kind):
            inner = [each.name for each in fields(kind)]
            yield from parameter_rows(kind, inner, f"{place}.", values, comments)
            continue
        said = [described.get(name, ""), comments.get(place, "")]
        meaning = ". ".join(part.strip().rstrip(".") for part in said if part)
        value = values.get(place, "")
        shown = value if isinstance(value, str) else json.dumps(value)
        shown = f"`{shown}`" if 0 < len(shown) <= LONGEST else "..." if shown else ""
        yield f"| `{place}` *{cell(type_name(kind))}* | {cell(shown)} | {cell(meaning)} |"
        for item in typing.get_args(kind):
            if not isinstance(item, type) or not is_dataclass(item):
                continue
            inner = [each.name for each in fields(item)]  # of a list
            yield from parameter_rows(item, inner, f"{place}[].", values, comments)


LONGEST = 80  # characters of a value that the table shows
DESCRIBED = (griffe.DocstringSectionParameters, griffe.DocstringSectionAttributes)


def describe_fields(owner: Any) -> dict[str, str]:
    """Read the descriptions of parameters in docstrings."""
    found: dict[str, str] = {}
    for base in reversed(owner.__mro__):
        for section in griffe.Docstring(base.__doc__ or "", parser="numpy").parse(warnings=False):
            if isinstance(section, DESCRIBED):
                found |= {
                    name: " ".join(each.description.split())
                    for each in section.value
                    for name in each.name.split(", ")
                }
    return found


def type_name(annotation: Any) -> str:
    """Write a type as a reader of YAML knows it."""
    origin, inner = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        return type_name(inner[0])
    if origin is typing.Literal:
        return " or ".join(str(each) for each in inner)
    if origin in (typing.Union, types.UnionType):
        return " or ".join(type_name(each) for each in inner)
    if origin in (tuple, list):
        return f"list of {type_name(inner[0])}"
    if origin is not None:
        return "mapping" if issubclass(origin, Mapping) else f"list of {type_name(inner[0])}"
    return TYPE_NAMES.get(
        annotation, "mapping" if is_dataclass(annotation) else annotation.__name__
    )


TYPE_NAMES = {types.NoneType: "null", float: "number", int: "integer", bool: "true or false"} | {
    str: "text",
    Path: "path",
}


def cell(text: str) -> str:
    """Escape text for a cell of a table."""
    return text.replace("|", "\\|")


def flatten(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """List the values of a tree by dotted names, groups too."""
    for name, value in tree.items():
        if isinstance(value, Mapping):
            yield from flatten(value, f"{prefix}{name}.")
        yield f"{prefix}{name}", value


def read_comments() -> dict[str, str]:
    """Read the comments of conf/base, by the dotted names of parameters."""
    found: dict[str, str] = {}
    for path in (ROOT / "conf/base").glob("**/parameters.yml"):
        found |= {name: text for name, text in comments_of(path.read_text()) if text}
    return found


def comments_of(text: str) -> Iterator[tuple[str, str]]:
    """Find the comment of each key: behind its value, and in the lines above it."""
    above: list[str] = []
    stack: list[tuple[int, str]] = []
    for line in text.splitlines():
        if comment := re.match(r"\s+#\s?(.*)", line):  # without indentation it is of a section
            above.append(comment[1])
            continue
        if key := re.match(r"(\s*)(\w+):(?:.*?\s#\s(.*))?", line):
            stack = [each for each in stack if each[0] < len(key[1])]
            stack.append((len(key[1]), key[2]))
            yield ".".join(part for _, part in stack), " ".join([*above, key[3] or ""]).strip()
        above = []


# ---- suites ----


def suites_page() -> str:
    """Write the suites, their sets and the columns of their tables, by camels/suites.yml."""
    lines = ["# Suites and sets", SUITES_INTRODUCTION, "## Suites"]
    rows = ["| suite | other names | sets | fields |", "|---|---|---|---|"]
    for suite in BUILT_IN.suites.values():
        name = f"{suite.name} (mock)" if suite.mock else suite.name
        sets = ", ".join(suite.sets)
        rows.append(f"| {name} | {', '.join(suite.aliases)} | {sets} | {', '.join(suite.fields)} |")
    lines += ["\n".join(rows), "## Sets"]
    rows = ["| suite | set | contains | simulations | box [Mpc/h] | maps per simulation | tables |"]
    rows.append("|---|---|---|---|---|---|---|")
    for suite in BUILT_IN.suites.values():
        for each in suite.sets.values():
            n = "any" if each.n_simulations is None else f"{each.n_simulations:,}"
            maps = f"{each.maps_per_simulation} of {each.map_size} pixels"
            tables = ", ".join(f"[{t.name}](#{t.name.lower()})" for t in each.tables)
            meaning = f"{each.design.meaning} | {n} | {each.box:g} | {maps} | {tables}"
            rows.append(f"| {suite.name} | {each.name} | {meaning} |")
    lines += ["\n".join(rows), "## Parameter tables"]
    for table in BUILT_IN.tables.values():
        rows = ["| column | range | fiducial | drawn in | results in | unit | meaning |"]
        rows.append("|---|---|---|---|---|---|---|")
        for each in table:
            low, high = each.range
            scales = f"{SCALES[each.drawn]} | {SCALES[each.scale or each.drawn]}"
            tied = f" Determined by `{each.tied_to}`." if each.tied_to else ""
            rows.append(
                f"| `{each.name}` | {low:g} to {high:g} | {each.fiducial:g} | {scales} | "
                f"{each.unit} | {cell(each.description)}{tied} |"
            )
        lines += [f"### {table.name}", "\n".join(rows)]
    return "\n\n".join([*lines, OWN_SUITES]) + "\n"


SCALES = {"linear": "value", "log": "logarithm"}
SUITES_INTRODUCTION = (
    "Every suite that `suite=` and every set that `sim_set=` can name. "
    "`src/multifield/camels/suites.yml` has the same content, and published tables are checked "
    "against it. CMD has maps of IllustrisTNG, SIMBA, Astrid, EAGLE and N-body suites. Sets of 50 "
    "Mpc/h boxes have 30 maps per simulation. A network is tested on maps with the pixels and the "
    "box of its training. "
    "`drawn in` is the coordinate in which LH and SB sets draw a parameter uniformly; mock suites "
    "with the table CMD draw its parameters in the value. The head `diagonal` learns the "
    "coordinate of the results, as published, and joint heads that in which a parameter is drawn. "
    "A table without header is identified by its number of columns and by the ranges below. Two "
    "columns of the same range can only be distinguished by a header."
)
OWN_SUITES = """## Suites of your own

A YAML file with the same keys adds suites. `--params own_suites=<file>` or `own_suites` in `conf/`
names it:

```yaml
tables:
  two:
    columns:
      Omega_m: { range: [0.1, 0.5], fiducial: 0.3, cosmology: true }
      A_wind: { range: [0.01, 100.0], fiducial: 1.0, drawn: log, description: Energy of winds. }
suites:
  Mine:
    fields: [T, Mgas]
    sets:
      SB2: { tables: [two], n_simulations: 512 }
```

Its files are `params_SB2_Mine.txt` and `Maps_<field>_Mine_SB2_z=0.00.npy`. In Python,
`multifield.camels.add_suites(Path("suites.yml"))` registers them. `load_suite` then also takes
arrays: `mf.load_suite("Mine", "T", sim_set="SB2", maps=maps, theta=theta)`."""


# ---- text ----


def on_page_markdown(text: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Turn inline formulas into MathML, and links to files outside of docs into their paths."""
    if page.file.src_uri.endswith(".ipynb"):
        return text
    text = re.sub(
        r"\$`(.+?)`\$", lambda found: f"<span>{to_mathml(found[1], 'inline')}</span>", text
    )
    here = (ROOT / "docs" / page.file.src_uri).parent

    def show_path(found: re.Match[str]) -> str:
        words, target = found[1], found[2]
        path = Path(os.path.normpath(here / target))
        if path.is_relative_to(ROOT / "docs") or not path.is_relative_to(ROOT):
            return found[0]
        if not path.exists():
            LOG.warning("%s: link to %s, which is not there", page.file.src_uri, target)
        name = str(path.relative_to(ROOT))
        return f"`{name}`" if words.strip("`") in (name, path.name) else f"{words} (`{name}`)"

    return re.sub(r"\[([^\]]+)\]\((\.\./[^)#\s]+)(?:#[^)]*)?\)", show_path, text)


def format_formula(source: str, *args: Any, **kwargs: Any) -> str:
    """Write a fence of LaTeX as MathML, which browsers draw without a script."""
    return to_mathml(source, "block")


def to_mathml(source: str, display: str) -> str:
    """Write LaTeX as MathML."""
    return latex2mathml.converter.convert(source, display=display)


# ---- checks of what is built ----

NETWORK = re.compile(r"<(?:script|link|img|iframe)\b[^>]*\b(?:src|href)=[\"']?(?:https?:)?//[^>]*>")


def on_page_content(html: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Take out scripts of notebooks that load maths from the network, and the colons of reST."""
    html = html.replace("::</p>", ":</p>")
    if page.file.src_uri.endswith(".ipynb"):
        html = re.sub(r"<script\b(?:(?!</script>).)*?https?://.*?</script>", "", html, flags=re.S)
    return html


def on_post_page(html: str, page: Page, config: MkDocsConfig) -> str:
    """Warn of a page that needs the network."""
    for found in NETWORK.findall(html):
        if "canonical" not in found:
            LOG.warning("%s: loads from the network: %s", page.file.src_uri, found)
    return html
