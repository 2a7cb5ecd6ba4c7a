# SPDX-License-Identifier: GPL-2.0-or-later
"""Verdicts for people and for scripts."""


def cycle_line(result):
    """A good cycle in one line."""
    files = result["dump"]["bytes"]
    return (f"ok: {result['release']}, {result['panic']}: dump of {files.get('vmcore', 0) / 1e6:.1f} MB, "
            f"{result['capture_uptime'] or 0:.1f} s after the panic, {result['dump']['name']}; "
            f"back after {result['times']['back']['wall']:.0f} s in all")


class Tally:
    """Counts verdicts; prints a line for each, and the closing line."""

    def __init__(self):
        self.passed = self.failed = self.skipped = 0

    def passes(self, name, text=""):
        """One more passed."""
        self.passed += 1
        print(f"ok      {name}{': ' if text else ''}{text}", flush=True)

    def fails(self, name, text):
        """One more failed, with the reason (any number of lines)."""
        self.failed += 1
        print(f"not ok  {name}: " + text.replace("\n", "\n        "), flush=True)

    def skips(self, name, text):
        """One more that could not be run here, with the reason."""
        self.skipped += 1
        print(f"skip    {name}: {text}", flush=True)

    @staticmethod
    def not_applicable(name, text):
        """One that makes no sense, with the reason; it is not counted."""
        print(f"n/a     {name}: {text}", flush=True)

    def close(self):
        """The closing line; the exit code."""
        print(f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped", flush=True)
        return 1 if self.failed else 0


def tap(number, good, name, detail=""):
    """One line of TAP, the detail as diagnostics."""
    print(f"{'ok' if good else 'not ok'} {number} - {name}", flush=True)
    for line in detail.splitlines() if not good else ():
        print(f"#   {line}", flush=True)
