"""Sends random messages of all types through generated code, and compares what comes back.

    round_trip.py DESCRIPTORS PROGRAM [--count N] [--seed S]

DESCRIPTORS is what `broach-corpora generate --descriptors` has written, PROGRAM the program of the
package that `broach-corpora package` has written for the same files. Python's protobuf makes the
messages and compares: a message must be the same after it was decoded and encoded in Rust.
"""

import argparse
import pathlib
import random
import struct
import subprocess
import sys
import threading

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.descriptor import FieldDescriptor as F


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("descriptors", type=pathlib.Path)
    parser.add_argument("program")
    parser.add_argument("--count", type=int, default=100, help="messages of each type")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()

    files = {}
    for line in (options.descriptors / "index").read_text().splitlines():
        encoded = pathlib.Path(line.split("\t")[0]).read_bytes()
        for file in descriptor_pb2.FileDescriptorSet.FromString(encoded).file:
            # A corpus may bring its own descriptor.proto along; the one that knows more is newer.
            if file.name not in files or files[file.name].ByteSize() < file.ByteSize():
                files[file.name] = file
    pool = descriptor_pool.DescriptorPool()
    added = set()
    for name in sorted(files):
        add(pool, files, added, name)
    listed = subprocess.run([options.program, "--list"], capture_output=True, check=True, text=True)
    names = listed.stdout.split()

    program = subprocess.Popen([options.program], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    sent, wrong, filled = 0, 0, 0
    for name in names:
        descriptor = pool.FindMessageTypeByName(name)
        factory = message_factory.GetMessageClass(descriptor)
        rng = random.Random(f"{options.seed} {name}")
        messages = [message(factory, rng) for _ in range(options.count)]
        encoded = [m.SerializeToString() for m in messages]
        filled += sum(1 for e in encoded if e)

        def send():
            program.stdin.write(f"{name} {len(encoded)}\n".encode())
            for e in encoded:
                program.stdin.write(struct.pack("<I", len(e)) + e)
            program.stdin.flush()

        sender = threading.Thread(target=send)
        sender.start()
        for m, e in zip(messages, encoded):
            head = program.stdout.read(4)
            if len(head) < 4:
                sys.exit(f"{name}: the program ended; seed {options.seed}")
            back = program.stdout.read(struct.unpack("<I", head)[0])
            sent += 1
            # Bytes may differ, as maps have no order; two readings of them may not.
            again = factory.FromString(back)
            if again.SerializeToString(deterministic=True) != m.SerializeToString(deterministic=True):
                wrong += 1
                if wrong <= 5:
                    print(f"{name}: {e.hex()} came back as {back.hex()}; seed {options.seed}")
        sender.join()
    program.stdin.close()
    program.wait()
    print(f"{len(names)} types, {sent} messages ({filled} not empty), {wrong} differ")
    sys.exit(wrong != 0 or not names)


def add(pool, files, added, name):
    """Adds a file behind those that it imports."""
    if name not in added:
        added.add(name)
        for dependency in files[name].dependency:
            add(pool, files, added, dependency)
        pool.AddSerializedFile(files[name].SerializeToString())


def message(factory, rng, depth=0):
    made = factory()
    chosen = {oneof.name: rng.choice(oneof.fields) for oneof in made.DESCRIPTOR.oneofs}
    for field in made.DESCRIPTOR.fields:
        oneof = field.containing_oneof
        if field.full_name in UNKNOWN_TO_PROST:
            continue
        if oneof is not None and chosen[oneof.name] is not field:
            continue
        if field.is_required or rng.random() < 0.5:
            fill(made, field, rng, depth)
    return made


def fill(made, field, rng, depth):
    is_deep = DEPTH_MAX <= depth and not field.is_required
    if field.message_type and field.message_type.GetOptions().map_entry:
        entries = getattr(made, field.name)
        key, value = field.message_type.fields
        for _ in range(rng.randrange(3)):
            if value.message_type is None:
                entries[scalar(key, rng)] = scalar(value, rng)
            elif not is_deep:
                factory = message_factory.GetMessageClass(value.message_type)
                entries[scalar(key, rng)].CopyFrom(message(factory, rng, depth + 1))
    elif field.message_type:
        if is_deep:
            return
        factory = message_factory.GetMessageClass(field.message_type)
        if field.is_repeated:
            for _ in range(rng.randrange(3)):
                getattr(made, field.name).append(message(factory, rng, depth + 1))
        else:
            getattr(made, field.name).CopyFrom(message(factory, rng, depth + 1))
    elif field.is_repeated:
        getattr(made, field.name).extend(scalar(field, rng) for _ in range(rng.randrange(4)))
    else:
        setattr(made, field.name, scalar(field, rng))


def scalar(field, rng):
    kind = field.type
    if kind == F.TYPE_ENUM:
        return rng.choice(field.enum_type.values).number
    if kind == F.TYPE_BOOL:
        return rng.random() < 0.5
    if kind == F.TYPE_STRING:
        return "".join(rng.choice("aé世\0\U0001f600 \n") for _ in range(rng.randrange(6)))
    if kind == F.TYPE_BYTES:
        return rng.randbytes(rng.randrange(6))
    # Where zero is the same as nothing, prost takes -0.0 for zero, and others do not.
    zero = -0.0 if field.is_repeated or field.has_presence else 0.0
    if kind == F.TYPE_DOUBLE:
        return rng.choice([0.0, zero, 1.5, float("inf"), float("-inf"), rng.gauss(0, 1e9)])
    if kind == F.TYPE_FLOAT:
        return rng.choice([0.0, zero, 1.5, float("inf"), float("-inf"), rng.randrange(1 << 20) / 8])
    low, high = INTEGERS[kind]
    return rng.choice([low, high, 0, 1, rng.randint(low, high), rng.randint(0, 300)])


DEPTH_MAX = 3

# Fields that Protobuf's own messages have got since prost-types was made of them.
UNKNOWN_TO_PROST = {
    "google.protobuf.Api.edition",
    "google.protobuf.Enum.edition",
    "google.protobuf.Type.edition",
}

INTEGERS = {
    **{kind: (-(1 << 31), (1 << 31) - 1) for kind in (F.TYPE_INT32, F.TYPE_SINT32, F.TYPE_SFIXED32)},
    **{kind: (-(1 << 63), (1 << 63) - 1) for kind in (F.TYPE_INT64, F.TYPE_SINT64, F.TYPE_SFIXED64)},
    **{kind: (0, (1 << 32) - 1) for kind in (F.TYPE_UINT32, F.TYPE_FIXED32)},
    **{kind: (0, (1 << 64) - 1) for kind in (F.TYPE_UINT64, F.TYPE_FIXED64)},
}

if __name__ == "__main__":
    main()
