"""Analyze the month of Honolulu with UTide 0.4.0, and write ``utide.csv``.

    pip install utide==0.4.0
    python make_utide.py

The chapter on tides compares its own analysis with this table; its readers need no UTide.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import utide

HERE = Path(__file__).parent
GAUGE, LATITUDE = 1612340, 21.3  # Honolulu; degrees north
LINES = ["Q1", "O1", "K1", "N2", "M2", "S2", "M4"]


def main() -> None:
    levels = pd.read_csv(HERE / "observed.csv")
    levels = levels[levels["id"] == GAUGE]
    times = pd.to_datetime(levels["time_utc"]).to_numpy()
    found = utide.solve(
        times,
        levels["level_m"].to_numpy(),
        lat=LATITUDE,
        constit=LINES,
        method="ols",
        conf_int="linear",
        trend=False,
        verbose=False,
    )
    columns = {
        "amplitude_m": found.A.round(5),
        "amplitude_ci_m": found.A_ci.round(5),
        "phase_deg": found.g.round(2),
        "phase_ci_deg": found.g_ci.round(2),
    }
    table = pd.DataFrame(columns, pd.Index(found.name, name="constituent")).loc[LINES]
    table.to_csv(HERE / "utide.csv", lineterminator="\n")


if __name__ == "__main__":
    main()
