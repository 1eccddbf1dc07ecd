#!/usr/bin/env python3
"""Makes docs/support.md from what the tests in tests/python show.

    .venv/bin/python scripts/support_table.py            write the page
    .venv/bin/python scripts/support_table.py --check    exit 1 if the page is stale

The checklist is Keras itself: every public class of keras.layers, function of keras.activations and
Operation of keras.ops. The answers are the marks `shows` and `refused` of the tests
(tests/python/oracle.py), collected without running them; a test marked xfail or skip shows nothing.
--results FILE takes the record of a run (`pytest --support-json FILE`) instead, in which a failed
test shows nothing either.

A mark that names what Keras does not have, or an argument that a layer does not take, is an error.
"""

import argparse
import collections
import difflib
import importlib
import inspect
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

os.environ.setdefault("KERAS_BACKEND", "numpy")
REPOSITORY = pathlib.Path(__file__).resolve().parents[1]
PAGE = REPOSITORY / "docs" / "support.md"
TESTS = REPOSITORY / "tests" / "python"

# Public classes that are no layers of their own.
BASE_CLASSES = {"Layer": "base class", "Wrapper": "base class", "InputSpec": "describes an input"}

# Arguments that change nothing at inference, or name what the weights hold anyway.
NOT_INFERENCE = re.compile(
    r"(.*_)?(initializer|regularizer|constraint|dropout|seed)$"
    r"|(kwargs|name|dtype|trainable|momentum|synchronized|renorm|renorm_.*|rate|noise_shape|stddev"
    r"|l1|l2|unroll|use_cudnn|flash_attention|unit_forget_bias|sparse|ragged|weights|autocast"
    r"|params|state|quantization_config|gptq_.*|max_tokens|input_tensor)$"
)
# Where Keras defines its operations, in the order of the page.
OPERATION_MODULES = ("numpy", "nn", "core", "math", "linalg", "image")
# Operations of training, and those that exist to run Python functions.
NO_INFERENCE = re.compile(r"ops\.(nn\.(.*crossentropy|ctc_loss)|linalg\.jvp)$")
# Layers that pass their input on at inference, whatever their arguments are.
AUGMENTATION = re.compile(r"(Random(?!Crop).*|RandAugment|AugMix|MixUp|CutMix|Solarization)$")


def collect():
    """The marks of all tests, without running them."""
    with tempfile.TemporaryDirectory() as folder:
        record = pathlib.Path(folder) / "record.json"
        completed = subprocess.run(
            [sys.executable, "-m", "pytest", str(TESTS), "--collect-only", "-p", "no:cacheprovider"]
            + [f"--support-json={record}"],
            capture_output=True,
            text=True,
            check=False,
        )
        if completed.returncode != 0:
            sys.exit(
                f"support_table: cannot collect the tests\n{completed.stdout}{completed.stderr}"
            )
        return json.loads(record.read_text())


def gather(records, full_name):
    """(name → {argument → None}, name → [tests], name → (reason, tests)), from passing records."""
    arguments = collections.defaultdict(dict)
    tests = collections.defaultdict(dict)
    refusals = collections.defaultdict(dict)
    for record in records:
        if record["outcome"] not in ("collected", "passed"):
            continue
        test = record["test"].split("[")[0]
        for name, *shown in record["shows"]:
            name = full_name(name)
            tests[name][test] = None
            for argument in shown:
                arguments[name][argument] = None
        for name, reason in record["refused"]:
            refusals[full_name(name)].setdefault(reason, {})[test] = None
    return arguments, tests, refusals


def checklist(keras):
    """({canonical layer name: (class, aliases)}, {activation name: aliases}), from Keras."""

    def group(module, keep):
        found = collections.defaultdict(list)
        for name in sorted(dir(module)):
            value = getattr(module, name)
            if not name.startswith("_") and keep(value):
                found[value].append(name)
        return found

    layers = {}
    for cls, names in group(keras.layers, inspect.isclass).items():
        if cls.__name__ not in BASE_CLASSES:
            layers[cls.__name__] = (cls, [name for name in names if name != cls.__name__])
    activations = {}
    for function, names in group(keras.activations, inspect.isfunction).items():
        if function.__name__ not in ("get", "serialize", "deserialize"):
            activations[function.__name__] = [name for name in names if name != function.__name__]
    return dict(sorted(layers.items())), dict(sorted(activations.items()))


