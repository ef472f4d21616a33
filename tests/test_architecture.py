"""Which room may import which, read from the code with `ast`."""

import ast
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "maestro_analytics"
FOUNDATION = {"errors", "settings", "extras", "kinds", "arguments", "text", "files"}

MAY_IMPORT = {
    "__main__": {"cli"},
    "errors": set(),
    "extras": {"errors"},
    "kinds": set(),
    "arguments": {"errors"},
    "files": {"errors"},
    "settings": {"errors"},
    "text": set(),
    "sandbox": set(),
    "tables": {"errors", "kinds", "files"},
    "api": FOUNDATION,
    "exports": FOUNDATION | {"api", "tables"},
    "warehouse": FOUNDATION | {"tables", "exports"},
    "push": FOUNDATION | {"api", "warehouse", "tables", "analysis", "account"},
    "analysis": FOUNDATION | {"warehouse", "tables"},
    "assistant": FOUNDATION | {"warehouse", "analysis"},
    "lake": FOUNDATION | {"warehouse", "tables"},
    "client": FOUNDATION | {"api", "exports", "tables", "push"},
    "account": FOUNDATION | {"api", "exports", "tables", "warehouse"},
    "coaching": FOUNDATION | {"api", "exports", "warehouse"},
    "pipeline": FOUNDATION | {"api", "exports", "warehouse", "push", "account", "coaching"},
    "land_files": FOUNDATION | {"account", "exports", "tables", "warehouse", "push"},
    "reconcile": FOUNDATION | {"api", "exports", "warehouse", "push", "account"},
    "cli": FOUNDATION
    | {
        "pipeline",
        "reconcile",
        "land_files",
        "exports",
        "warehouse",
        "analysis",
        "assistant",
        "push",
        "lake",
        "sandbox",
        "api",
    },
}
LONGEST_MODULE = 500


def room_of(module: str) -> str | None:
    """`maestro_analytics.api.retry` -> `api`; None for what is not ours."""
    parts = module.split(".")
    return parts[1] if parts[0] == "maestro_analytics" and len(parts) > 1 else None


def imported_rooms(source: Path) -> set[str]:
    tree = ast.parse(source.read_text(encoding="utf-8"))
    rooms: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            rooms |= {room for alias in node.names if (room := room_of(alias.name))}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{source}: relative imports hide which room is meant"
            if node.module == "maestro_analytics":
                rooms |= {alias.name for alias in node.names}
            elif room := room_of(node.module or ""):
                rooms.add(room)
    return rooms


SOURCES = sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_room_imports_only_what_it_stands_on(source):
    parts = source.relative_to(PACKAGE).with_suffix("").parts
    forbidden = imported_rooms(source) - MAY_IMPORT[parts[0]] - {parts[0]}
    assert forbidden == set()


def imports_of(name: str, source: Path, known: set[str]) -> set[str]:
    """The modules of ours that a module imports, also in its functions, with the packages that they lie in."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            found |= {f"{node.module}.{alias.name}" for alias in node.names} | {node.module or ""}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    packages = {each.rpartition(".")[0] for each in found}
    return {each for each in (found | packages) & known if not f"{name}.".startswith(f"{each}.")}


def test_no_module_imports_itself_by_way_of_others():
    names = {".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts): path for path in SOURCES}
    modules = {name.removesuffix(".__init__"): path for name, path in names.items()}
    graph = {name: imports_of(name, path, set(modules)) for name, path in modules.items()}

    assert len(list(TopologicalSorter(graph).static_order())) == len(modules)


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_module_has_at_most_500_lines(source):
    assert len(source.read_text(encoding="utf-8").splitlines()) <= LONGEST_MODULE


def test_every_room_has_its_rule():
    rooms = {path.relative_to(PACKAGE).with_suffix("").parts[0] for path in SOURCES}
    assert rooms == set(MAY_IMPORT)


def test_only_the_settings_read_the_environment():
    readers = {
        str(path.relative_to(PACKAGE))
        for path in SOURCES
        if any(word in path.read_text(encoding="utf-8") for word in ("os.environ", "os.getenv"))
    }
    assert readers <= {"settings.py"}
