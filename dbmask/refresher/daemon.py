"""``dbmask refresh --daemon``: every job of a policy by its schedule, each run in a process of its own.

A job whose last run is still at work when it is due again waits for its next time. The policy is read again before each
wait, so that a changed schedule counts; while it cannot be read, the last good one does.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from dbmask.errors import PolicyError, UsageError
from dbmask.policy import Policy
from dbmask.policy.jobs import Job, jobs_of

__all__ = ["next_run", "serve"]

_LONGEST = 30.0  # seconds between two looks at the policy and at runs that have ended


def next_run(job: Job, after: datetime) -> datetime:
    """The next time of a job's schedule after a moment, in UTC. Clock changes are those of the job's time zone. Raises UsageError."""
    from cronsim import CronSim

    if job.schedule is None:
        raise UsageError("the job has no `schedule:`")
    return next(CronSim(job.schedule, after.astimezone(ZoneInfo(job.timezone)))).astimezone(UTC)


def _scheduled(policy: Policy, only: str | None) -> dict[str, Job]:
    jobs = {n: j for n, j in jobs_of(policy.sections).items() if j.schedule and only in (None, n)}
    if not jobs:
        raise UsageError(f"no job of the policy has a `schedule:`{f' and the name {only}' if only else ''}")
    return jobs


def serve(policy: Policy, only: str | None, more: Sequence[str], say: Callable[[str], None]) -> None:
    """Run jobs by their schedules until SIGTERM or SIGINT, which end the runs too; each then leaves nothing half-done.

    ``more`` are options for each run. Raises UsageError where no job has a schedule.
    """
    jobs = _scheduled(policy, only)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    running: dict[str, subprocess.Popen[bytes]] = {}
    wrong = ""
    due = _due(jobs, datetime.now(UTC), {}, say)
    while not stop.wait(_seconds(due)):
        _reap(running, say)
        for name in [n for n, at in due.items() if at <= datetime.now(UTC)]:
            if name in running:
                say(f"Job {name} is still at work: this time it is left out.")
            else:
                argv = [sys.executable, "-m", "dbmask", "refresh", policy.path, "--job", name, "--quiet", *more]
                running[name] = subprocess.Popen(argv)  # noqa: S603 - our own program and arguments
            del due[name]
        try:
            jobs, wrong = _scheduled(Policy.load(policy.path), only), ""
        except (PolicyError, UsageError) as error:
            if str(error) != wrong:  # said once, not every half minute
                say(f"The policy is not as it should be, and the schedules stay as they were: {error}")
            wrong = str(error)
        due = _due(jobs, datetime.now(UTC), due, say)
    for process in running.values():
        process.send_signal(signal.SIGINT)
    for process in running.values():
        process.wait()
    _reap(running, say)


def _due(
    jobs: Mapping[str, Job], moment: datetime, known: Mapping[str, datetime], say: Callable[[str], None]
) -> dict[str, datetime]:
    made = {}
    for name, job in jobs.items():
        at = next_run(job, moment)
        # What was due stays so; a schedule that has changed counts from now on.
        made[name] = min(at, known[name]) if name in known else at
        if name not in known:
            say(f"Job {name}: next at {at.isoformat(timespec='seconds')}.")
    return made


def _seconds(due: Mapping[str, datetime]) -> float:
    left = (min(due.values()) - datetime.now(UTC)).total_seconds()
    return min(max(left, 0.0), _LONGEST)


def _reap(running: dict[str, subprocess.Popen[bytes]], say: Callable[[str], None]) -> None:
    for name in [n for n, p in running.items() if p.poll() is not None]:
        code = running.pop(name).returncode
        say(f"Job {name}: {'done' if code == 0 else f'ended with exit code {code}'}.")
