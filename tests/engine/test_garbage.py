"""The collector's thresholds during a job."""

from __future__ import annotations

import gc

import pytest

from dbmask.engine import seldom_collected


def test_thresholds_are_raised_and_put_back_by_the_last_one_out() -> None:
    before = gc.get_threshold()
    first, second = seldom_collected(), seldom_collected()
    with first:
        raised = gc.get_threshold()
        assert raised[0] > before[0]
        with second:
            assert gc.get_threshold() == raised
        assert gc.get_threshold() == raised
    assert gc.get_threshold() == before


def test_jobs_that_overlap_put_back_what_was_there_first() -> None:
    before = gc.get_threshold()
    first, second = seldom_collected(), seldom_collected()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert gc.get_threshold() != before
    second.__exit__(None, None, None)
    assert gc.get_threshold() == before


def test_a_job_that_fails_puts_them_back() -> None:
    before = gc.get_threshold()
    with pytest.raises(ValueError, match="failed"), seldom_collected():
        raise ValueError("failed")
    assert gc.get_threshold() == before
