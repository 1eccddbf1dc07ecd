"""Backend, threads and the record of what the tests show."""

import json
import os
import pathlib

# Keras's NumPy backend is the reference: nothing to compile, so a case takes milliseconds.
# KERAS_BACKEND=jax runs the same tests against another one.
os.environ.setdefault("KERAS_BACKEND", "numpy")
os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# One thread for each worker: cases are small, and workers share the cores.
os.environ.setdefault(
    "XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
)
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

import keras
import pytest

FOLDER = pathlib.Path(__file__).resolve().parent


@pytest.fixture(autouse=True)
def fresh_keras():
    """No global Keras setting passes from one test to another; random numbers are seeded."""
    keras.utils.set_random_seed(1)
    yield
    keras.config.set_dtype_policy("float32")
    keras.config.set_floatx("float32")
    keras.config.set_image_data_format("channels_last")


@pytest.fixture(autouse=True, scope="module")
def compiled_for_one_module():
    """JAX keeps what it compiles for ever, which for all tests is more than memory holds."""
    yield
    if keras.backend.backend() == "jax":
        import jax

        jax.clear_caches()


# --- The record: --support-json PATH --------------------------------------------------------------
#
# A list of {"test", "outcome", "shows": [[name, argument…]], "refused": [[name, reason]]}. With
# --collect-only the outcome is "collected" (scripts/support_table.py makes docs/support.md of
# that), after a run "passed", "failed" or "skipped". A test marked xfail or skip shows nothing.


def pytest_addoption(parser):
    parser.addoption("--support-json", metavar="PATH", help="write what the tests show to PATH")
    parser.addoption(
        "--exporter",
        choices=("direct", "tracer", "agree"),
        help="convert with the Python package; see exporter.py",
    )


def pytest_configure(config):
    if config.getoption("exporter"):
        import exporter

        exporter.install(config.getoption("exporter"))
    if config.getoption("support_json") and not hasattr(config, "workerinput"):
        config.pluginmanager.register(SupportRecord(config), "support-record")


def pytest_collection_modifyitems(items):
    for item in items:
        if keras.backend.backend() != "jax" and any(item.iter_markers("jax")):
            item.add_marker(pytest.mark.skip(reason="needs KERAS_BACKEND=jax"))


def pytest_itemcollected(item):
    shown = [list(mark.args) for mark in item.iter_markers("shows")]
    refusals = [list(mark.args) for mark in item.iter_markers("refused")]
    if (shown or refusals) and not any(
        True for name in ("xfail", "skip") for _ in item.iter_markers(name)
    ):
        # User properties travel with the reports from the workers of pytest-xdist.
        item.user_properties.append(("support", {"shows": shown, "refused": refusals}))


class SupportRecord:
    def __init__(self, config):
        self.path = pathlib.Path(config.getoption("support_json"))
        self.records = {}

    def add(self, test, properties, outcome):
        for name, value in properties:
            if name == "support":
                self.records[test] = {"test": test, "outcome": outcome, **value}

    def pytest_collection_finish(self, session):
        for item in session.items:
            self.add(item.nodeid, item.user_properties, "collected")

    def pytest_runtest_logreport(self, report):
        worse = report.outcome != "passed" or report.when == "call"
        if worse and self.records.get(report.nodeid, {}).get("outcome") != "failed":
            self.add(report.nodeid, report.user_properties, report.outcome)

    def pytest_sessionfinish(self):
        ordered = [self.records[test] for test in sorted(self.records)]
        self.path.write_text(json.dumps(ordered, indent=1) + "\n")
