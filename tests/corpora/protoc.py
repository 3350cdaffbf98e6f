"""Compares descriptors with those of protoc.

    protoc.py DIR       DIR is what `broach-corpora generate --descriptors DIR` has written

Each file is given to the protoc of grpcio-tools with the same include directories, and the
descriptors of all files in the two sets are compared without comments and places. Every kind of
difference is printed with how often it was met and where first. It ends with 1 if there is one that
is not among those known below.
"""

import collections
import os
import pathlib
import struct
import sys
import tempfile

import grpc_tools.protoc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

DESCRIPTOR = "google/protobuf/descriptor.proto"

# What differs, and why it does not matter to generated code.
KNOWN = {
    "encoding of options":
        "the values of options that files declare themselves are the same when read by their"
        " declarations, but packed, or maps in another order",
    "empty options":
        "protoc notes the braces of a method without options",
    "default of a float":
        "the same number in other digits",
    "google.protobuf's own files":
        "Broach brings its own along, of another version",
}


def main():
    index = pathlib.Path(sys.argv[1], "index").read_text().splitlines()
    compared, refused, same = 0, [], 0
    found = collections.defaultdict(list)
    seen = set()
    for line in index:
        ours_path, file, *includes = line.split("\t")
        theirs = protoc(file, includes)
        if theirs is None:
            refused.append(file)
            continue
        ours = {f.name: f for f in read(pathlib.Path(ours_path).read_bytes())}
        declared = Declared(theirs)
        for their in theirs:
            our = ours.get(their.name)
            key = (their.name, their.SerializeToString(deterministic=True))
            if key in seen:
                continue
            seen.add(key)
            compared += 1
            differences = ["missing"] if our is None else compare(our, their, declared)
            same += not differences
            for difference in set(differences):
                found[difference].append(f"{file} ({their.name})")
    print(f"{compared} descriptors compared, {same} are the same;"
          f" protoc refuses {len(refused)} of {len(index)} files")
    for file in refused[:10]:
        print(f"    refused by protoc: {file}")
    for difference, files in sorted(found.items()):
        why = f" ({KNOWN[difference]})" if difference in KNOWN else ""
        print(f"    {len(files)} times: {difference}{why}; first in {files[0]}")
    sys.exit(any(difference not in KNOWN for difference in found))


def protoc(file, includes):
    """What protoc makes of a file and its imports; None if it refuses."""
    with tempfile.TemporaryDirectory() as out:
        path = os.path.join(out, "set")
        own = os.path.join(os.path.dirname(grpc_tools.__file__), "_proto")
        arguments = ["protoc", "--include_imports", f"--descriptor_set_out={path}"]
        arguments += [f"-I{dir}" for dir in includes + [own]]
        with quiet():
            code = grpc_tools.protoc.main(arguments + [file])
        if code != 0:
            return None
        return read(pathlib.Path(path).read_bytes())


class quiet:
    """Keeps what protoc says out of the report."""

    def __enter__(self):
        sys.stderr.flush()
        self.saved = os.dup(2)
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 2)
        os.close(null)

    def __exit__(self, *_):
        os.dup2(self.saved, 2)
        os.close(self.saved)


def read(encoded):
    files = descriptor_pb2.FileDescriptorSet.FromString(encoded).file
    for file in files:
        file.ClearField("source_code_info")
    return files


class Declared:
    """Reads descriptors with the options that their files declare."""

    def __init__(self, files):
        self.files, self.type = files, None

    def read(self, file):
        if self.type is None:
            pool = descriptor_pool.DescriptorPool()
            added = {f.name for f in self.files}
            if DESCRIPTOR not in added:
                pool.AddSerializedFile(descriptor_pb2.DESCRIPTOR.serialized_pb)
            for f in self.files:
                pool.AddSerializedFile(f.SerializeToString())
            name = "google.protobuf.FileDescriptorProto"
            self.type = message_factory.GetMessageClass(pool.FindMessageTypeByName(name))
        return self.type.FromString(file.SerializeToString())


def compare(our, their, declared):
    if our == their:
        return []
    if our.name.startswith("google/protobuf/"):
        return ["google.protobuf's own files"]
    our, their = declared.read(our), declared.read(their)
    if our == their:
        return ["encoding of options"]
    differences = []
    walk(our, their, our.DESCRIPTOR.name, differences)
    return differences or ["something"]


def walk(our, their, path, differences):
    """Notes in which fields two messages differ."""
    for field in {f.full_name: f for m in (our, their) for f, _ in m.ListFields()}.values():
        here = f"{path}.{field.name}"
        if field.is_extension:
            if our.Extensions[field] != their.Extensions[field]:
                differences.append(f"{here}: another option")
            continue
        a, b = getattr(our, field.name), getattr(their, field.name)
        if field.is_repeated:
            if len(a) != len(b):
                differences.append(f"{here}: {len(a)} and not {len(b)}")
            elif field.message_type:
                for one, other in zip(a, b):
                    if one != other:
                        walk(one, other, here, differences)
            elif a != b:
                differences.append(f"{here}: other values")
        elif our.HasField(field.name) != their.HasField(field.name):
            is_empty = field.message_type and not a.ByteSize() and not b.ByteSize()
            differences.append(
                "empty options" if is_empty else
                f"{here}: {short(our, field.name)} and not {short(their, field.name)}")
        elif a != b and field.message_type:
            walk(a, b, here, differences)
        elif a != b and field.name == "default_value" and is_float(our, a, b):
            differences.append("default of a float")
        elif a != b:
            differences.append(
                f"{here}: {short(our, field.name)} and not {short(their, field.name)}")


def is_float(field, a, b):
    """Whether two defaults are the same number in a field's precision."""
    packed = {1: "<d", 2: "<f"}.get(field.type)
    return packed and struct.pack(packed, float(a)) == struct.pack(packed, float(b))


def short(message, name):
    if not message.HasField(name):
        return "none"
    value = str(getattr(message, name))
    return "another" if 40 < len(value) else repr(value)


if __name__ == "__main__":
    main()
