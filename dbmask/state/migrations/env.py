"""Alembic's entry: runs migrations on the connection that :mod:`dbmask.state.migrate` hands over."""

from __future__ import annotations

from alembic import context

from dbmask.state.migrate import VERSION_TABLE
from dbmask.state.models import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    version_table=VERSION_TABLE,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
