"""The journal is read back as it was, wherever its writer was killed."""

from pathlib import Path

import pytest

from tests.cluster.journal import Journal, Outcome


def test_a_journal_is_read_back_as_it_was_without_the_line_that_a_kill_cut_off(tmp_path: Path) -> None:
    with Journal(tmp_path / "journal") as journal:
        bought = journal.send("client", "buyChallenge", {"programId": "1"})
        journal.doubt(bought, "ReadTimeout")
        journal.done(bought, {"purchase": {"id": "7"}})
        refused = journal.send("client", "buyChallenge", {"programId": "2"}, key="k")
        journal.refuse(refused, ("PROGRAM_NOT_AVAILABLE",))
        journal.send("feed", "ingestQuotes", {})
        journal.event("subscriber", {"position": 1})
    with journal.path.open("ab") as file:
        file.write(b'{"kind":"done","id":"fe')
    read = Journal.read(journal.path)
    assert (read.requests, read.events) == (journal.requests, journal.events)
    assert read.summary() == {"UNKNOWN": 1, "DONE": 1, "REFUSED": 1, "DOUBTED": 1}
    assert [request.id for request in read.of(outcome=Outcome.REFUSED)] == ["k"]


def test_a_request_is_sent_under_one_key_once(tmp_path: Path) -> None:
    with Journal(tmp_path / "journal") as journal:
        journal.send("client", "buyChallenge", {}, key="k")
        with pytest.raises(AssertionError):
            journal.send("client", "buyChallenge", {}, key="k")
