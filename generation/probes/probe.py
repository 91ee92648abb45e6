"""A probe as a value, read from its TOML file: which pictures are rendered, and which number stands for them."""

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from generation.canonical import canonical_sha256
from generation.recipe import Recipe

FOLDER = Path(__file__).parent
PROMPT_SETS = ("paper", "demo")


@dataclass(frozen=True, slots=True)
class Variant:
    """One way in which every case is rendered.

    Attributes:
        name: such as ``dark``; the measure knows its pictures by it.
        text: which text of a case it takes.
        recipe: fields that differ from the checkpoint's own recipe.
        lora: whether the LoRAs that were asked for are added.
        source: an earlier variant whose picture is damaged and inpainted.
        home: whether the picture is the home checkpoint's (the first one asked for), not the checkpoint's own.
    """

    name: str
    text: str = "prompt"
    recipe: Mapping[str, Any] | None = None
    lora: bool = True
    source: str | None = None
    home: bool = False

    def recipe_of(self, base: Recipe) -> Recipe:
        """The checkpoint's recipe with this variant's fields."""
        return Recipe.from_dict({**base.to_dict(), **(self.recipe or {})})


@dataclass(frozen=True, slots=True)
class Case:
    """Texts that belong together, and for probes that look for colours, ``#rrggbb`` of what is asked for."""

    name: str
    texts: Mapping[str, str]
    colours: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Probe:
    """A question to a checkpoint.

    Attributes:
        section: of the paper.
        headline: which number of the measure stands for all.
        falling: whether less of it is better.
        unit: of the headline.
        needs_lora: whether there is nothing to measure without a LoRA.
        seeds: every variant of every case is rendered with each.
        cases: by prompt set; ``demo`` has words that the tiny base knows, where it can show anything.
    """

    name: str
    title: str
    section: str
    headline: str
    unit: str
    falling: bool
    needs_lora: bool
    seeds: tuple[int, ...]
    variants: tuple[Variant, ...]
    cases: Mapping[str, tuple[Case, ...]]

    def cases_of(self, prompt_set: str) -> tuple[Case, ...]:
        """The cases of a prompt set. Raises ValueError naming those that there are."""
        if prompt_set not in self.cases:
            raise ValueError(f"probe {self.name} has no prompts {prompt_set!r}; it has {', '.join(self.cases)}")
        return self.cases[prompt_set]

    def own_cases(self, prompts: Iterable[str]) -> tuple[Case, ...]:
        """Cases of somebody's own prompts. Raises ValueError where a case is more than one text."""
        if any(variant.text != "prompt" for variant in self.variants):
            raise ValueError(f"probe {self.name} compares prompts with each other: it takes none of your own")
        return tuple(Case(f"own-{number}", {"prompt": text}) for number, text in enumerate(prompts, 1))

    def suite(self, cases: Iterable[Case], seeds: Iterable[int], recipe: Recipe) -> str:
        """Hash of all that is asked: values of equal hash may be compared."""
        variants = [
            [one.name, one.text, one.recipe_of(recipe).to_dict(), one.lora, one.source, one.home]
            for one in self.variants
        ]
        asked = [[case.name, dict(case.texts), list(case.colours)] for case in cases]
        return canonical_sha256([self.name, variants, asked, list(seeds)])


@cache
def names() -> tuple[str, ...]:
    """All probes, by name."""
    return tuple(sorted(file.stem for file in FOLDER.glob("*.toml")))


@cache
def find_probe(name: str) -> Probe:
    """A probe by its name. Raises ValueError naming those that there are."""
    if name not in names():
        raise ValueError(f"there is no probe {name!r}; there are {', '.join(names())}")
    fields = tomllib.loads((FOLDER / f"{name}.toml").read_text(encoding="utf-8"))
    cases = {which: tuple(map(_case, fields.pop(which))) for which in PROMPT_SETS if which in fields}
    variants = tuple(Variant(**one) for one in fields.pop("variants"))
    return Probe(name=name, variants=variants, cases=cases, seeds=tuple(fields.pop("seeds")), **fields)


def _case(entry: Mapping[str, Any]) -> Case:
    texts = {key: value for key, value in entry.items() if key not in ("name", "colours")}
    return Case(entry["name"], texts, tuple(entry.get("colours", ())))
