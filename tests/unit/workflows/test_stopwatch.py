"""The stages of a swap are timed one after the other, whoever begins them."""

from bianlian.records.progress import Progress, Silent
from bianlian.workflows.stopwatch import COLUMNS, Stopwatch


def test_a_stage_lasts_until_the_next_begins_and_a_repeated_one_counts_once():
    watch = Stopwatch(Silent())
    watch.frames = 10
    watch.begin("track")
    watch.progress(Progress(stage="track", done=1, total=2))
    watch.progress(Progress(stage="compose", done=1, total=2))
    early = watch.speed()
    watch.progress(Progress(stage="compose", done=2, total=2))
    speed = watch.speed()
    assert [one.stage for one in early.stages] == [one.stage for one in speed.stages] == ["open", "track", "compose"]
    assert speed.stages[-1].wall_s >= early.stages[-1].wall_s
    assert speed.whole.wall_s == sum(one.wall_s for one in speed.stages)
    assert all(len(row) == len(COLUMNS) for row in speed.rows())
