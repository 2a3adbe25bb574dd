"""priority, turns, tripwires and troubles of loops; users, tokens, sessions; workers"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    with op.batch_alter_table("loops") as loops:
        loops.add_column(sa.Column("owner", sa.String(length=64), nullable=False, server_default=""))
        loops.add_column(sa.Column("priority", sa.Integer(), nullable=False, server_default="0"))
        loops.add_column(sa.Column("served_at", TIME, nullable=True))
        loops.add_column(sa.Column("trouble", sa.JSON(none_as_null=True), nullable=True))
        loops.add_column(sa.Column("stop", sa.JSON(none_as_null=True), nullable=True))
        loops.add_column(sa.Column("disarmed", sa.JSON(none_as_null=True), nullable=True))
    with op.batch_alter_table("stages") as stages:
        # Stages of before have no queue: the reconciler fills it in when it next sees them.
        stages.add_column(sa.Column("queue", sa.String(length=8), nullable=False, server_default=""))
        stages.add_column(sa.Column("retry_at", TIME, nullable=True))
        stages.drop_index("ix_stages_state")
        stages.create_index("ix_stages_state_queue", ["state", "queue"])
        stages.create_index("ix_stages_finished_at", ["finished_at"])
    with op.batch_alter_table("audits") as audits:
        audits.add_column(sa.Column("owner", sa.String(length=64), nullable=False, server_default=""))
    op.create_index("ix_metrics_name_loop_id_generation_value", "metrics", ["name", "loop_id", "generation", "value"])
    op.create_table(
        "users",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("disabled_at", TIME, nullable=True),
        sa.PrimaryKeyConstraint("name", name="pk_users"),
    )
    op.create_table(
        "tokens",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("user", sa.String(length=64), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("expires_at", TIME, nullable=True),
        sa.Column("used_at", TIME, nullable=True),
        sa.ForeignKeyConstraint(["user"], ["users.name"], name="fk_tokens_user", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_tokens"),
    )
    op.create_index("ix_tokens_digest", "tokens", ["digest"], unique=True)
    op.create_table(
        "sessions",
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("user", sa.String(length=64), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("expires_at", TIME, nullable=False),
        sa.ForeignKeyConstraint(["user"], ["users.name"], name="fk_sessions_user", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("digest", name="pk_sessions"),
    )
    op.create_table(
        "login_failures",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("address", sa.String(length=64), nullable=False),
        sa.Column("at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_login_failures"),
    )
    op.create_index("ix_login_failures_at", "login_failures", ["at"])
    op.create_table(
        "workers",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("queues", sa.Text(), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("device", sa.Text(), nullable=False),
        sa.Column("facts", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("started_at", TIME, nullable=False),
        sa.Column("seen_at", TIME, nullable=False),
        sa.Column("stopped_at", TIME, nullable=True),
        sa.PrimaryKeyConstraint("name", name="pk_workers"),
    )


def downgrade() -> None:
    for table in ("workers", "login_failures", "sessions", "tokens", "users"):
        op.drop_table(table)
    op.drop_index("ix_metrics_name_loop_id_generation_value", "metrics")
    with op.batch_alter_table("audits") as audits:
        audits.drop_column("owner")
    with op.batch_alter_table("stages") as stages:
        stages.drop_index("ix_stages_finished_at")
        stages.drop_index("ix_stages_state_queue")
        stages.create_index("ix_stages_state", ["state"])
        stages.drop_column("retry_at")
        stages.drop_column("queue")
    with op.batch_alter_table("loops") as loops:
        for name in ("disarmed", "stop", "trouble", "served_at", "priority", "owner"):
            loops.drop_column(name)
