#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Checks metadata documents: validate.py DOCUMENT...   ("-" is standard input)

A document must be what fs/protocol/metadata.schema.json says, with its keys in that order and none twice,
and end in exactly one newline. Exit status 0, 1 (the reasons on stderr), or 77 without jsonschema.
"""
import json
import pathlib
import sys

SCHEMA = pathlib.Path(__file__).resolve().parent.parent / "fs" / "protocol" / "metadata.schema.json"


def no_duplicates(pairs):
    keys = [key for key, _ in pairs]
    if len(set(keys)) != len(keys):
        raise ValueError(f"duplicate key in {keys}")
    return dict(pairs)


def order_errors(root, schema, value, where="document"):
    """Yields a text for each object whose keys do not come in the schema's order."""
    if "$ref" in schema:
        schema = root["$defs"][schema["$ref"].rpartition("/")[2]]
    if isinstance(value, list):
        for number, item in enumerate(value):
            yield from order_errors(root, schema.get("items", {}), item, f"{where}[{number}]")
    if not isinstance(value, dict):
        return
    properties = schema.get("properties", {})
    known = [key for key in value if key in properties]
    if known != [key for key in properties if key in value]:
        yield f"{where}: keys in wrong order: {', '.join(known)}"
    for key in known:
        yield from order_errors(root, properties[key], value[key], f"{where}.{key}")


class Validator:
    def __init__(self):
        import jsonschema

        self.schema = json.loads(SCHEMA.read_text())
        jsonschema.Draft202012Validator.check_schema(self.schema)
        self.validator = jsonschema.Draft202012Validator(self.schema)

    def errors(self, data):
        """Texts that say what is wrong with a document (bytes); none for a good one."""
        if not data.endswith(b"\n") or data.endswith(b"\n\n"):
            yield "does not end in exactly one newline"
        try:
            document = json.loads(data.decode(), object_pairs_hook=no_duplicates)
        except ValueError as error:
            yield str(error)
            return
        for error in self.validator.iter_errors(document):
            yield f"{error.json_path}: {error.message}"
        yield from order_errors(self.schema, self.schema, document)


def main(paths):
    if not paths:
        sys.exit("usage: validate.py DOCUMENT...")
    try:
        validator = Validator()
    except ImportError:
        print("validate.py: jsonschema is not installed", file=sys.stderr)
        return 77
    status = 0
    for path in paths:
        data = sys.stdin.buffer.read() if path == "-" else pathlib.Path(path).read_bytes()
        for error in validator.errors(data):
            print(f"{path}: {error}", file=sys.stderr)
            status = 1
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
