"""Reads output journals as docs/formats/journal.md says, without any of our C++."""

import dataclasses

import segments
from segments import wire_values


@dataclasses.dataclass(frozen=True)
class Output:
    partition: int
    input_offset: int
    index: int
    output_id: bytes
    rule: str
    vehicle_ref: str
    revision: int
    alert: bytes  # the payload as it was written: what two releases are compared by


def _output(payload):
    entry = dict(wire_values(payload))
    if 1 not in entry:
        return None
    output = dict(wire_values(entry[1]))
    alert = dict(wire_values(output[4]))
    return Output(output.get(1, 0), output.get(2, 0), output.get(3, 0), alert[1],
                  alert[2].decode(), alert[3].hex(), alert.get(4, 0), output[4])


def outputs(installation, release):
    """What a release concluded, each output once, in order of (partition, offset, index)."""
    found = {}
    folder = installation.data / "journal" / release
    for record in segments.read_stream(folder, "journal"):
        output = _output(record.payload)
        if output is not None:
            found[(output.partition, output.input_offset, output.index)] = output
    return [found[place] for place in sorted(found)]


def progress(installation, release):
    """{partition: newest mark}: offset below which everything was concluded."""
    marks = {}
    folder = installation.data / "journal" / release
    for record in segments.read_stream(folder, "journal"):
        entry = dict(wire_values(record.payload))
        if 2 in entry:
            mark = dict(wire_values(entry[2]))
            at = mark.get(1, 0)
            marks[at] = max(marks.get(at, 0), mark.get(2, 0))
    return marks
