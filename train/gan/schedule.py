"""How long a run is, and how fast it learns when."""

from __future__ import annotations

from .options import TrainOptions


def learning_rate(options: TrainOptions, step: int, rows: int) -> float:
    """Constant, then linear to its last (section 4.1)."""
    steady, falling = phases(options, rows)
    schedule = options.schedule
    share = min(1.0, max(0.0, (step - steady) / falling)) if falling else 0.0
    return schedule.learning_rate + share * (schedule.final_learning_rate - schedule.learning_rate)


def phases(options: TrainOptions, rows: int) -> tuple[int, int]:
    """Generator steps at the first rate, and while it falls."""
    schedule = options.schedule
    epoch = rows / (options.data.batch * schedule.critic_steps)
    steady = schedule.steps if schedule.steps is not None else max(1, round(schedule.epochs * epoch))
    if schedule.decay_steps is not None:
        return steady, schedule.decay_steps
    return steady, 0 if schedule.steps is not None else round(schedule.decay_epochs * epoch)
