# SPDX-License-Identifier: GPL-2.0-or-later
"""What a guest says on its serial port, read as a sequence of stages with deadlines.

The guest's scripts report with lines "KDTEST STAGE uptime=… clock=… key=value… text=to the end of the line"."""
import re
import time
from dataclasses import dataclass

from . import host, qemu

_MARK = re.compile(r"KDTEST (\w+) ?(.*)")
_STAMP = re.compile(r"\[ *(\d+\.\d+)\]")


class StageFailure(host.Failure):
    """@stage did not come to its end."""

    def __init__(self, stage, reason, last):
        super().__init__(f"{stage}: {reason}\n--- the last lines of the serial port:\n" + "\n".join(last))
        self.stage, self.reason = stage, reason


@dataclass
class Event:
    """A line that ended a stage: its text, the values of a guest's report (else empty), seconds on the wall since
    the machine started, and the kernel's clock on the last stamped line before it."""
    line: str
    values: dict
    wall: float
    before: float | None


def mark(stage):
    """Pattern of a guest's report."""
    return rf"KDTEST {stage}\b"


class Story:
    """Follows a machine through its stages."""

    def __init__(self, machine, seconds):
        """@seconds: the deadline of the whole story."""
        self._machine = machine
        self._end = time.monotonic() + seconds * host.PATIENCE

    def expect(self, stage, pattern, seconds, heed=True):
        """Read serial lines until one matches @pattern; the Event. A report of failure ends the story, unless
        @heed is false, and so do @seconds without a match and the end of the machine."""
        deadline = min(self._end, time.monotonic() + seconds * host.PATIENCE)
        wanted, stamp = re.compile(pattern), None
        while True:
            try:
                line = self._machine.line(deadline)
            except qemu.Late:
                raise self._failure(stage, f"no {pattern!r} within its {seconds} s") from None
            except qemu.Gone:
                raise self._failure(stage, "the machine ended") from None
            marked = _MARK.search(line)
            if wanted.search(line):
                return Event(line, _values(marked[2]) if marked else {},
                             round(time.monotonic() - self._machine.started, 2), stamp)
            if marked and marked[1] == "failed" and heed:
                values = _values(marked[2])
                raise self._failure(values.get("stage", stage), values.get("text", line))
            stamped = _STAMP.match(line)
            if stamped:
                stamp = float(stamped[1])

    def end(self, seconds=30):
        """The guest switches itself off."""
        try:
            self._machine.wait(seconds * host.PATIENCE)
        except qemu.Late:
            raise self._failure("end", "the machine did not switch itself off") from None

    def _failure(self, stage, reason):
        return StageFailure(stage, reason, self._machine.last)


def _values(text):
    """key=value words; text= takes the rest of the line."""
    head, _, rest = text.partition("text=")
    values = dict(word.split("=", 1) for word in head.split() if "=" in word)
    if rest:
        values["text"] = rest.strip()
    return values
