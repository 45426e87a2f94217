"""What refresh jobs remember: baselines, and how each table was brought up to date."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_ADDED = (
    ("rows_read", sa.BigInteger, "0"),
    ("rows_gone", sa.BigInteger, "0"),
    ("mode", sa.String(16), ""),
    ("why", sa.Text, ""),
)


def upgrade() -> None:
    """Make the table of baselines; runs that are known keep their tables."""
    op.create_table(
        "baselines",
        sa.Column("token", sa.String(64), primary_key=True),
        sa.Column("name", sa.String(255), primary_key=True),
        sa.Column("job", sa.String(255), nullable=False),
        sa.Column("created", sa.String(32), nullable=False),
        sa.Column("facts", sa.LargeBinary(2**32 - 1), nullable=False),
    )
    op.create_index("baselines_by_job", "baselines", ["job", "created"], mysql_length={"job": 159})
    for name, type_, default in _ADDED:
        op.add_column("run_tables", sa.Column(name, type_, nullable=False, server_default=default))


def downgrade() -> None:
    """Take them away."""
    with op.batch_alter_table("run_tables") as table:
        for name, _, _ in reversed(_ADDED):
            table.drop_column(name)
    op.drop_index("baselines_by_job", "baselines")
    op.drop_table("baselines")
