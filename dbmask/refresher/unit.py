"""What runs a job for those who have a scheduler already: a systemd service with its timer, or a line for cron."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from dbmask.errors import UsageError
from dbmask.policy import Policy
from dbmask.policy.jobs import Job

__all__ = ["unit"]

_DAYS = {str(i): name for i, name in enumerate(("Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"))}


def unit(policy: Policy, name: str, job: Job, more: Sequence[str] = ()) -> str:
    """The files' texts, each under a comment that names it. Raises UsageError for a policy without a file."""
    if not policy.path:
        raise UsageError("a unit needs a policy in a file")
    folder = Path(policy.path).resolve().parent
    argv = [
        sys.executable,
        "-m",
        "dbmask",
        "refresh",
        str(Path(policy.path).resolve()),
        "--job",
        name,
        "--quiet",
        *more,
    ]
    when = job.schedule or "0 2 * * *"
    calendar = _calendar(when, job.timezone)
    timer = (
        [
            f"# /etc/systemd/system/dbmask-{name}.timer",
            "[Unit]",
            f"Description=When dbmask refreshes {name}",
            "",
            "[Timer]",
            f"OnCalendar={calendar}",
            "Persistent=true",
            "",
            "[Install]",
            "WantedBy=timers.target",
        ]
        if calendar
        else [f"# systemd's timers cannot say `{when}`: use cron, or `dbmask refresh --daemon`."]
    )
    lines = [
        f"# /etc/systemd/system/dbmask-{name}.service",
        "[Unit]",
        f"Description=dbmask refreshes {name}",
        "After=network-online.target",
        "",
        "[Service]",
        "Type=oneshot",
        f"WorkingDirectory={str(folder).replace('%', '%%')}",
        "# What the policy names by env: stands here, readable by root alone: DBMASK_KEY=..., PROD_URL=...",
        f"EnvironmentFile=/etc/dbmask/{name}.env",
        f"ExecStart={_systemd(argv)}",
        "",
        *timer,
        "",
        "# or in a crontab:",
        f"CRON_TZ={job.timezone}",
        f"{when} cd {shlex.quote(str(folder))} && {shlex.join(argv)}".replace("%", r"\%"),
    ]
    return "\n".join(lines)


def _systemd(argv: Sequence[str]) -> str:
    quoted = (a.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$") for a in argv)
    return " ".join(f'"{a}"' if not a or set(a) & set(" \t\"'\\;") else a for a in quoted)


def _calendar(cron: str, zone: str) -> str:
    """OnCalendar's way to say it; empty for what it cannot say (names, L, #, both kinds of days at once)."""
    fields = cron.split()
    if len(fields) != 5 or not all(set(f) <= set("0123456789*,-/") for f in fields):
        return ""
    minute, hour, day, month, weekday = fields
    if weekday != "*" and (day != "*" or "/" in weekday):
        return ""
    parts = [_field(f, start) for f, start in ((hour, 0), (minute, 0), (month, 1), (day, 1))]
    days = (
        ",".join("..".join(_DAYS[d] for d in part.split("-")) for part in weekday.split(",")) if weekday != "*" else ""
    )
    return f"{days} *-{parts[2]}-{parts[3]} {parts[0]}:{parts[1]}:00 {zone}".strip()


def _field(text: str, start: int) -> str:
    return ",".join(
        (f"{start}{part[1:]}" if part.startswith("*/") else part.replace("-", "..")) for part in text.split(",")
    )
