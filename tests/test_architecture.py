"""The arrows of the architecture: an application imports only what lies below it."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from accounts.models import SyncRun
from providers import slugs

ROOT = Path(__file__).parent.parent
LAYERS = ["providers", "accounts", "automation", "balsync_project"]  # lowest first
PURE = [
    "providers/**/*.py",
    "automation/rules/**/*.py",
    "automation/machine/**/*.py",
    "accounts/history/**/*.py",
    "accounts/instant/**/*.py",
    "accounts/trading/**/*.py",
    "accounts/portfolio/**/*.py",
    "accounts/events/**/*.py",
    "accounts/reconciliation.py",
    "accounts/doubting.py",
    "accounts/missing.py",
    "accounts/validator/**/*.py",
    "accounts/validation.py",
]
# Where amounts pass; times and rates of the drivers may well be fractions.
MONEY = ["accounts/**/*.py", "automation/**/*.py", "providers/money.py"]
MONEY += [f"providers/{slug}/**/*.py" for slug in slugs()]
FRAMEWORKS = {"django", "rest_framework", "celery"}
SKIPPED = {"tests", "migrations"}
TEXTS = {".py", ".html", ".css", ".js", ".toml", ".yml", ".example"}


def sources(*patterns):
    return sorted(
        path
        for pattern in patterns
        for path in ROOT.glob(pattern)
        if not SKIPPED.intersection(path.parts) and path.name != "tests.py"
    )


@pytest.fixture(scope="module", autouse=True)
def read_once():
    """Forget, in the end, what was read for all of these tests."""
    yield
    for known in (nodes, imports, texts):
        known.cache_clear()


@cache
def nodes(path):
    """Return everything that a file says, statement by statement and deeper."""
    return list(ast.walk(ast.parse(path.read_text())))


@cache
def imports(path):
    """Return the modules that a file imports, by their whole names."""
    found = set()
    for node in nodes(path):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found.add(node.module)
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            package = path.relative_to(ROOT).parts[: -node.level]
            base = ".".join([*package, *([node.module] if node.module else [])])
            found.update(f"{base}.{alias.name}" for alias in node.names)
            found.add(base)
    return frozenset(found)


def breaches(paths, forbidden):
    return {
        f"{path.relative_to(ROOT)}: {name}"
        for path in paths
        for name in imports(path)
        if any(name == bad or name.startswith(f"{bad}.") for bad in forbidden)
    }


@pytest.mark.parametrize("layer", LAYERS)
def test_layers_never_import_upwards(layer):
    above = LAYERS[LAYERS.index(layer) + 1 :]

    assert breaches(sources(f"{layer}/**/*.py"), above) == set()


@pytest.mark.parametrize("pure", PURE)
def test_pure_modules_know_no_framework(pure):
    paths = sources(pure)

    assert paths
    assert breaches(paths, FRAMEWORKS) == set()


@pytest.mark.parametrize("app", ["accounts", "automation"])
def test_services_never_enqueue(app):
    paths = sources(f"{app}/services/**/*.py", f"{app}/models/**/*.py")

    forbidden = {"celery", f"{app}.tasks", f"{app}.api", f"{app}.admin"}
    assert paths
    assert breaches(paths, forbidden) == set()


@pytest.mark.parametrize("app", ["accounts", "automation"])
def test_models_know_no_services(app):
    assert breaches(sources(f"{app}/models/**/*.py"), {f"{app}.services"}) == set()


def makes_a_mac(tree):
    """Say whether something in `tree` is worked out with a key by `hmac`."""
    return any(
        isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and (node.value.id, node.attr) in {("hmac", "new"), ("hmac", "digest")}
        for node in ast.walk(tree)
    )


def plain_comparisons(told):
    """Yield the lines on which a proof is compared as other texts are."""
    secret = set()
    for node in told:
        if isinstance(node, ast.FunctionDef) and makes_a_mac(node):
            secret.add(node.name)
        elif isinstance(node, ast.Assign) and makes_a_mac(node.value):
            secret |= {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}
    # Who checks a proof tells yes or no, which is no secret.
    secret -= {"hmac", "hashlib"}
    for node in told:
        if isinstance(node, ast.Compare) and any(
            isinstance(op, ast.Eq | ast.NotEq | ast.In | ast.NotIn) for op in node.ops
        ):
            ends = [node.left, *node.comparators]
            names = {n.id for e in ends for n in ast.walk(e) if isinstance(n, ast.Name)}
            if names & secret or any(map(makes_a_mac, ends)):
                yield node.lineno


def test_no_proof_is_compared_in_a_time_that_tells_of_it():
    found = [
        f"{path.relative_to(ROOT)}:{line}"
        for path in sources(*(f"{layer}/**/*.py" for layer in LAYERS))
        if "hmac" in imports(path) and "sandbox" not in path.parts
        for line in plain_comparisons(nodes(path))
    ]

    assert found == []


@pytest.mark.parametrize(
    "line",
    [
        "good = told == hmac.new(key, body).hexdigest()",
        "right = hmac.digest(key, body, 'sha256')\ngood = told in (right, other)",
        "def made(key): return hmac.digest(key, b'', 's')\ngood = made(key) != told",
    ],
)
def test_plain_comparison_of_a_proof_is_found(line):
    assert list(plain_comparisons(list(ast.walk(ast.parse(line)))))


def test_only_the_drivers_and_the_sandboxes_do_io():
    network = {
        "requests",
        "aiohttp",
        "socket",
        "urllib.request",
        "http.client",
        "redis",
    }
    adapters = [
        path
        for slug in slugs()
        for path in (ROOT / "providers" / slug).rglob("*.py")
        if not {"sandbox", "tests"}.intersection(path.parts)
        and path.name not in {"oracle.py", "sandbox.py", "tests.py"}
    ]

    assert adapters
    assert breaches(adapters, network) == set()


def test_no_module_is_part_of_a_circle():
    graph = {}
    for path in sources(*(f"{layer}/**/*.py" for layer in LAYERS)):
        parts = path.relative_to(ROOT).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        graph[name] = path
    edges = {
        name: {
            wanted
            for wanted in imports(path)
            if wanted in graph and wanted != name and not name.startswith(f"{wanted}.")
        }
        for name, path in graph.items()
    }

    assert circle_in(edges) == []


def circle_in(edges):
    done, trail = set(), []

    def visit(name):
        if name in trail:
            return [*trail[trail.index(name) :], name]
        if name in done:
            return []
        trail.append(name)
        for wanted in sorted(edges[name]):
            if found := visit(wanted):
                return found
        done.add(trail.pop())
        return []

    for name in sorted(edges):
        if found := visit(name):
            return found
    return []


def test_a_circle_would_be_found():
    assert circle_in({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == ["b", "c", "b"]


def naming(slug):
    """Return what names a provider; a slug that is an ordinary word names it less often.

    A sync may be of such a kind, too, so only a provider by that word is meant.
    """
    if slug not in SyncRun.Kind.values:
        return re.compile(rf"\b{slug}\b", re.IGNORECASE)
    quoted = rf"[\"']{slug}[\"']"
    return re.compile(
        rf"providers[./]{slug}\b|from providers import .*\b{slug}\b"
        rf"|(load|serve)\(.*{quoted}|(provider|slug|bank)\w*[\"']?\)?\s*(:|=|==|!=|in)\s*{quoted}",
        re.IGNORECASE,
    )


@cache
def texts():
    """Return what all files of ours say, by where they are."""
    places = [
        path for place in [*LAYERS, "tests"] for path in (ROOT / place).rglob("*")
    ]
    return {
        path: path.read_text()
        for path in [*places, *ROOT.glob("*"), *ROOT.glob(".env.example")]
        if path.suffix in TEXTS or path.name == "Dockerfile"
    }


def named_outside(slug):
    home, names = ROOT / "providers" / slug, naming(slug)
    return [
        str(path.relative_to(ROOT))
        for path, text in texts().items()
        if home not in path.parents and names.search(text)
    ]


@pytest.mark.parametrize("slug", slugs())
def test_provider_is_named_in_its_own_folder_only(slug):
    assert named_outside(slug) == []


@pytest.mark.parametrize("slug", slugs())
@pytest.mark.parametrize(
    "line",
    [
        "from providers.{}.client import Provider",
        "from providers import base, {}",
        'load("{}")',
        "if connection.provider == '{}':",
        'Connection(provider="{}")',
        '{{"provider": "{}"}}',
    ],
)
def test_a_name_outside_would_be_found(slug, line):
    assert naming(slug).search(line.format(slug))


@pytest.mark.parametrize("layer", LAYERS)
def test_nothing_is_imported_inside_a_function(layer):
    found = [
        f"{path.relative_to(ROOT)}:{inner.lineno}"
        for path in sources(f"{layer}/**/*.py")
        for node in nodes(path)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.name != "ready"  # an AppConfig's, which may
        for inner in ast.walk(node)
        if isinstance(inner, ast.Import | ast.ImportFrom)
    ]

    assert found == []


def caught(handler):
    """Return the names that an `except` catches."""
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return {ast.unparse(kind) if kind else "everything" for kind in kinds}


@pytest.mark.parametrize("layer", LAYERS)
def test_no_failure_is_swallowed_whole(layer):
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in sources(f"{layer}/**/*.py")
        for node in nodes(path)
        if isinstance(node, ast.ExceptHandler)
        and caught(node) & {"Exception", "everything"}
    ]

    assert found == []


@pytest.mark.parametrize("where", MONEY)
def test_money_is_never_a_float(where):
    paths = sources(where)
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in paths
        for node in nodes(path)
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "float"
    ]

    assert paths
    assert found == []


@pytest.mark.parametrize("layer", LAYERS)
def test_functions_stay_short_enough_to_read(layer):
    long = {
        f"{path.relative_to(ROOT)}: {node.name}": length
        for path in sources(f"{layer}/**/*.py")
        for node in nodes(path)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (length := node.end_lineno - node.lineno + 1) > 50
    }

    assert long == {}


@pytest.mark.parametrize("layer", LAYERS)
def test_files_stay_short_enough_to_read(layer):
    long = {
        str(path.relative_to(ROOT)): length
        for path in sources(f"{layer}/**/*.py")
        if (length := len(path.read_text().splitlines())) > 400
    }

    assert long == {}