def operation_checklist(keras):
    """{"ops.numpy.add": function}: one entry for each Operation that a public function makes.

    Base classes, which no function makes, and functions that only call others are no entries.
    """
    from keras.src.ops.operation import Operation

    found = {}
    for module_name in OPERATION_MODULES:
        module = importlib.import_module(f"keras.src.ops.{module_name}")
        here = {
            n: v for n, v in vars(module).items() if getattr(v, "__module__", "") == module.__name__
        }
        classes = [n for n, v in here.items() if inspect.isclass(v) and issubclass(v, Operation)]
        made = collections.defaultdict(list)
        for name, function in here.items():
            if inspect.isfunction(function) and not name.startswith("_"):
                source = inspect.getsource(function)
                for class_name in classes:
                    if re.search(rf"\b{class_name}\(", source):
                        made[class_name].append(name)
        for class_name, names in made.items():
            # Where several functions make one, it is that of its own name.
            own = [n for n in names if n.replace("_", "") == class_name.lower()]
            for name in own or names:
                found[f"ops.{module_name}.{name}"] = here[name]
    return dict(sorted(found.items()))


def full_operation_name(keras, name):
    """The name with its module: "ops.softmax" → "ops.nn.softmax"; others as they are."""
    kind, _, rest = name.partition(".")
    if kind != "ops" or "." in rest or not hasattr(keras.ops, rest):
        return name
    return f"ops.{getattr(keras.ops, rest).__module__.rpartition('.')[2]}.{rest}"


def parameters(callable_):
    return [name for name in inspect.signature(callable_).parameters if name != "self"]


def takes(cls, argument):
    """Whether a layer has an argument: of its constructor or call, or read from kwargs."""
    for base in cls.__mro__[:-1]:
        methods = (getattr(base, "__init__", None), getattr(base, "call", None))
        if any(argument in parameters(method) for method in methods if method):
            return True
    return f'"{argument}"' in inspect.getsource(cls)


def inference_arguments(cls):
    if AUGMENTATION.match(cls.__name__):
        return []
    return [name for name in parameters(cls.__init__) if not NOT_INFERENCE.match(name)]


def problems(keras, layers, activations, arguments, tests, refusals):
    """Marks that name what is not there."""
    known_layers = {name for name in layers} | {
        alias for _, aliases in layers.values() for alias in aliases
    }
    known_activations = set(activations) | {
        alias for aliases in activations.values() for alias in aliases
    }
    found = []
    for name in sorted({*tests, *refusals}):
        where = ", ".join(
            [*tests[name], *(test for reason in refusals[name].values() for test in reason)]
        )
        kind, _, rest = name.partition(".")
        if kind == "layers" and rest in known_layers:
            cls = getattr(keras.layers, rest)
            unknown = [a for a in arguments[name] if not takes(cls, a)]
            found += [f"{name} has no argument {a!r} ({where})" for a in unknown]
        elif kind == "activations" and rest in known_activations:
            unknown = [
                a for a in arguments[name] if a not in parameters(getattr(keras.activations, rest))
            ]
            found += [f"{name} has no argument {a!r} ({where})" for a in unknown]
        elif kind == "ops":
            module, _, function = rest.rpartition(".")
            operation = getattr(
                importlib.import_module(f"keras.src.ops.{module}" if module else "keras.ops"),
                function,
                None,
            )
            if operation is None:
                found.append(f"Keras has no operation {name} ({where})")
            else:
                unknown = [a for a in arguments[name] if a not in parameters(operation)]
                found += [f"{name} has no argument {a!r} ({where})" for a in unknown]
        else:
            guess = difflib.get_close_matches(rest, known_layers | known_activations, 1)
            hint = f"; did you mean {guess[0]}?" if guess else ""
            found.append(f"Keras has no {name}{hint} ({where})")
        if name in tests and tests[name] and refusals[name]:
            # Allowed (an argument may be refused), but only with a reason that says which.
            found += [
                f"{name}: empty reason ({where})" for reason in refusals[name] if not reason.strip()
            ]
    return found


def code(names):
    return ", ".join(f"`{name}`" for name in names)


def test_links(tests):
    by_file = collections.defaultdict(list)
    for test in sorted(tests):
        file, function = test.split("::", 1)
        by_file[file].append(function.replace("::", "."))
    return "; ".join(
        f"[{file}](../tests/python/{file}): {', '.join(functions)}"
        for file, functions in by_file.items()
    )


def row(prefix, name, aliases, all_arguments, arguments, tests, refusals):
    """One line of a table, and its state."""
    names = [f"{prefix}.{n}" for n in (name, *aliases)]
    shown = {test: None for n in names for test in tests.get(n, {})}
    varied = [a for n in names for a in arguments.get(n, {})]
    reasons = {reason: t for n in names for reason, t in refusals.get(n, {}).items()}
    refusing = {test: None for t in reasons.values() for test in t}
    title = f"`{name}`" + (f" ({code(aliases)})" if aliases else "")
    if shown:
        state = "supported"
        note = "; ".join(f"refused: {reason}" for reason in reasons)
    elif reasons:
        state, note = "refused", "; ".join(reasons)
    else:
        state, note = "missing", ""
    ordered = [a for a in all_arguments if a in varied] + sorted(set(varied) - set(all_arguments))
    open_arguments = [a for a in all_arguments if a not in varied] if shown else []
    cells = [
        title,
        state,
        code(ordered),
        code(open_arguments),
        note,
        test_links({**shown, **refusing}),
    ]
    return state, "| " + " | ".join(cells) + " |"


