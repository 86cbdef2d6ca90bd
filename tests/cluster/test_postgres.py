"""The cluster that other tests build on does what its methods say."""

import pytest

from tests.cluster.postgres import Cluster, Programs, version_of

TIMELINE = "select left(pg_walfile_name(pg_current_wal_lsn()), 8)"


@pytest.mark.parametrize("kind", ["debian", "embedded"])
def test_a_killed_primary_is_replaced_and_comes_back_as_a_standby(kind: str) -> None:
    debian = Programs.debian()
    if kind == "debian" and debian is None:
        pytest.skip("Debian's PostgreSQL is not installed: apt-get install postgresql-15")
    with Cluster() as cluster:
        cluster.programs = debian if kind == "debian" and debian else Programs.embedded(cluster.folder)
        cluster.start(standbys=1, synchronous=True)
        assert version_of(cluster.programs) >= 15
        old = cluster.primary
        old.query("create table kept as select 1 as number", "propdesk")
        old.kill()
        assert not old.answers()
        assert cluster.promote() < 10
        new = cluster.primary
        assert new is not old
        assert new.value("select number from kept", "propdesk") == 1, "the commit had waited for the standby"
        assert new.value(TIMELINE) == "00000002"
        cluster.rebuild(old)
        assert cluster.standbys == [old]
        old.pause_replay()
        new.query("insert into kept values (2)", "propdesk")
        assert old.value("select count(*) from kept", "propdesk") == 1
        old.resume_replay()
        cluster.wait_for(old)
        assert old.value("select count(*) from kept", "propdesk") == 2
        new.freeze()
        cluster.promote(old)
        new.thaw()
        assert not new.is_standby()
        assert not old.is_standby(), "both live, of two timelines"
        assert new.value(TIMELINE) < old.value(TIMELINE)
