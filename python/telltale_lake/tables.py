"""The tables: made with the contract's own column numbers, widened when the contract grows.

create_table() and add_column() of pyiceberg give columns numbers of their own, so a table is
registered from metadata written here, and a schema is added whole (design, section 5).
"""

from __future__ import annotations

import time
import uuid
from typing import Any

from pyiceberg.catalog import Catalog
from pyiceberg.exceptions import NoSuchTableError
from pyiceberg.partitioning import PartitionField, PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.serializers import ToOutputFile
from pyiceberg.table import Table, Transaction
from pyiceberg.table.metadata import TableMetadataV2
from pyiceberg.table.sorting import SortField, SortOrder
from pyiceberg.table.update import (
    AddSchemaUpdate,
    AssertCurrentSchemaId,
    SetCurrentSchemaUpdate,
)
from pyiceberg.types import IcebergType, ListType, NestedField, StructType

from telltale_lake.handoff import HandoffError, TablePart
from telltale_lake.layout import NAMESPACE, Layout

PROPERTIES = {
    # A retried stale commit would overwrite a newer position: we look before we try again.
    "commit.retry.num-retries": "0",
    "commit.manifest-merge.enabled": "true",
    "write.metadata.delete-after-commit.enabled": "true",
    "write.metadata.previous-versions-max": "50",
    "write.parquet.compression-codec": "zstd",
}
SORT_ORDER_ID = 1


def schema_of(part: TablePart, schema_id: int = 0) -> Schema:
    return Schema.model_validate({**part.schema, "schema-id": schema_id})


def _metadata(part: TablePart, location: str) -> TableMetadataV2:
    schema = schema_of(part)
    spec = PartitionSpec(*[PartitionField.model_validate(field) for field in part.partition_spec])
    order = SortOrder(
        *[SortField.model_validate(field) for field in part.sort_order], order_id=SORT_ORDER_ID
    )
    return TableMetadataV2(
        location=location,
        table_uuid=uuid.uuid4(),
        last_updated_ms=int(time.time() * 1000),
        last_column_id=schema.highest_field_id,
        schemas=[schema],
        current_schema_id=schema.schema_id,
        partition_specs=[spec],
        default_spec_id=spec.spec_id,
        last_partition_id=max((field.field_id for field in spec.fields), default=999),
        sort_orders=[order],
        default_sort_order_id=order.order_id,
        properties=dict(PROPERTIES),
    )


def load_or_make(
    catalog: Catalog, layout: Layout, part: TablePart, namespace: str = NAMESPACE
) -> Table:
    identifier = (namespace, part.name)
    try:
        return catalog.load_table(identifier)
    except NoSuchTableError:
        pass
    catalog.create_namespace_if_not_exists(namespace)
    metadata = _metadata(part, layout.table_location(part.name, namespace))
    place = f"{metadata.location}/metadata/00000-{metadata.table_uuid}.metadata.json"
    io = catalog._load_file_io(location=place)
    ToOutputFile.table_metadata(metadata, io.new_output(place))
    return catalog.register_table(identifier, place)


def _merged_type(name: str, old: IcebergType, new: IcebergType) -> IcebergType:
    if isinstance(old, StructType) and isinstance(new, StructType):
        return StructType(*_merged(name + ".", old.fields, new.fields))
    if isinstance(old, ListType) and isinstance(new, ListType):
        if old.element_id != new.element_id:
            raise HandoffError(f"column {name}: its element's number changed")
        element = _merged_type(name, old.element_type, new.element_type)
        same = element == old.element_type
        return old if same else old.model_copy(update={"element_type": element})
    if old != new:
        raise HandoffError(f"column {name} is {old} in the table and {new} in the contract")
    return old


def _merged(
    prefix: str, old: tuple[NestedField, ...], new: tuple[NestedField, ...]
) -> list[NestedField]:
    """The old columns, unchanged and in their order, then those that only the contract has."""
    by_id = {field.field_id: field for field in new}
    names = {field.name: field.field_id for field in old}
    merged = []
    for field in old:
        other = by_id.pop(field.field_id, None)
        if other is None:
            merged.append(field)  # an older contract wrote this hand-off
            continue
        if other.name != field.name:
            raise HandoffError(f"column {prefix}{field.name} is called {other.name} now")
        kind = _merged_type(prefix + field.name, field.field_type, other.field_type)
        same = kind == field.field_type
        merged.append(field if same else field.model_copy(update={"field_type": kind}))
    for field in by_id.values():
        if field.name in names:
            number = names[field.name]
            raise HandoffError(f"column {prefix}{field.name} has number {number} already")
        if field.required:
            raise HandoffError(f"new column {prefix}{field.name} is required: old rows have none")
        merged.append(field)
    return merged


def widened(table: Table, part: TablePart) -> Schema | None:
    """The schema that also has the hand-off's new columns, or None when there are none."""
    current = table.schema()
    merged = _merged("", current.fields, schema_of(part).fields)
    if [field.model_dump() for field in merged] == [field.model_dump() for field in current.fields]:
        return None
    known = [schema.schema_id for schema in table.metadata.schemas]
    return Schema(*merged, schema_id=max(known) + 1)


def widen(transaction: Transaction, part: TablePart, table: Table) -> int | None:
    """Adds the part's new columns to the transaction; how many there are then, None without new."""
    schema = widened(table, part)
    if schema is None:
        return None
    transaction._apply(
        (AddSchemaUpdate(schema_=schema), SetCurrentSchemaUpdate(schema_id=schema.schema_id)),
        (AssertCurrentSchemaId(current_schema_id=table.metadata.current_schema_id),),
    )
    return len(schema.fields)


def properties_of(table: Table) -> dict[str, Any]:
    return dict(table.metadata.properties)
