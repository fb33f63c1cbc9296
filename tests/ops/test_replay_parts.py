"""A replay compares without tolerance, reads what a kill left, and knows whose turn it is."""

import gzip
import json
from datetime import UTC, datetime

import pytest

from ops.errors import CannotReplay
from ops.replay.comparison import compare
from ops.replay.tape import Diverged, Life, RecordAway, TapeEnded, lives
from trader.live import RECORD_AWAY

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
LATER = datetime(2026, 11, 21, 13, tzinfo=UTC)
TIME = '{"error":[],"result":{"unixtime":%d}}'


def decision(**changes):
    return {"id": "xrp", "at": NOON, "inputs": {"volatility": 0.3}, "order": None} | changes


@pytest.mark.parametrize(
    ("ours", "theirs", "said"),
    [
        ([decision()], [decision()], None),
        (
            [decision()],
            [decision(inputs={"volatility": 0.1 + 0.2})],
            "in inputs.volatility: 0.3 on",
        ),
        ([decision()], [], "did not make it"),
        ([], [decision()], "is not on record"),
        ([decision(order={"id": "a"})], [decision()], "in order: {'id': 'a'} on record, None in"),
    ],
)
def test_the_first_difference_is_named_and_none_is_too_small(ours, theirs, said):
    found = compare(*({one["id"]: one for one in side} for side in (ours, theirs)))

    assert found.compared == 1
    assert found.equal == (said is None)
    assert (found.difference is None) if said is None else (said in found.difference)


def life(folder, began, *lines):
    folder.mkdir()
    (folder / "life.json").write_text("{}")
    asked = ["loop", "asked", [["GET", "/0/public/Time", ""], 200, TIME % began.timestamp()]]
    text = "".join(json.dumps(line) + "\n" for line in [asked, *lines])
    (folder / "tape-000000.jsonl.gz").write_bytes(gzip.compress(text.encode()))
    return Life(folder)


def test_each_thread_reads_its_own_notes_in_order(tmp_path):
    lines = [["public", "time", 1.5], ["loop", "time", 2.5], ["public", "heard", "x"]]
    tape = life(tmp_path / "a", NOON, *lines, ["loop", "idle", None]).tape()
    tape.next("loop", "asked")

    assert tape.time("loop") == 2.5
    assert tape.time("loop") == 2.5  # it read once more than it did then
    assert tape.next("public", "heard", "lost") == ("heard", "x")
    with pytest.raises(Diverged, match="goes on with idle where asked is wanted"):
        tape.next("loop", "asked")
    with pytest.raises(TapeEnded):
        tape.next("loop", "asked")


def test_a_recording_that_a_kill_cut_off_is_read_up_to_there(tmp_path):
    cut = life(tmp_path / "a", NOON, *(["loop", "time", number / 7] for number in range(999)))
    path = cut.folder / "tape-000000.jsonl.gz"
    path.write_bytes(path.read_bytes()[:-400])
    tape = cut.tape()
    tape.next("loop", "asked")

    assert cut.began() == NOON
    with pytest.raises(TapeEnded):
        tape.next("loop", "took")


def test_a_replay_ends_where_the_record_was_away(tmp_path):
    tape = life(tmp_path / "a", NOON, ["loop", "witness", RECORD_AWAY]).tape()
    tape.next("loop", "asked")

    with pytest.raises(RecordAway):
        tape.next("loop", "took", "idle")


def test_the_lives_of_a_time_are_found_and_none_is_an_error(tmp_path):
    first, second = life(tmp_path / "a", NOON), life(tmp_path / "b", LATER)

    assert lives(tmp_path, NOON, LATER) == [first, second]
    assert lives(tmp_path, LATER, datetime(2026, 11, 22, tzinfo=UTC)) == [second]
    with pytest.raises(CannotReplay, match="holds no recording of that time"):
        lives(tmp_path, datetime(2026, 11, 20, tzinfo=UTC), datetime(2026, 11, 21, tzinfo=UTC))
