"""Keeping replicas fresh: jobs of a policy, run by hand, by a scheduler, or by dbmask's own."""

from __future__ import annotations

from dbmask.refresher.run import RefreshResult, job_named, refresh

__all__ = ["RefreshResult", "job_named", "refresh"]
