"""Writes seeds for archive_fuzzer into a folder: small files, one feature each. Needs h5py."""

import io
import pathlib
import sys
import zipfile

import h5py
import numpy as np


def hdf5(fill, **options):
    file = io.BytesIO()
    with h5py.File(file, "w", **options) as f:
        fill(f)
    return file.getvalue()


def plain(f):
    f["layers/dense/vars/0"] = np.ones((3, 2), "f4")
    f["layers/dense/vars"].attrs["name"] = "dense"


def dtypes(f):
    for dtype in ("f2", ">f4", "f8", "i1", ">i8", "?"):
        f[f"{dtype}/vars/0"] = np.ones(3, dtype)
    f.create_dataset("b", data=np.zeros(2, "V2")).attrs["dtype"] = "bfloat16"


def chunked(f):
    f.create_dataset(
        "gzip",
        data=np.arange(60.0).reshape(6, 10),
        chunks=(4, 3),
        compression="gzip",
        shuffle=True,
        fletcher32=True,
    )
    f.create_dataset("part", (9,), "i4", chunks=(2,), fillvalue=7)[2:4] = 1


def links(f):
    f["a"] = np.ones(1, "f4")
    f["soft"] = h5py.SoftLink("/a")
    f["external"] = h5py.ExternalLink("other.h5", "/a")
    f.create_dataset("outside", (1,), "f4", external=[("other", 0, 4)])


def whole_model(f):
    f.attrs["model_config"] = '{"class_name": "Sequential"}'
    f.attrs["keras_version"] = np.bytes_("2.2.4")
    group = f.create_group("model_weights")
    group.attrs["layer_names"] = [b"dense", b"empty"]
    group.create_group("empty").attrs["weight_names"] = []
    dense = group.create_group("dense")
    dense.attrs["weight_names0"] = np.array([b"dense/kernel:0"])
    dense.attrs["weight_names1"] = np.array([b"dense/bias:0"])
    dense["dense/kernel:0"] = np.ones((2, 2), "f4")
    dense["dense/bias:0"] = np.ones(2, "f4")


def archive(entries, compression=zipfile.ZIP_STORED, zip64=False, prefix=b""):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as z:
        for name, content in entries.items():
            entry = zipfile.ZipInfo(name)  # of 1980: the same file every time
            entry.compress_type = compression
            with z.open(entry, "w", force_zip64=zip64) as f:
                f.write(content)
    return prefix + file.getvalue()


def main(folder):
    folder.mkdir(parents=True, exist_ok=True)
    seeds = {
        "plain": hdf5(plain),
        "latest": hdf5(plain, libver="latest"),
        "userblock": hdf5(plain, userblock_size=512),
        "dtypes": hdf5(dtypes),
        "chunked": hdf5(chunked),
        "links": hdf5(links),
        "links_latest": hdf5(links, libver="latest"),
        "whole_model": hdf5(whole_model),
    }
    entries = {
        "metadata.json": b'{"keras_version": "3.15.1"}',
        "config.json": b'{"class_name": "Sequential"}',
        "model.weights.h5": seeds["plain"],
        "assets/vocabulary.txt": b"a\nb\n",
    }
    seeds["stored"] = archive(entries)
    seeds["deflated"] = archive(entries, zipfile.ZIP_DEFLATED)
    seeds["zip64"] = archive(entries, zip64=True)
    seeds["prefix"] = archive(entries, prefix=b"#!/bin/sh\n")
    entries["model_00000.weights.h5"] = entries.pop("model.weights.h5")
    entries["model.weights.json"] = (
        b'{"metadata": {}, "weight_map": {"/layers/dense/vars": ["model_00000.weights.h5"]}}'
    )
    seeds["shards"] = archive(entries)
    seeds["json"] = b'{"a": [NaN, -Infinity, null, 1.5, "\\u00e9\\"", true], "b": {"c": []}}'
    for name, content in seeds.items():
        (folder / name).write_bytes(content)


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
