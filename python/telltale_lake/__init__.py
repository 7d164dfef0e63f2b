"""The lake's table side: Iceberg commits, and the reader for scientists.

in      hand-offs of telltale-lake (docs/formats/handoff.md)
out     Iceberg tables telltale.telemetry, telltale.arrivals, telltale.coverage (docs/lake.md)
owns    <dir>/data/lake/catalog.db and the tables' metadata folders
not here: what a row says (src/lake), how long it is kept

    import telltale_lake
    db = telltale_lake.connect("DIR")  # DuckDB; views telemetry, arrivals_sum, ...
    table = telltale_lake.catalog("DIR").load_table("telltale.telemetry")
"""

from telltale_lake.aggregate import aggregate_by_cell
from telltale_lake.reader import catalog, connect

__all__ = ["aggregate_by_cell", "catalog", "connect"]
