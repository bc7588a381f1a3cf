"""dvc.yaml declares what the code uses, no more and no less: that is what makes "only what changed reruns" true."""

import ast
import re
from functools import cache

import pytest
import yaml

from src.losses import known_losses
from src.models import known_variants
from src.sources import known_sources
from tests.conftest import ROOT

DVC = yaml.safe_load((ROOT / "dvc.yaml").read_text())
STAGES = DVC["stages"]
# What a module imports by a name that params.yaml holds, as dvc.yaml spells it, and the names there are.
CHOSEN = {
    "src/models/__init__.py": ({"src/models/${item.variant}.py"}, known_variants),
    "src/losses/__init__.py": ({"src/losses/${loss}.py"}, known_losses),
    "src/sources/__init__.py": ({"src/sources/${source}"}, known_sources),
}
SPELLINGS = {
    "{source}": "${source}",
    "{budget}": "${budget}",
    "{variant}": "${item.variant}",
    "{name}": "${key}",
    "{loss}": "${loss}",
}


def module_files(name: str) -> set[str]:
    """The project files that importing `name` runs: the packages on its way, and itself."""
    parts = name.split(".")
    files = {f"{'/'.join(parts[:i])}/__init__.py" for i in range(1, len(parts) + 1)} | {f"{'/'.join(parts)}.py"}
    return {file for file in files if (ROOT / file).exists()}


@cache
def imported(file: str) -> frozenset[str]:
    """Every project file that `file` imports, directly or not, itself included; chosen ones left out."""
    found, todo = set(), [file]
    while todo:
        current = todo.pop()
        if current in found:
            continue
        found.add(current)
        tree = ast.parse((ROOT / current).read_text())
        if [type(node) for node in tree.body] == [ast.Expr]:  # a docstring alone does nothing
            found.remove(current)
        for node in ast.walk(tree):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module:
                names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
            for name in names:
                if name.split(".")[0] in ("src", "stages"):
                    todo.extend(module_files(name))
    return frozenset(found)


def used_files(stage: str) -> set[str]:
    """Every file of the project that the stage's scripts can import, and every template that they render."""
    run = set().union(*(module_files(script.removesuffix(".py").replace("/", ".")) for script in scripts(stage)))
    files = set().union(*(imported(file) for file in run))
    for package, (templates, names) in CHOSEN.items():
        if package in files:
            files |= templates
            for name in names():
                own = chosen_files(package, name)
                files |= set().union(*(imported(file) for file in own)) - own
    return files | {template for file in files if (ROOT / file).exists() for template in rendered(file)}


def rendered(script: str) -> set[str]:
    """The templates that a file renders: the one it names, in its own folder, and what that takes in."""
    files, todo = set(), re.findall(r'with_name\("(\w+\.(?:html|md))"\)', (ROOT / script).read_text())
    while todo:
        name = todo.pop()
        folders = ((ROOT / script).parent, ROOT / "src/page")
        path = next(folder / name for folder in folders if (folder / name).exists())
        files.add(path.relative_to(ROOT).as_posix())
        todo += re.findall(r'(?:extends |include_raw\()"([\w.]+)"', path.read_text())
    return files


def chosen_files(package: str, name: str) -> set[str]:
    """The files of the choice `name`: one module, or a package of its own."""
    path = (ROOT / package).parent / name
    paths = path.rglob("*.py") if path.is_dir() else [path.with_suffix(".py")]
    return {path.relative_to(ROOT).as_posix() for path in paths}


def definition(stage: str) -> dict:
    """What dvc.yaml says of `stage`, for one of its items."""
    return STAGES[stage].get("do", STAGES[stage])


def scripts(stage: str) -> list[str]:
    """The scripts that the commands of `stage` run."""
    return [f"stages/{name}/__main__.py" for name in re.findall(r"-m stages\.(\w+)", str(definition(stage)["cmd"]))]


def declared_files(stage: str) -> set[str]:
    """The code and templates that `stage` depends on; of a folder, every file in it."""
    files = set()
    for dep in definition(stage)["deps"]:
        if dep.startswith(("src/", "stages/")):
            inside = [path for path in (ROOT / dep).rglob("*") if path.is_file() and "__pycache__" not in path.parts]
            files |= {path.relative_to(ROOT).as_posix() for path in inside} or {dep}
    return files


def used_params(stage: str) -> set[str]:
    """The keys that the stage's script reads, as dvc.yaml spells them."""
    keys = set()
    for node in (node for script in scripts(stage) for node in ast.walk(ast.parse((ROOT / script).read_text()))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "read_params":
            argument = node.args[0]
            if isinstance(argument, ast.Name):
                key = f"{{{argument.id}}}"
            else:
                key = ast.unparse(argument)[2:-1] if isinstance(argument, ast.JoinedStr) else ast.literal_eval(argument)
            for ours, theirs in SPELLINGS.items():
                key = key.replace(ours, theirs)
            keys.add(key)
    return keys


@pytest.mark.parametrize("stage", STAGES)
def test_every_file_a_stage_can_import_is_declared_and_no_other(stage):
    assert declared_files(stage) == used_files(stage)


@pytest.mark.parametrize("stage", STAGES)
def test_every_param_a_stage_reads_is_declared_and_no_other(stage):
    assert set(definition(stage).get("params", [])) == used_params(stage)


def test_params_are_read_by_the_stage_scripts_alone():
    for file in (ROOT / "src").rglob("*.py"):
        if file.name != "params.py":
            assert "read_params" not in file.read_text(), f"{file}: a test cannot see which stages read this"


def test_only_a_stage_itself_and_what_checks_its_params_import_from_its_room():
    for path in [*ROOT.glob("stages/*/**/*.py"), *ROOT.glob("src/**/*.py"), *ROOT.glob("tools/**/*.py")]:
        room = path.relative_to(ROOT).parts[1] if path.is_relative_to(ROOT / "stages") else ""
        for name in re.findall(r"^\s*(?:from|import) stages\b\.?(\w*)", path.read_text(), re.M):
            assert name == room != "" or path == ROOT / "tools/check.py", f"{path.relative_to(ROOT)} imports {name}"


def test_no_line_of_dvc_yaml_names_a_variant_a_loss_or_a_source():
    text = (ROOT / "dvc.yaml").read_text().replace("${local.path}", "")  # a dependency, whatever the source
    for name in [*known_variants(), *known_losses(), *known_sources()]:
        assert not re.search(rf"\b{name}\b", text), name


def test_ci_runs_every_python_version_that_the_readme_names():
    jobs = yaml.safe_load((ROOT / ".github/workflows/ci.yaml").read_text())["jobs"]
    named = re.search(r"^Python (.*?), and git", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert named
    assert jobs["test"]["strategy"]["matrix"]["python"] == re.split(r", | or ", named[1])


def test_dvc_and_git_ignore_what_would_make_a_fresh_clone_look_changed():
    assert "__pycache__/" in (ROOT / ".dvcignore").read_text().splitlines()
    for line in (ROOT / ".gitignore").read_text().splitlines():
        if re.match(r"(data|models|plots|report|release|submissions)", line.strip("/!")):
            assert line.startswith(("/", "!/")), f".gitignore: {line} would hide folders of that name elsewhere"
