// The alert store's schema, step by step: docs/formats/alerts-db.md. Appended to, never changed.
#pragma once

namespace telltale::publish {

inline constexpr const char* kAlertMigrations[] = {
    R"sql(
CREATE TABLE authority (
  partition INTEGER PRIMARY KEY,
  authority_epoch INTEGER NOT NULL,
  release TEXT NOT NULL,
  first_offset INTEGER NOT NULL
);
CREATE TABLE positions (
  partition INTEGER PRIMARY KEY,
  next_offset INTEGER NOT NULL
);
CREATE TABLE journal_positions (
  release TEXT NOT NULL,
  shard INTEGER NOT NULL,
  position BLOB NOT NULL,
  PRIMARY KEY (release, shard)
);
CREATE TABLE alert_changes (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  output_id BLOB NOT NULL,
  authority_epoch INTEGER NOT NULL,
  revision INTEGER NOT NULL,
  data TEXT NOT NULL
);
CREATE TABLE alerts (
  output_id BLOB PRIMARY KEY,
  rule TEXT NOT NULL,
  vehicle_ref TEXT NOT NULL,
  severity TEXT NOT NULL,
  state TEXT NOT NULL,
  revision INTEGER NOT NULL,
  boot_counter INTEGER NOT NULL,
  boot_random INTEGER NOT NULL,
  first_seq INTEGER NOT NULL,
  started_at_us INTEGER NOT NULL,
  ended_at_us INTEGER,
  peak_value REAL,
  unit TEXT,
  cell TEXT,
  heading_octant INTEGER,
  vehicle_class TEXT,
  speed_kmh REAL,
  authority_epoch INTEGER NOT NULL,
  release TEXT NOT NULL,
  input_partition INTEGER NOT NULL,
  input_offset INTEGER NOT NULL,
  input_index INTEGER NOT NULL,
  contract_number INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  event_time_us INTEGER NOT NULL,
  receipt_time_us INTEGER NOT NULL,
  publish_time_us INTEGER NOT NULL,
  change_number INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX alerts_by_change ON alerts (change_number);
)sql",
    // 2: authority by lot (docs/decisions/0009-authority-by-lot.md). Each partition's release has
    // all lots; 1 is the order that nobody asked for: an empty Cohort.
    R"sql(
CREATE TABLE orders (
  order_number INTEGER PRIMARY KEY,
  cohort BLOB NOT NULL UNIQUE
);
INSERT INTO orders VALUES (1, x'');
CREATE TABLE authority_epochs (
  partition INTEGER PRIMARY KEY,
  authority_epoch INTEGER NOT NULL,
  order_number INTEGER NOT NULL REFERENCES orders
);
INSERT INTO authority_epochs SELECT partition, authority_epoch, 1 FROM authority;
CREATE TABLE lanes (
  partition INTEGER NOT NULL,
  lot_from INTEGER NOT NULL,
  lot_to INTEGER NOT NULL,
  authority_epoch INTEGER NOT NULL,
  release TEXT NOT NULL,
  first_offset INTEGER NOT NULL,
  next_offset INTEGER NOT NULL,
  PRIMARY KEY (partition, lot_from)
) WITHOUT ROWID;
INSERT INTO lanes SELECT partition, 0, 10002, authority_epoch, release, first_offset,
  max(first_offset, coalesce((SELECT next_offset FROM positions p
                              WHERE p.partition = a.partition), 0))
  FROM authority a;
CREATE TABLE ledger (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  partition INTEGER NOT NULL,
  lot_from INTEGER NOT NULL,
  lot_to INTEGER NOT NULL,
  authority_epoch INTEGER NOT NULL,
  release TEXT NOT NULL,
  from_offset INTEGER NOT NULL,
  to_offset INTEGER,
  order_number INTEGER NOT NULL REFERENCES orders,
  config_seq INTEGER NOT NULL,
  rollout TEXT NOT NULL,
  audit_entry INTEGER NOT NULL,
  at_us INTEGER NOT NULL
);
CREATE UNIQUE INDEX ledger_in_force ON ledger (partition, lot_from) WHERE to_offset IS NULL;
CREATE INDEX ledger_by_epoch ON ledger (partition, authority_epoch);
INSERT INTO ledger (partition, lot_from, lot_to, authority_epoch, release, from_offset, to_offset,
                    order_number, config_seq, rollout, audit_entry, at_us)
  SELECT partition, 0, 10002, authority_epoch, release, first_offset, NULL, 1, 0, '', 0, 0
  FROM authority ORDER BY partition;
DROP TABLE authority;
ALTER TABLE lanes RENAME TO authority;
CREATE TRIGGER ledger_is_closed_once BEFORE UPDATE ON ledger
  WHEN old.to_offset IS NOT NULL OR new.number <> old.number OR new.partition <> old.partition
    OR new.lot_from <> old.lot_from OR new.lot_to <> old.lot_to OR new.release <> old.release
    OR new.authority_epoch <> old.authority_epoch OR new.from_offset <> old.from_offset
  BEGIN SELECT RAISE(ABORT, 'a row of the ledger is only closed, once'); END;
CREATE TRIGGER ledger_no_delete BEFORE DELETE ON ledger
  BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
CREATE TABLE episode_ids (
  output_id BLOB NOT NULL,
  authority_epoch INTEGER NOT NULL,
  published_id BLOB NOT NULL,
  revision_added INTEGER NOT NULL,
  PRIMARY KEY (output_id, authority_epoch)
) WITHOUT ROWID;
CREATE TABLE alerts_left_open (
  output_id BLOB PRIMARY KEY,
  authority_epoch INTEGER NOT NULL,
  input_offset INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX alerts_open ON alerts (vehicle_ref, rule) WHERE state = 'OPEN';
CREATE TABLE control_config (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  signed_config BLOB NOT NULL,
  config_seq INTEGER NOT NULL,
  leader_epoch INTEGER NOT NULL,
  at_us INTEGER NOT NULL
);
)sql"};

}  // namespace telltale::publish
