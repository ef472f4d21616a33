"""Any sequence of pushes, faults and kills leaves the vendor right under both readings of the reference."""

import tempfile
from pathlib import Path

import polars as pl
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from maestro_analytics.errors import OutcomeUnknown, RequestRefused, TryAgain
from maestro_analytics.push.entries import Kind
from maestro_analytics.push.ledger import read_ledger
from maestro_analytics.push.push import push_checked
from maestro_analytics.push.validate import check_entries
from maestro_analytics.settings import Settings

WEEKS = tuple(f"2026-01-{day:02}T00:00:00Z" for day in (5, 12, 19))
KEYS = [(agent, metric, week) for agent in ("a", "b") for metric in ("m", "n") for week in WEEKS]
REFUSED_ABOVE = 7

FAULTS = ("ok", "ok", "lost", "reset", "failing", "killed before", "killed after")


class Killed(BaseException):
    """The process is gone; what follows happens in another one."""


class VendorInMemory:
    """Takes or refuses a batch as a whole, and keeps it under both readings."""

    def __init__(self, settings):
        self.settings, self.requests_made = settings, 0
        self.one, self.series, self.faults = {}, {}, []

    def send(self, endpoint, parameters):
        entries = parameters["batch"]
        fault = self.faults.pop(0) if self.faults else "ok"
        if fault == "killed before":
            raise Killed
        if fault == "failing":
            raise TryAgain("500", endpoint="metrics", status=500)
        if any(entry["metric_value"] > REFUSED_ABOVE for entry in entries):
            raise RequestRefused(status=422, endpoint="metrics", vendor_message="a value is too high")
        if fault != "reset":
            for entry in entries:
                self.one[entry["agent_id"], entry["metric_id"]] = entry["metric_value"]
                self.series[entry["agent_id"], entry["metric_id"], entry["timestamp"]] = entry["metric_value"]
        if fault == "killed after":
            raise Killed
        if fault in ("lost", "reset"):
            raise OutcomeUnknown("no answer", endpoint="metrics")
        results = [{"agent_id": entry["agent_id"], "metric_id": entry["metric_id"]} for entry in reversed(entries)]
        return {"results": results}


def push(vendor, values):
    rows = [(*key, float(value)) for key, value in values.items()]
    frame = pl.DataFrame(rows, schema=["agent_id", "metric_id", "timestamp", "metric_value"], orient="row")
    checked = check_entries(frame, kind=Kind.AGENT, known_agents=None)
    return push_checked(checked, kind=Kind.AGENT, settings=vendor.settings, connect=lambda: vendor)


def newest_of_each_pair(series):
    return {(agent, metric): series[agent, metric, week] for agent, metric, week in sorted(series)}


pushes = st.lists(
    st.tuples(
        st.dictionaries(st.sampled_from(KEYS), st.integers(0, REFUSED_ABOVE + 1), min_size=1, max_size=8),
        st.lists(st.sampled_from(FAULTS), max_size=6),
    ),
    min_size=1,
    max_size=5,
)


@hypothesis_settings(max_examples=30, suppress_health_check=[HealthCheck.too_slow])
@given(pushes)
def test_a_clean_push_after_any_others_leaves_the_vendor_right_under_both_readings(history):
    with tempfile.TemporaryDirectory() as folder:
        vendor = VendorInMemory(Settings(_env_file=None, api_token="t", data=Path(folder)))
        wanted = {}
        for values, faults in history:
            vendor.faults = list(faults)
            wanted |= {key: value for key, value in values.items() if value <= REFUSED_ABOVE}
            try:
                push(vendor, values)
            except Killed:
                continue
        vendor.faults = []
        report = push(vendor, wanted)

        assert (report.unknown, report.stopped_by) == ([], None)
        # What an earlier push left unknown goes again, and may turn out to be refused; nothing that is wanted does.
        assert not {(told["agent_id"], told["metric_id"], told["timestamp"]) for told in report.rejected} & set(wanted)
        assert {key: vendor.series[key] for key in wanted} == wanted
        assert vendor.one == newest_of_each_pair(vendor.series)
        acknowledged = read_ledger(Path(folder), Kind.AGENT).filter(pl.col("acknowledged_hash").is_not_null())
        assert vendor.series == {
            (row["agent_id"], row["metric_id"], f"{row['timestamp']:%Y-%m-%dT%H:%M:%SZ}"): row["acknowledged_value"]
            for row in acknowledged.iter_rows(named=True)
        }
        assert push(vendor, wanted).planned == 0
