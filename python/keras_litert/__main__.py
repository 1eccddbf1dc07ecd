"""python -m keras_litert hub PRESET_DIR -o OUT"""

from __future__ import annotations

import argparse
import sys


def main(arguments: list[str] | None = None) -> int:
    """Runs a command; gives the exit code: 0, or 1 where a model cannot be exported."""
    parser = argparse.ArgumentParser(
        prog="python -m keras_litert", description="Keras models to LiteRT files."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    hub = commands.add_parser("hub", help="export the folder of a KerasHub preset")
    hub.add_argument("preset", help="the folder, with config.json and model.weights.h5")
    hub.add_argument("-o", "--output", required=True, help="the .tflite file to write")
    hub.add_argument("--batch-size", type=int, help="fix the batch")
    hub.add_argument("--max-sequence-length", type=int, help="fix the number of tokens")
    hub.add_argument("--decoder-sequence-length", type=int, help="fix the decoder's tokens")
    hub.add_argument("--image-size", type=int, nargs="+", metavar="SIZE", help="height and width")
    hub.add_argument("--audio-length", type=int, help="fix the frames, or samples, of audio")
    hub.add_argument("--quantize", help="dynamic_int8, float16 or weight_only_int8")
    options = vars(parser.parse_args(arguments))
    del options["command"]
    preset, output = options.pop("preset"), options.pop("output")
    size = options.pop("image_size")
    if size is not None:
        if len(size) > 2:
            parser.error("--image-size takes one or two sizes")
        options["image_size"] = size[0] if len(size) == 1 else tuple(size)

    import keras_litert

    try:
        print(keras_litert.hub.export(preset, output, **options))
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
