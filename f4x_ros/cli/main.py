# SPDX-License-Identifier: Apache-2.0
"""The command `f4x`: one module per subcommand, each with `add_arguments` and `run`.

Exit codes: 0 done, 1 a process that was started failed, 2 bad input (one line says what), 70 a
defect of ours (with its traceback), 130 Ctrl-C or SIGTERM. Heavy libraries are imported by the
subcommand that needs them, so that help is instant.
"""

from __future__ import annotations

import argparse
import os
import sys
import traceback
from collections.abc import Sequence

from f4x_ros import __version__
from f4x_ros.cli import (
    ask,
    calibrate,
    demo,
    doctor,
    edit,
    export_bag,
    history,
    mcp,
    points,
    query,
    render,
    run,
    segment,
    transfer,
    view,
    weights,
)
from f4x_ros.cli import eval as evaluation
from f4x_ros.cli.errors import CommandError
from f4x_ros.cli.processes import terminated_like_interrupted
from f4x_ros.core.errors import F4xError

_COMMANDS = {
    "demo": demo,
    "run": run,
    "query": query,
    "ask": ask,
    "edit": edit,
    "history": history,
    "points": points,
    "render": render,
    "mcp": mcp,
    "view": view,
    "segment": segment,
    "transfer": transfer,
    "eval": evaluation,
    "calibrate": calibrate,
    "export-bag": export_bag,
    "weights": weights,
    "doctor": doctor,
}


def parser() -> argparse.ArgumentParser:
    """The parser of the whole command line."""
    top = argparse.ArgumentParser(
        prog="f4x", description="Turn a camera's stream into a map that answers in words."
    )
    top.add_argument("--version", action="version", version=f"f4x {__version__}")
    commands = top.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, module in _COMMANDS.items():
        doc = (module.__doc__ or "").strip()
        sub = commands.add_parser(
            name,
            help=doc.splitlines()[0],
            description=doc,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        module.add_arguments(sub)
        sub.add_argument("--debug", action="store_true", help="show tracebacks")
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return the exit code.

    Threads of OpenMP wait passively (OMP_WAIT_POLICY, unless set): on few cores a spinning thread
    takes the core that the next step needs.
    """
    options = parser().parse_args(arguments)
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # read when torch is imported
    try:
        with terminated_like_interrupted():  # so that SIGTERM leaves nothing half-written either
            return int(_COMMANDS[options.command].run(options))
    except KeyboardInterrupt:
        print("\nf4x: interrupted", file=sys.stderr)
        return 130
    except CommandError as error:
        return _failed(error, options.debug, error.exit_code)
    except BrokenPipeError:  # `f4x ... | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (F4xError, OSError) as error:
        return _failed(error, options.debug, 2)
    except Exception as error:
        traceback.print_exception(error)
        print(
            f"f4x: internal error ({type(error).__name__}): this is a defect of f4x_ros, please "
            "report it with the lines above",
            file=sys.stderr,
        )
        return 70  # EX_SOFTWARE of sysexits.h


def _failed(error: Exception, debug: bool, code: int) -> int:
    if debug:
        traceback.print_exception(error)
    print(f"f4x: {_one_line(error)}", file=sys.stderr)
    return code


def _one_line(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        where = f"{error.filename}: " if error.filename else ""
        return f"{where}{error.strerror}"
    return str(error) or type(error).__name__


if __name__ == "__main__":
    sys.exit(main())
