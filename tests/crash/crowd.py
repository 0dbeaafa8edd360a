"""Start the product many times at the very same moment.

    python crowd.py COUNT send list.csv ...

Each process is forked with everything loaded; all go on when the last is there. `{}` in an argument is the process's
number. For each that ends there is a line of JSON: its number, its exit code and what it said on standard error.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile

import campaign_cli.cli.send
import campaign_cli.engine.run  # noqa: F401
from campaign_cli.cli.main import main


def child(number: int, gate: int, err: int) -> None:
    os.read(gate, 1)
    nowhere = os.open(os.devnull, os.O_RDWR)
    for descriptor, standard in ((nowhere, 0), (nowhere, 1), (err, 2)):
        os.dup2(descriptor, standard)
    sys.argv[1:] = [argument.replace("{}", str(number)) for argument in sys.argv[2:]]
    main()


def crowd(count: int) -> None:
    gate, opener = os.pipe()
    said = {}
    for number in range(count):
        err = tempfile.TemporaryFile()  # noqa: SIM115
        pid = os.fork()
        if pid == 0:
            os.close(opener)
            child(number, gate, err.fileno())
        said[pid] = number, err
    # Its end is what all wait for: a pipe that nobody can write to any more has been read to its end.
    os.close(opener)
    while said:
        pid, status = os.wait()
        number, err = said.pop(pid)
        err.seek(0)
        line = {"number": number, "code": os.waitstatus_to_exitcode(status), "err": err.read().decode()}
        print(json.dumps(line), flush=True)


if __name__ == "__main__":
    crowd(int(sys.argv[1]))
