"""The tables of the state database. What changes here needs a migration beside it (:mod:`dbmask.state.migrations`)."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Float, ForeignKey, Index, Integer, LargeBinary, String, Text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

__all__ = ["Base", "Baseline", "Chunk", "Run", "RunTable"]

_KEY = BigInteger().with_variant(Integer, "sqlite")


class Base(DeclarativeBase):
    """The declarative base; its metadata is what the migrations must lead to."""


class Run(Base):
    """One run of a job. Times are UTC in ISO 8601; ``source`` and ``target`` are identities or places, never URLs."""

    __tablename__ = "runs"

    id: Mapped[int] = mapped_column(_KEY, primary_key=True, autoincrement=True)
    kind: Mapped[str] = mapped_column(String(32))
    job: Mapped[str] = mapped_column(String(255), default="")
    status: Mapped[str] = mapped_column(String(16))
    phase: Mapped[str] = mapped_column(String(32), default="")
    started: Mapped[str] = mapped_column(String(32))
    finished: Mapped[str] = mapped_column(String(32), default="")
    source: Mapped[str] = mapped_column(Text)
    target: Mapped[str] = mapped_column(Text)
    policy: Mapped[str] = mapped_column(Text, default="")
    plan_digest: Mapped[str] = mapped_column(String(64), default="")
    key_fingerprint: Mapped[str] = mapped_column(String(64), default="")
    building: Mapped[str] = mapped_column(Text, default="")
    snapshot: Mapped[str] = mapped_column(Text, default="")
    keeper: Mapped[str] = mapped_column(Text, default="")
    jobs: Mapped[int] = mapped_column(Integer, default=1)
    certificate: Mapped[str] = mapped_column(Text, default="")
    error: Mapped[str] = mapped_column(Text, default="")

    __table_args__ = (Index("runs_by_target", "target", "id"),)


class RunTable(Base):
    """What a run did to one table: rows read and written, rows removed, chunks and how many of them were there already.

    ``seconds`` are of work; ``mode`` and ``why`` say how a refresh brought the table up to date.
    """

    __tablename__ = "run_tables"

    run_id: Mapped[int] = mapped_column(ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True)
    name: Mapped[str] = mapped_column(String(255), primary_key=True)
    rows: Mapped[int] = mapped_column(BigInteger, default=0)
    chunks: Mapped[int] = mapped_column(Integer, default=0)
    chunks_reused: Mapped[int] = mapped_column(Integer, default=0)
    seconds: Mapped[float] = mapped_column(Float, default=0.0)
    rows_read: Mapped[int] = mapped_column(BigInteger, default=0)
    rows_gone: Mapped[int] = mapped_column(BigInteger, default=0)
    mode: Mapped[str] = mapped_column(String(16), default="")
    why: Mapped[str] = mapped_column(Text, default="")


class Baseline(Base):
    """What the next refresh of a job compares with: facts of one table (all of the job's where ``name`` is empty), sealed.

    ``token`` is noted in the replica by the transaction that these facts belong to: without that they count for nothing.
    """

    __tablename__ = "baselines"

    token: Mapped[str] = mapped_column(String(64), primary_key=True)
    name: Mapped[str] = mapped_column(String(255), primary_key=True)
    job: Mapped[str] = mapped_column(String(255))
    created: Mapped[str] = mapped_column(String(32))
    facts: Mapped[bytes] = mapped_column(LargeBinary(2**32 - 1))

    __table_args__ = (Index("baselines_by_job", "job", "created"),)


class Chunk(Base):
    """One part of a table in one run. ``span`` is sealed; ``checksum`` is keyed, of the chunk's raw source rows."""

    __tablename__ = "chunks"

    run_id: Mapped[int] = mapped_column(ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True)
    number: Mapped[int] = mapped_column(Integer, primary_key=True)
    name: Mapped[str] = mapped_column(String(255))
    token: Mapped[str] = mapped_column(String(64))
    span: Mapped[bytes] = mapped_column(LargeBinary)
    done: Mapped[bool] = mapped_column(Boolean, default=False)
    rows: Mapped[int] = mapped_column(BigInteger, default=0)
    seconds: Mapped[float] = mapped_column(Float, default=0.0)
    checksum: Mapped[bytes | None] = mapped_column(LargeBinary, default=None)
