"""metrics of each of the seeds that run at once"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "traces",
        sa.Column("loop_id", sa.String(length=32), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("values", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["loop_id"], ["loops.id"], name="fk_traces_loop_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("loop_id", "generation", "name", name="pk_traces"),
    )
    op.create_index("ix_traces_loop_id_name", "traces", ["loop_id", "name"])


def downgrade() -> None:
    op.drop_table("traces")
