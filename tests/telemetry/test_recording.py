"""A recording keeps what was learnt without what is secret, and a full disk ends it alone."""

import gzip
import json
import queue
from pathlib import Path

import pytest
import requests
from waiting import until

from serving.events import ModelWithdrawn
from telemetry.recording import Recording, question


@pytest.fixture
def folder(tmp_path):
    return tmp_path


def notes(folder):
    (tape,) = folder.glob("tape-*")
    return [json.loads(line) for line in gzip.decompress(tape.read_bytes()).splitlines()]


def test_what_the_loop_learns_is_kept_in_its_order_and_exactly(folder):
    recording = Recording(folder)
    world = recording.world()
    events = world.queue(10)
    withdrawn = ModelWithdrawn(symbol="XRP/USD", role="production")

    first = world.monotonic()
    events.put(withdrawn)
    assert events.get() == withdrawn
    with pytest.raises(queue.Empty):
        events.get(timeout=0)
    assert world.witness({"XRP/USD": 7}) == {"XRP/USD": 7}
    recording.close()

    told = {"kind": "ModelWithdrawn", "told": {"symbol": "XRP/USD", "role": "production"}}
    assert notes(folder) == [
        ["loop", "time", first],
        ["loop", "took", told],
        ["loop", "idle", None],
        ["loop", "witness", {"XRP/USD": 7}],
    ]


def test_a_question_is_kept_without_its_nonce_and_key():
    request = requests.Request(
        "POST",
        "http://exchange/0/private/CancelOrder",
        data="nonce=1763712000000&cl_ord_id=abc",
        headers={"API-Key": "key", "API-Sign": "signature"},
    ).prepare()

    assert question(request) == ["POST", "/0/private/CancelOrder", "cl_ord_id=abc"]


def test_a_full_disk_ends_the_recording_with_one_sentence_and_nothing_else(folder, capsys):
    (folder / "tape-000001.jsonl.gz").symlink_to(Path("/dev/full"))  # always without room
    recording = Recording(folder)
    world = recording.world()
    world.monotonic()

    until(lambda: recording.off, 20, "the end of the recording")

    assert world.monotonic() <= world.monotonic()
    recording.close()
    (said,) = capsys.readouterr().err.splitlines()
    assert said.startswith("the recording ends here, the trader trades on: ")
    assert "No space left" in said
