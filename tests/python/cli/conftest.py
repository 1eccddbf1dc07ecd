import pathlib
import shutil

import keras
import numpy as np
import pytest
from cli.support import OK, small_model
from oracle import run_cli


@pytest.fixture(scope="session")
def saved(tmp_path_factory):
    """A folder with small.keras, .h5 and .tflite, x.npz and y.npz; tests do not change it."""
    folder = tmp_path_factory.mktemp("saved")
    model = small_model()
    model.save(folder / "small.keras")
    model.save(folder / "small.h5")
    image = np.random.default_rng(0).normal(size=(2, 6, 5, 2)).astype("float32")
    np.savez(folder / "x.npz", image=image)
    np.savez(folder / "y.npz", output_0=np.asarray(keras.ops.convert_to_numpy(model(image))))
    assert run_cli("convert", folder / "small.keras").returncode == OK
    return folder


@pytest.fixture
def keras_file(saved, tmp_path):
    """small.keras alone in a folder."""
    return pathlib.Path(shutil.copy(saved / "small.keras", tmp_path))
