"""Child processes, none of which outlives the script."""

import contextlib
import os
import signal
import subprocess
import tempfile
import time

RUN_SECONDS_MAX = 3600
_running = []


class Failure(Exception):
    """Told in one line."""


PROBLEMS = (Failure, OSError, ValueError, LookupError)  # the others: what a program printed is not what is read here


def last_words(text):
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:300] if lines else "it said nothing"


def start(command, **options):
    """In a process group of its own, so that what it starts can be ended with it, and a terminal's Ctrl-C comes to the script alone."""
    try:
        process = subprocess.Popen([str(part) for part in command], start_new_session=True, **options)
    except OSError as error:
        raise Failure(f"can't run {command[0]}: {error.strerror}") from error
    _running.append(process)
    return process


def stop(process, seconds=20):
    """Asks it to end, then makes it."""
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=seconds)
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    _running.remove(process)


def stop_all():
    for process in list(_running):
        stop(process, seconds=0.5)


def run(command, both=False, fine_codes=(0,)):
    """What it wrote to standard output, or to both outputs."""
    folder = tempfile.mkdtemp(prefix="cpu_side_by_side")  # some programs leave logs where they run
    error_to = subprocess.STDOUT if both else subprocess.PIPE
    process = start(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=error_to, text=True, cwd=folder, errors="replace")
    try:
        out, err = process.communicate(timeout=RUN_SECONDS_MAX)
    except subprocess.TimeoutExpired as late:
        raise Failure(f"{os.path.basename(command[0])} took more than {RUN_SECONDS_MAX} s") from late
    finally:
        stop(process)
        for name in os.listdir(folder):
            os.unlink(os.path.join(folder, name))
        os.rmdir(folder)
    if process.returncode not in fine_codes:
        raise Failure(f"{os.path.basename(command[0])} ended with {process.returncode}: {last_words(err or out)}")
    return out


def wait_until(ready, process, log, what, seconds=300):
    """Asks every 50 ms; `log` is the file that the process writes to."""
    end = time.monotonic() + seconds
    while not ready():
        if process.poll() is not None or time.monotonic() > end:
            log.seek(0)
            raise Failure(f"{what} {'did not start' if process.poll() is not None else 'is not ready'}: {last_words(log.read())}")
        time.sleep(0.05)