def render(keras, records):
    layers, activations = checklist(keras)
    operations = operation_checklist(keras)
    arguments, tests, refusals = gather(records, lambda name: full_operation_name(keras, name))
    wrong = problems(keras, layers, activations, arguments, tests, refusals)
    if wrong:
        sys.exit("support_table: " + "\nsupport_table: ".join(wrong))

    header = "| | | arguments varied | not varied | note | shown by |\n|" + " --- |" * 6
    layer_rows = [
        row("layers", name, aliases, inference_arguments(cls), arguments, tests, refusals)
        for name, (cls, aliases) in layers.items()
    ]
    activation_rows = [
        row(
            "activations",
            name,
            aliases,
            parameters(getattr(keras.activations, name))[1:],
            arguments,
            tests,
            refusals,
        )
        for name, aliases in activations.items()
    ]
    operation_rows = {module: [] for module in OPERATION_MODULES}
    for name, function in operations.items():
        _, module, short = name.split(".")
        optional = [
            n
            for n, p in inspect.signature(function).parameters.items()
            if p.default is not p.empty and not NOT_INFERENCE.match(n)
        ]
        line = row(f"ops.{module}", short, [], optional, arguments, tests, refusals)
        if line[0] == "missing" and NO_INFERENCE.match(name):
            line = ("training", f"| `{short}` | of training |  |  |  |  |")
        operation_rows[module].append(line)
    # Functions that Keras composes of others: creation, windows, shape.
    others = sorted(
        name for name in {*tests, *refusals} if name.startswith("ops.") and name not in operations
    )
    other_rows = [
        row("ops", name.removeprefix("ops."), [], [], arguments, tests, refusals) for name in others
    ]

    def count(rows):
        states = collections.Counter(state for state, _ in rows)
        return ", ".join(f"{states[s]} {s}" for s in ("supported", "refused", "missing"))

    all_operations = [line for rows in operation_rows.values() for line in rows]
    parts = [
        "# What is supported",
        "Made by `scripts/support_table.py` from the tests in `tests/python`; do not edit. The\n"
        "checklist is every public class of `keras.layers`, function of `keras.activations` and\n"
        f"operation of `keras.ops` in Keras {keras.__version__}. *Supported*: a test exports it,\n"
        "runs the file in the LiteRT runtime and compares with Keras's own output. *Refused*: a\n"
        "test shows that the compiler says clearly why not. Arguments that change nothing at\n"
        "inference are left out.",
        f"Layers: {count(layer_rows)}. Activations: {count(activation_rows)}. "
        f"Operations: {count(all_operations)}.",
        "## Layers",
        header + "\n" + "\n".join(line for _, line in layer_rows),
        "## Activations",
        header + "\n" + "\n".join(line for _, line in activation_rows),
        "## Operations",
        "Where a model calls one itself: a node of a Functional model, or code that is traced. An\n"
        "operation may be missing here and yet work inside of layers.",
    ]
    for module, rows in operation_rows.items():
        parts += [
            f"### keras.ops: {module}",
            f"{count(rows)}.",
            header + "\n" + "\n".join(line for _, line in rows),
        ]
    if other_rows:
        parts += [
            "### Functions that Keras composes of operations",
            header + "\n" + "\n".join(line for _, line in other_rows),
        ]
    return "\n\n".join(parts) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument(
        "--check", action="store_true", help="only say whether docs/support.md is current"
    )
    parser.add_argument(
        "--results", type=pathlib.Path, help="the record of a run instead of a collection"
    )
    options = parser.parse_args()

    records = json.loads(options.results.read_text()) if options.results else collect()
    import keras

    page = render(keras, records)
    if not options.check:
        PAGE.parent.mkdir(exist_ok=True)
        PAGE.write_text(page)
        return 0
    current = PAGE.read_text() if PAGE.exists() else ""
    if current == page:
        return 0
    changes = difflib.unified_diff(
        current.splitlines(),
        page.splitlines(),
        "docs/support.md",
        "what the tests show",
        lineterm="",
        n=0,
    )
    print("\n".join(list(changes)[:40]))
    print("docs/support.md is stale: run scripts/support_table.py")
    return 1


if __name__ == "__main__":
    sys.exit(main())
