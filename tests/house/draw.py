"""Draw texts of the project for a reader who sees nothing else: `python -m tests.house.draw SEED`.

60 docstrings, 30 descriptions of the schema and 20 error texts, numbered, without their places; with `--places` the
places alone, to compare with afterwards. Every text has to be explained rightly at first reading.
"""

import ast
import random
import re
import sys
from collections.abc import Iterator

from domain.errors import REGISTRY
from tests.house.sources import PACKAGES, ROOT, sources

DOCSTRINGS, DESCRIPTIONS, ERRORS = 60, 30, 20
DEFINITIONS = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
DESCRIBED = re.compile(r'^ *"""\n?(.*?)\n? *"""\n *([^\n]+)', re.DOTALL | re.MULTILINE)


def docstrings() -> Iterator[tuple[str, str]]:
    """Yield the place and the first paragraph of each docstring outside the tests and the refusals."""
    refusals = {refusal.__name__ for refusal in REGISTRY.values()}
    for source in sources(*PACKAGES):
        for node in ast.walk(source.tree):
            text = ast.get_docstring(node) if isinstance(node, DEFINITIONS) else None
            if text and getattr(node, "name", "") not in refusals:
                yield f"{source.path}:{getattr(node, 'name', '')}", text.split("\n\n")[0]


def descriptions() -> Iterator[tuple[str, str]]:
    """Yield the place and the text of each description of the schema."""
    for text, place in DESCRIBED.findall((ROOT / "schema.graphql").read_text()):
        yield place, " ".join(text.split())


def error_texts() -> Iterator[tuple[str, str]]:
    """Yield the code and the text of each refusal."""
    for code, refusal in REGISTRY.items():
        yield code, " ".join((refusal.__doc__ or "").split())


def main() -> None:
    """Print the texts that the seed draws."""
    chance, shows_places = random.Random(sys.argv[1]), "--places" in sys.argv
    number = 0
    for texts, count in ((docstrings, DOCSTRINGS), (descriptions, DESCRIPTIONS), (error_texts, ERRORS)):
        for place, text in chance.sample(sorted(set(texts())), count):
            number += 1
            print(f"{number}. {place if shows_places else text}")


if __name__ == "__main__":
    main()
