"""Many landings and publications leave no more behind than their data."""

import resource
import sys

from tests.warehouse.data_folder import NOTE, SURVEY, TOTAL, csv_text


def peak_mib() -> float:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1 << 20) if sys.platform == "darwin" else peak / (1 << 10)


def test_fifty_refreshes_grow_neither_the_memory_nor_the_file_beyond_the_data(data):
    sizes, peaks = [], []
    groups = csv_text("agent_groups", [{"group_id": "g", "agent_ids": "0072999"}]).encode()
    group_export = data.receive(groups, kind="groups")
    for number in range(50):
        rows = [TOTAL | {"gradable_id": str(ticket), "rubric_score": str(number)} for ticket in range(20)]
        files = {"total_scores": rows, "annotations": [NOTE | {"comment": str(number)}], "csat": [SURVEY]}
        data.land_rows(**files)
        if number % 5 == 4:
            data.land_record(group_export)
            sizes.append(data.master.publish().stat().st_size)
            peaks.append(peak_mib())

    assert data.column("select count(*) from total_scores") == [20]
    assert data.column("select count(*) from grade_history") == [49 * 20]
    assert data.column("select count(*) from state.coverage") == [1]
    half = len(sizes) // 2
    assert sizes[-1] - sizes[half] < 1 << 20
    assert peaks[-1] - peaks[half] < 16
