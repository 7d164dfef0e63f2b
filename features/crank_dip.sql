-- feature: crank_dip
-- version: 1
-- table:   features.crank_dip, one row per vehicle, boot and ignition cycle
-- reads:   15 days before the window, 1 day after it
-- input telemetry: vehicle_ref string, boot_counter long, boot_random string, seq long
-- input telemetry: event_time timestamptz, received_at timestamptz, log_time timestamptz
-- input telemetry: release string, contract_version long
-- input telemetry: ignition_cycle long, is_ignition_on boolean, is_engine_running boolean
-- input telemetry: engine_speed_rpm double, run_time_s long, speed_kmh double, obd_speed_kmh double
-- input telemetry: crank_min_v double, low_voltage_battery_v double, control_module_v double
-- input telemetry: ambient_temperature_c double
-- input arrivals: vehicle_ref string, boot_counter long, boot_random string, hour timestamptz
-- input arrivals: received long, missing long
--
-- source: Geotab's model card and US 12633583, where validity comes first; the level of 9.6 V from
--   workshop guides. Figures marked [own] are proposals of ours, to be tuned on data.
--
-- formula
--   Engine: rpm <= 0 still, under 400 cranking, else running [own]; without rpm is_engine_running;
--     a report with neither (signals may come in reports of their own) has the state before it.
--   start = the first report of the turning that reaches running, after a still or (at the begin
--     of a boot) a cranking one. A crank that fails is not a start.
--   V_dip = crank_min_v, measured in the car at 10 Hz or more: the first one 2 s or more after the
--     start and before the next, else the last one from the start on (one from before is of an
--     older start). Without it the lowest sampled voltage in [start - 0.5 s, start + 2 s].
--   Voltage: low_voltage_battery_v where the boot has any, else control_module_v.
--   Cycle: counter ignition_cycle where the boot has it; else edges off -> on of is_ignition_on;
--     else engine: a stop of the engine or a fall of run_time_s; else the whole boot. Cycles never
--     cross a boot: the platform cannot tell one in two boots from two.
--   14 days: over valid cycles of one v_source, at a vehicle's last valid one of each UTC day (null
--     in the other rows): 5th percentile from 5 cycles on; slope by Theil-Sen over pairs an hour or
--     more apart, from 5 cycles over 3 days on [own].
--
-- validity, the first that applies is the reason
--   no_voltage       no voltage in the cycle: not sent, or nulled by the lake as out of range
--   wrong_unit       median while running under 6 or over 36 V; crank_min_v under 3 V; or 5 reports
--                    and most of those with a turning engine at 20 km/h up under 400 rpm [own]
--   not_12v          median while running over 18 V: another net, other levels [own]
--   stuck            10 or more voltages of a cycle with a running engine all the same; or the same
--                    crank_min_v in five cycles that follow each other within 14 days [own]
--   no_engine_start  no start as above in the cycle
--   jump_start       over 15 V in the window of a start
--   no_sample        a start, but no voltage in its window
--   rate_too_low     sampled under 9.5 Hz (10 Hz less 5 % for jitter) or over less than 2 s of the
--                    window: v_dip_v is given, and is an upper bound of the dip
--
-- columns: number, name, type (! never null), unit, meaning
--   10100 vehicle_ref string! - pseudonym
--   10101 boot_counter long! - the boot
--   10102 boot_random string! - its random part, 16 hexadecimal digits
--   10210 window_start timestamptz! UTC first report of the cycle; the key a run replaces by
--   10211 window_end timestamptz! UTC last report of the cycle (event time)
--   10212 valid boolean! - whether v_dip_v may be used
--   10213 invalid_reason string - from the list above; null when valid
--   10214 completeness double 1 received / (received + missing) of the boot in the cycle's hours
--   10110 received_at timestamptz! UTC newest receipt of what the row rests on
--   10112 release string - in force at the cycle's newest record
--   10114 contract_version long - highest of the cycle
--   1 cycle_source string! - counter, ignition, engine or boot
--   2 ignition_cycle long - the car's counter, where that is the source
--   3 start_time timestamptz UTC start of the engine
--   4 v_dip_v double V null with no_voltage, wrong_unit, no_engine_start and no_sample
--   5 v_source string - crank_min_v, low_voltage_battery_v or control_module_v
--   6 dip_class string - measured (in the car), sampled (10 Hz) or upper_bound (slower)
--   7 n long 1 voltages in the window of the start
--   8 span_s double s between the first and the last of them
--   9 rate_hz double Hz (n - 1) / span
--   10 share_missing double 1 reports in that window (in the cycle, without a start) that lack it
--   11 v_max_v double V highest voltage in the window
--   12 v_running_v double V median of the cycle with a running engine
--   13 ambient_temperature_c double Cel at the start, mean of the window
--   14 is_weak boolean - valid and under 9.6 V; null when not valid
--   15 dip_p05_14d_v double V 5th percentile of 14 days
--   16 dip_slope_14d double mV/week Theil-Sen slope of 14 days
--   17 n_14d long 1 valid cycles they rest on
--   18 span_14d_d double d between the first and the last of those
WITH report AS (
  SELECT
    t.*,
    coalesce(speed_kmh, obd_speed_kmh) AS speed,
    CASE
      WHEN engine_speed_rpm <= 0 THEN 1
      WHEN engine_speed_rpm < 400 THEN 2
      WHEN engine_speed_rpm IS NOT NULL THEN 3
      WHEN is_engine_running THEN 3
      WHEN NOT is_engine_running THEN 1
    END AS engine,
    max(CASE WHEN low_voltage_battery_v IS NOT NULL THEN 1 ELSE 0 END) OVER boot AS has_battery,
    max(CASE WHEN ignition_cycle IS NOT NULL THEN 1 ELSE 0 END) OVER boot AS has_counter,
    max(CASE WHEN is_ignition_on IS NOT NULL THEN 1 ELSE 0 END) OVER boot AS has_ignition,
    max(
      CASE
        WHEN engine_speed_rpm IS NOT NULL OR run_time_s IS NOT NULL
          OR is_engine_running IS NOT NULL
        THEN 1 ELSE 0
      END
    ) OVER boot AS has_engine,
    min(ignition_cycle) OVER boot AS counter_first,
    row_number() OVER (
      PARTITION BY vehicle_ref, boot_counter, boot_random ORDER BY event_us, seq
    ) AS rn
  FROM telemetry AS t
  WINDOW boot AS (PARTITION BY vehicle_ref, boot_counter, boot_random)
),
-- The newest known state before this report, carried as position * size + state: a running maximum
-- does it on every engine, which IGNORE NULLS does not.
known AS (
  SELECT
    r.*,
    CASE WHEN has_battery = 1 THEN low_voltage_battery_v ELSE control_module_v END AS volts,
    CASE
      WHEN has_counter = 1 THEN 'counter'
      WHEN has_ignition = 1 THEN 'ignition'
      WHEN has_engine = 1 THEN 'engine'
      ELSE 'boot'
    END AS cycle_source,
    max(rn * 4 + engine) OVER before % 4 AS engine_before,
    max(rn * 2 + CASE WHEN is_ignition_on THEN 1 WHEN NOT is_ignition_on THEN 0 END)
      OVER before % 2 AS ignition_before,
    max(rn * 65536 + run_time_s) OVER before % 65536 AS run_time_before,
    max(ignition_cycle) OVER (
      PARTITION BY vehicle_ref, boot_counter, boot_random ORDER BY rn
      ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
    ) AS counter
  FROM report AS r
  WINDOW before AS (
    PARTITION BY vehicle_ref, boot_counter, boot_random ORDER BY rn
    ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
  )
),
edged AS (
  SELECT
    k.*,
    CASE
      WHEN engine >= 2 AND engine_before = 1 THEN 1
      WHEN engine = 2 AND engine_before IS NULL THEN 1
      ELSE 0
    END AS turns,
    CASE
      WHEN cycle_source = 'ignition' AND is_ignition_on AND ignition_before = 0 THEN 1
      WHEN cycle_source = 'engine' AND engine = 1 AND engine_before = 3 THEN 1
      WHEN cycle_source = 'engine' AND run_time_s < run_time_before THEN 1
      ELSE 0
    END AS begins
  FROM known AS k
),
placed AS (
  SELECT
    e.*,
    CASE
      WHEN cycle_source = 'counter' THEN coalesce(counter, counter_first)
      ELSE sum(begins) OVER so_far
    END AS cycle,
    sum(turns) OVER so_far AS turn
  FROM edged AS e
  WINDOW so_far AS (
    PARTITION BY vehicle_ref, boot_counter, boot_random ORDER BY rn
    ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
  )
),
-- A turn is numbered within its boot; the cycle it starts is that of its first report.
turned AS (
  SELECT
    vehicle_ref, boot_counter, boot_random, turn,
    min_by(cycle, rn) AS cycle,
    min(event_us) AS start_us,
    min(event_time) AS start_time
  FROM placed
  WHERE turn > 0
  GROUP BY vehicle_ref, boot_counter, boot_random, turn
  HAVING max(engine) = 3
),
started AS (
  SELECT
    vehicle_ref, boot_counter, boot_random, cycle,
    min(turn) AS turn,
    min(start_us) AS start_us,
    min(start_time) AS start_time
  FROM turned
  GROUP BY vehicle_ref, boot_counter, boot_random, cycle
),
cycled AS (
  SELECT
    vehicle_ref, boot_counter, boot_random, cycle,
    min(cycle_source) AS cycle_source,
    min(event_time) AS window_start,
    max(event_time) AS window_end,
    min(event_us) AS first_us,
    max(event_us) AS last_us,
    max(received_at) AS received_at,
    max_by(release, log_time) AS release,
    max(contract_version) AS contract_version,
    max(engine) AS engine_max,
    max(has_battery) AS has_battery,
    max(CASE WHEN is_ignition_on THEN 1 ELSE 0 END) AS ignition_max,
    count(*) AS n_reports,
    count(volts) AS n_volts,
    count(crank_min_v) AS n_measured,
    min(volts) AS volts_min,
    max(volts) AS volts_max,
    percentile_cont(0.5) WITHIN GROUP (
      ORDER BY CASE WHEN coalesce(engine, engine_before) = 3 THEN volts END
    ) AS v_running_v,
    count(CASE WHEN speed >= 20 AND engine_speed_rpm > 0 AND engine_speed_rpm < 400 THEN 1 END)
      AS n_slow_engine,
    count(CASE WHEN speed >= 20 AND engine_speed_rpm > 0 THEN 1 END) AS n_moving_engine
  FROM placed
  GROUP BY vehicle_ref, boot_counter, boot_random, cycle
),
-- By time and within the boot, not within the cycle: half a second before the start may be counted
-- to the cycle before.
sampled AS (
  SELECT
    s.vehicle_ref, s.boot_counter, s.boot_random, s.cycle,
    count(*) AS n_reports,
    count(p.volts) AS n,
    min(p.volts) AS v_min,
    max(p.volts) AS v_max,
    (max(CASE WHEN p.volts IS NOT NULL THEN p.event_us END)
      - min(CASE WHEN p.volts IS NOT NULL THEN p.event_us END)) / 1e6 AS span_s,
    -- Exact, so that the order of the reports does not matter.
    sum(CAST(round(p.ambient_temperature_c * 1e6) AS BIGINT)) / 1e6
      / nullif(count(p.ambient_temperature_c), 0) AS ambient_temperature_c
  FROM started AS s
  JOIN placed AS p
    ON p.vehicle_ref = s.vehicle_ref AND p.boot_counter = s.boot_counter
    AND p.boot_random = s.boot_random
    AND p.event_us BETWEEN s.start_us - 500000 AND s.start_us + 2000000
  GROUP BY s.vehicle_ref, s.boot_counter, s.boot_random, s.cycle
),
measured AS (
  SELECT
    s.vehicle_ref, s.boot_counter, s.boot_random, s.cycle,
    coalesce(
      min_by(p.crank_min_v, p.rn) FILTER (WHERE p.event_us >= s.start_us + 2000000),
      max_by(p.crank_min_v, p.rn) FILTER (WHERE p.event_us < s.start_us + 2000000)
    ) AS v_measured
  FROM started AS s
  JOIN placed AS p
    ON p.vehicle_ref = s.vehicle_ref AND p.boot_counter = s.boot_counter
    AND p.boot_random = s.boot_random AND p.cycle = s.cycle AND p.turn = s.turn
  WHERE p.crank_min_v IS NOT NULL
  GROUP BY s.vehicle_ref, s.boot_counter, s.boot_random, s.cycle
),
arrived AS (
  SELECT
    c.vehicle_ref, c.boot_counter, c.boot_random, c.cycle,
    CAST(sum(a.received) AS DOUBLE) / nullif(sum(a.received) + sum(a.missing), 0) AS completeness
  FROM cycled AS c
  JOIN arrivals AS a
    ON a.vehicle_ref = c.vehicle_ref AND a.boot_counter = c.boot_counter
    AND a.boot_random = c.boot_random
    AND a.hour_us > c.first_us - 3600000000 AND a.hour_us <= c.last_us
  GROUP BY c.vehicle_ref, c.boot_counter, c.boot_random, c.cycle
),
joined AS (
  SELECT
    c.*,
    s.start_us,
    s.start_time,
    coalesce(w.n, 0) AS n,
    w.span_s,
    CASE WHEN w.n > 1 AND w.span_s > 0 THEN (w.n - 1) / w.span_s END AS rate_hz,
    CASE
      WHEN s.start_us IS NULL THEN 1.0 - CAST(c.n_volts AS DOUBLE) / c.n_reports
      ELSE 1.0 - CAST(w.n AS DOUBLE) / w.n_reports
    END AS share_missing,
    w.v_min,
    w.v_max,
    w.ambient_temperature_c,
    m.v_measured,
    a.completeness,
    -- Whether this and the four measured cycles before it gave one value.
    CASE
      WHEN m.v_measured IS NOT NULL AND count(m.v_measured) OVER five = 5
        AND min(m.v_measured) OVER five = max(m.v_measured) OVER five
        AND min(c.first_us) OVER five > c.first_us - 1209600000000
      THEN 1 ELSE 0
    END AS is_measured_stuck
  FROM cycled AS c
  LEFT JOIN started AS s
    ON s.vehicle_ref = c.vehicle_ref AND s.boot_counter = c.boot_counter
    AND s.boot_random = c.boot_random AND s.cycle = c.cycle
  LEFT JOIN sampled AS w
    ON w.vehicle_ref = c.vehicle_ref AND w.boot_counter = c.boot_counter
    AND w.boot_random = c.boot_random AND w.cycle = c.cycle
  LEFT JOIN measured AS m
    ON m.vehicle_ref = c.vehicle_ref AND m.boot_counter = c.boot_counter
    AND m.boot_random = c.boot_random AND m.cycle = c.cycle
  LEFT JOIN arrived AS a
    ON a.vehicle_ref = c.vehicle_ref AND a.boot_counter = c.boot_counter
    AND a.boot_random = c.boot_random AND a.cycle = c.cycle
  -- A stop of the engine alone, or an ignition that is never on, is no cycle.
  WHERE NOT (c.cycle_source = 'engine' AND coalesce(c.engine_max, 1) = 1)
    AND NOT (c.cycle_source = 'ignition' AND c.ignition_max = 0)
  WINDOW five AS (
    PARTITION BY c.vehicle_ref, CASE WHEN m.v_measured IS NULL THEN 0 ELSE 1 END
    ORDER BY c.first_us, c.boot_counter, c.boot_random
    ROWS BETWEEN 4 PRECEDING AND CURRENT ROW
  )
),
judged AS (
  SELECT
    j.*,
    CASE
      WHEN n_volts = 0 AND n_measured = 0 THEN 'no_voltage'
      WHEN v_running_v < 6 OR v_running_v > 36 OR v_measured < 3 THEN 'wrong_unit'
      WHEN n_slow_engine >= 5 AND n_slow_engine * 2 > n_moving_engine THEN 'wrong_unit'
      WHEN v_running_v > 18 OR v_measured > 18 THEN 'not_12v'
      WHEN is_measured_stuck = 1 THEN 'stuck'
      WHEN n_volts >= 10 AND volts_min = volts_max AND engine_max = 3 THEN 'stuck'
      WHEN start_us IS NULL THEN 'no_engine_start'
      WHEN v_max > 15 THEN 'jump_start'
      WHEN v_measured IS NOT NULL THEN NULL
      WHEN n = 0 THEN 'no_sample'
      WHEN rate_hz IS NULL OR rate_hz < 9.5 OR span_s < 2 THEN 'rate_too_low'
    END AS invalid_reason,
    CASE
      WHEN v_measured IS NOT NULL THEN 'crank_min_v'
      WHEN n_volts = 0 THEN NULL
      WHEN has_battery = 1 THEN 'low_voltage_battery_v'
      ELSE 'control_module_v'
    END AS v_source,
    CASE
      WHEN v_measured IS NOT NULL THEN 'measured'
      WHEN n = 0 THEN NULL
      WHEN rate_hz >= 9.5 AND span_s >= 2 THEN 'sampled'
      ELSE 'upper_bound'
    END AS dip_class
  FROM joined AS j
),
dips AS (
  SELECT
    d.*,
    invalid_reason IS NULL AS valid,
    CASE WHEN coalesce(invalid_reason, '') <> 'wrong_unit' THEN coalesce(v_measured, v_min) END
      AS v_dip_v
  FROM judged AS d
),
good AS (
  SELECT
    vehicle_ref, boot_counter, boot_random, cycle, v_source, start_us, received_at, v_dip_v,
    row_number() OVER (
      PARTITION BY vehicle_ref, v_source, date_trunc('day', start_time)
      ORDER BY start_us DESC, boot_counter DESC, boot_random DESC
    ) AS from_last
  FROM dips
  WHERE valid
),
-- What a day's last cycle looks back on.
behind AS (
  SELECT
    g.vehicle_ref, g.boot_counter, g.boot_random, g.cycle,
    o.start_us, o.received_at, o.v_dip_v
  FROM good AS g
  JOIN good AS o
    ON o.vehicle_ref = g.vehicle_ref AND o.v_source = g.v_source
    AND o.start_us <= g.start_us AND o.start_us > g.start_us - 1209600000000
  WHERE g.from_last = 1
),
looked_back AS (
  SELECT
    vehicle_ref, boot_counter, boot_random, cycle,
    count(*) AS n_14d,
    (max(start_us) - min(start_us)) / 8.64e10 AS span_14d_d,
    max(received_at) AS received_at,
    CASE WHEN count(*) >= 5 THEN percentile_cont(0.05) WITHIN GROUP (ORDER BY v_dip_v) END
      AS dip_p05_14d_v
  FROM behind
  GROUP BY vehicle_ref, boot_counter, boot_random, cycle
),
sloped AS (
  SELECT
    a.vehicle_ref, a.boot_counter, a.boot_random, a.cycle,
    percentile_cont(0.5) WITHIN GROUP (
      ORDER BY (b.v_dip_v - a.v_dip_v) * 1e3 / ((b.start_us - a.start_us) / 6.048e11)
    ) AS dip_slope_14d
  FROM behind AS a
  JOIN behind AS b
    ON b.vehicle_ref = a.vehicle_ref AND b.boot_counter = a.boot_counter
    AND b.boot_random = a.boot_random AND b.cycle = a.cycle
    AND b.start_us >= a.start_us + 3600000000
  GROUP BY a.vehicle_ref, a.boot_counter, a.boot_random, a.cycle
)
SELECT
  d.vehicle_ref, d.boot_counter, d.boot_random, d.window_start, d.window_end,
  d.valid, d.invalid_reason, d.completeness,
  greatest(d.received_at, coalesce(t.received_at, d.received_at)) AS received_at,
  d.release, d.contract_version, d.cycle_source,
  CASE WHEN d.cycle_source = 'counter' THEN d.cycle END AS ignition_cycle,
  d.start_time, d.v_dip_v, d.v_source, d.dip_class, d.n, d.span_s, d.rate_hz, d.share_missing,
  d.v_max AS v_max_v, d.v_running_v, d.ambient_temperature_c,
  CASE WHEN d.valid THEN d.v_dip_v < 9.6 END AS is_weak,
  t.dip_p05_14d_v,
  CASE WHEN t.n_14d >= 5 AND t.span_14d_d >= 3 THEN s.dip_slope_14d END AS dip_slope_14d,
  t.n_14d, t.span_14d_d
FROM dips AS d
LEFT JOIN looked_back AS t
  ON t.vehicle_ref = d.vehicle_ref AND t.boot_counter = d.boot_counter
  AND t.boot_random = d.boot_random AND t.cycle = d.cycle
LEFT JOIN sloped AS s
  ON s.vehicle_ref = d.vehicle_ref AND s.boot_counter = d.boot_counter
  AND s.boot_random = d.boot_random AND s.cycle = d.cycle
