-- feature: fuel_trim_drift
-- version: 1
-- table:   features.fuel_trim_drift, one row per vehicle and ISO week (Monday 00:00 UTC)
-- reads:   63 days before the window, 8 days after it
-- input telemetry: vehicle_ref string, boot_counter long, boot_random string, seq long
-- input telemetry: event_time timestamptz, received_at timestamptz, log_time timestamptz
-- input telemetry: release string, contract_version long
-- input telemetry: engine_speed_rpm double, speed_kmh double, obd_speed_kmh double
-- input telemetry: coolant_temperature_c double, run_time_s long, engine_load_percent double
-- input telemetry: commanded_lambda double
-- input telemetry: short_fuel_trim_b1_percent double, long_fuel_trim_b1_percent double
-- input telemetry: short_fuel_trim_b2_percent double, long_fuel_trim_b2_percent double
-- input telemetry: odometer_km double, trip_distance_km double
-- input arrivals: vehicle_ref string, boot_counter long, boot_random string, hour timestamptz
-- input arrivals: received long, missing long
--
-- source: workshop literature for +-8 and +-10 % and for idle against cruise; 75 degrees from
--   service texts on P0128. Figures marked [own] are proposals of ours, to be tuned on data.
--
-- formula
--   Signals may come in reports of their own. A trim counts once, in the report that has STFT; what
--   goes with it is the newest known value of the boot, 5 s old at most (coolant, run time: 60 s).
--   FT = STFT + LTFT of bank 1, in reports that count as warm and closed loop. The contract has no
--   status of the loop (PID 03), so this stands for it [own]: rpm >= 400; coolant 75 to 130 deg C;
--   run_time_s >= 60, engine load under 80 % and commanded lambda 0.97 to 1.03, each where it is
--   sent (a lambda of 0 is a placeholder and counts as not sent). Fuel cut on overrun is not seen.
--   Bins: idle = rpm under 900 and speed 0; cruise = 40 km/h or more and rpm 900 or more [own].
--   ft_percent = mean of the two bins' means, so that the share of either does not move it.
--   Drift: Theil-Sen over ft_percent of the valid weeks among the eight that end with this one,
--   from three weeks on [own]: per week, and per 1,000 km of distance, from 100 km on [own], over
--   weeks of one distance_source.
--   Distance of a week, from the first of these the vehicle sends in it: odometer_km (it carries
--   one random offset per owner: differences are right), trip_distance_km (its rises; a fall is a
--   new trip), else speed integrated over the time to the boot's next speed; a gap of more than
--   30 s adds nothing.
--   Sums are of whole millionths (speed: of whole micrometres): exact, so the same reports give
--   the same bits in any order.
--
-- validity, the first that applies is the reason
--   wrong_unit          coolant over 130 degrees (Fahrenheit); 30 or more trims that are all under
--                       0.5 but not all 0 (a ratio; a step of PID 06 is 0.78 %); a median |FT| over
--                       50 %; or at 20 km/h and more 5 reports and most of them with a turning
--                       engine under 400 rpm (other unit) [own]
--   engine_not_running  no report with rpm >= 400: an electric car, or nothing sent
--   no_trim             it runs, but never both trims of bank 1: not sent, or nulled by the lake
--   no_coolant          no coolant temperature while the engine runs
--   not_warm            coolant never reaches 75 degrees
--   too_few_samples     under 60 reports with FT [own]
--   stuck               short trim, or engine speed, all the same
--   too_few_bins        under 30 reports with FT in idle or cruise [own]; the other mean is given
--
-- columns: number, name, type (! never null), unit, meaning
--   10100 vehicle_ref string! - pseudonym
--   10210 window_start timestamptz! UTC Monday 00:00 of the week; the key a run replaces by
--   10211 window_end timestamptz! UTC newest event time of the vehicle in the week
--   10212 valid boolean! - whether ft_percent, idle_minus_cruise and drift may be used
--   10213 invalid_reason string - from the list above; null when valid
--   10214 completeness double 1 received / (received + missing) of the vehicle in the week
--   10110 received_at timestamptz! UTC newest receipt of what the row rests on
--   10112 release string - in force at the week's newest record
--   10114 contract_version long - highest of the week
--   1 ft_percent double % (ft_idle + ft_cruise) / 2
--   2 ft_idle double % mean FT of the idle bin, from 30 reports on
--   3 ft_cruise double % mean FT of the cruise bin, from 30 reports on
--   4 idle_minus_cruise double % over 8 points to a vacuum leak
--   5 ft_median double % median FT over all warm closed-loop reports
--   6 bank_difference double % mean FT of bank 1 less that of bank 2, where both are sent
--   7 n long 1 warm closed-loop reports with FT
--   8 n_idle long 1 of those in the idle bin
--   9 n_cruise long 1 of those in the cruise bin
--   10 n_running long 1 reports with a running engine
--   11 span_s double s from the first to the last report with FT
--   12 share_missing double 1 warm closed-loop reports that lack STFT, or LTFT before it
--   13 share_warm double 1 running reports that are warm and closed loop
--   14 distance_km double km driven in the week
--   15 distance_source string - odometer, trip or speed
--   16 drift_per_week double %/week Theil-Sen slope over eight weeks
--   17 drift_per_1000_km double %/1000km the same against distance
--   18 n_weeks long 1 valid weeks that drift_per_week rests on
--   19 span_km double km distance that drift_per_1000_km rests on
WITH report AS (
  SELECT
    t.*,
    -- Weeks as numbers: their Monday 00:00 UTC, where 1970-01-05 was one.
    event_us - (event_us - 345600000000) % 604800000000 AS week_us,
    coalesce(speed_kmh, obd_speed_kmh) AS speed_now,
    row_number() OVER (
      PARTITION BY vehicle_ref, boot_counter, boot_random ORDER BY event_us, seq
    ) AS rn
  FROM telemetry AS t
),
-- Trip distance per boot: a rise is distance; a fall is a new trip, which began at 0.
trip AS (
  SELECT
    vehicle_ref, week_us,
    sum(
      CASE
        WHEN before_km IS NULL THEN 0
        WHEN trip_distance_km < before_km THEN CAST(round(trip_distance_km * 1e6) AS BIGINT)
        ELSE CAST(round((trip_distance_km - before_km) * 1e6) AS BIGINT)
      END
    ) / 1e6 AS trip_km
  FROM (
    SELECT
      vehicle_ref, week_us, trip_distance_km,
      lag(trip_distance_km) OVER (
        PARTITION BY vehicle_ref, boot_counter, boot_random ORDER BY rn
      ) AS before_km
    FROM report
    WHERE trip_distance_km IS NOT NULL
  ) AS steps
  GROUP BY vehicle_ref, week_us
),
rolled AS (
  SELECT
    vehicle_ref, week_us,
    sum(
      CASE
        WHEN next_us <= event_us + 30000000
        THEN CAST(round(speed_now * (next_us - event_us) / 3.6) AS BIGINT)
      END
    ) / 1e9 AS speed_km
  FROM (
    SELECT
      vehicle_ref, week_us, event_us, speed_now,
      lead(event_us) OVER (
        PARTITION BY vehicle_ref, boot_counter, boot_random ORDER BY rn
      ) AS next_us
    FROM report
    WHERE speed_now IS NOT NULL
  ) AS steps
  GROUP BY vehicle_ref, week_us
),
-- The newest known value: max_by over the known ones (IGNORE NULLS is written differently
-- everywhere).
carried AS (
  SELECT
    r.*,
    max_by(engine_speed_rpm, CASE WHEN engine_speed_rpm IS NOT NULL THEN rn END) OVER near AS rpm,
    max_by(speed_now, CASE WHEN speed_now IS NOT NULL THEN rn END) OVER near AS speed,
    max_by(engine_load_percent, CASE WHEN engine_load_percent IS NOT NULL THEN rn END)
      OVER near AS load,
    max_by(commanded_lambda, CASE WHEN commanded_lambda IS NOT NULL THEN rn END)
      OVER near AS lambda_now,
    max_by(long_fuel_trim_b1_percent, CASE WHEN long_fuel_trim_b1_percent IS NOT NULL THEN rn END)
      OVER near AS long_b1,
    max_by(long_fuel_trim_b2_percent, CASE WHEN long_fuel_trim_b2_percent IS NOT NULL THEN rn END)
      OVER near AS long_b2,
    max_by(short_fuel_trim_b2_percent, CASE WHEN short_fuel_trim_b2_percent IS NOT NULL THEN rn END)
      OVER near AS short_b2,
    max_by(coolant_temperature_c, CASE WHEN coolant_temperature_c IS NOT NULL THEN rn END)
      OVER minute AS coolant,
    max_by(run_time_s, CASE WHEN run_time_s IS NOT NULL THEN rn END) OVER minute AS run_time
  FROM report AS r
  WINDOW
    near AS (
      PARTITION BY vehicle_ref, boot_counter, boot_random ORDER BY event_us
      RANGE BETWEEN 5000000 PRECEDING AND CURRENT ROW
    ),
    minute AS (
      PARTITION BY vehicle_ref, boot_counter, boot_random ORDER BY event_us
      RANGE BETWEEN 60000000 PRECEDING AND CURRENT ROW
    )
),
-- `is_loop`: warm and closed loop, as far as it can be told.
looped AS (
  SELECT
    c.*,
    short_fuel_trim_b1_percent + long_b1 AS ft,
    short_b2 + long_b2 AS ft_b2,
    CASE
      WHEN rpm >= 400 AND coolant BETWEEN 75 AND 130
        AND coalesce(run_time, 60) >= 60
        AND coalesce(load, 0) < 80
        AND (coalesce(lambda_now, 0) = 0 OR lambda_now BETWEEN 0.97 AND 1.03)
      THEN 1 ELSE 0
    END AS is_loop
  FROM carried AS c
),
binned AS (
  SELECT
    l.*,
    CASE WHEN is_loop = 1 THEN ft END AS ft_loop,
    CASE
      WHEN is_loop = 0 OR ft IS NULL THEN NULL
      WHEN rpm < 900 AND speed = 0 THEN 'idle'
      WHEN rpm >= 900 AND speed >= 40 THEN 'cruise'
    END AS bin
  FROM looped AS l
),
weekly AS (
  SELECT
    vehicle_ref, week_us,
    date_trunc('week', min(event_time)) AS week,
    max(event_time) AS window_end,
    max(received_at) AS received_at,
    max_by(release, log_time) AS release,
    max(contract_version) AS contract_version,
    count(CASE WHEN rpm >= 400 THEN 1 END) AS n_running,
    count(CASE WHEN rpm >= 400 THEN ft END) AS n_trims,
    count(CASE WHEN rpm >= 400 THEN coolant END) AS n_coolant,
    max(CASE WHEN rpm >= 400 THEN coolant END) AS coolant_max,
    greatest(
      max(CASE WHEN rpm >= 400 THEN abs(short_fuel_trim_b1_percent) END),
      max(CASE WHEN rpm >= 400 THEN abs(long_fuel_trim_b1_percent) END)
    ) AS trim_max,
    count(CASE WHEN speed >= 20 AND rpm > 0 AND rpm < 400 THEN 1 END)
      AS n_slow_engine,
    count(CASE WHEN speed >= 20 AND rpm > 0 THEN 1 END) AS n_moving_engine,
    sum(is_loop) AS n_loop,
    count(ft_loop) AS n,
    count(CASE WHEN bin = 'idle' THEN 1 END) AS n_idle,
    count(CASE WHEN bin = 'cruise' THEN 1 END) AS n_cruise,
    sum(CASE WHEN bin = 'idle' THEN CAST(round(ft * 1e6) AS BIGINT) END) / 1e6
      / nullif(count(CASE WHEN bin = 'idle' THEN 1 END), 0) AS idle_mean,
    sum(CASE WHEN bin = 'cruise' THEN CAST(round(ft * 1e6) AS BIGINT) END) / 1e6
      / nullif(count(CASE WHEN bin = 'cruise' THEN 1 END), 0) AS cruise_mean,
    percentile_cont(0.5) WITHIN GROUP (ORDER BY ft_loop) AS ft_median,
    percentile_cont(0.5) WITHIN GROUP (ORDER BY abs(ft_loop)) AS ft_size,
    sum(CAST(round((ft_loop - ft_b2) * 1e6) AS BIGINT)) / 1e6
      / nullif(count(ft_loop - ft_b2), 0) AS bank_difference,
    min(CASE WHEN ft_loop IS NOT NULL THEN short_fuel_trim_b1_percent END) AS short_min,
    max(CASE WHEN ft_loop IS NOT NULL THEN short_fuel_trim_b1_percent END) AS short_max,
    min(CASE WHEN ft_loop IS NOT NULL THEN rpm END) AS rpm_min,
    max(CASE WHEN ft_loop IS NOT NULL THEN rpm END) AS rpm_max,
    (max(CASE WHEN ft_loop IS NOT NULL THEN event_us END)
      - min(CASE WHEN ft_loop IS NOT NULL THEN event_us END)) / 1e6 AS span_s,
    min(odometer_km) AS odometer_first,
    max(odometer_km) AS odometer_last,
    count(odometer_km) AS n_odometer
  FROM binned
  GROUP BY vehicle_ref, week_us
),
arrived AS (
  SELECT
    w.vehicle_ref, w.week_us,
    CAST(sum(a.received) AS DOUBLE) / nullif(sum(a.received) + sum(a.missing), 0) AS completeness
  FROM weekly AS w
  JOIN arrivals AS a
    ON a.vehicle_ref = w.vehicle_ref
    AND a.hour_us >= w.week_us AND a.hour_us < w.week_us + 604800000000
  GROUP BY w.vehicle_ref, w.week_us
),
judged AS (
  SELECT
    w.*,
    a.completeness,
    CASE
      WHEN w.n_odometer > 1 THEN 'odometer'
      WHEN t.trip_km IS NOT NULL THEN 'trip'
      WHEN r.speed_km IS NOT NULL THEN 'speed'
    END AS distance_source,
    CASE
      WHEN w.n_odometer > 1 THEN w.odometer_last - w.odometer_first
      WHEN t.trip_km IS NOT NULL THEN t.trip_km
      ELSE r.speed_km
    END AS distance_km,
    CASE
      WHEN n_slow_engine >= 5 AND n_slow_engine * 2 > n_moving_engine THEN 'wrong_unit'
      WHEN coolant_max > 130 OR ft_size > 50 THEN 'wrong_unit'
      WHEN n_trims >= 30 AND trim_max > 0 AND trim_max < 0.5 THEN 'wrong_unit'
      WHEN n_running = 0 THEN 'engine_not_running'
      WHEN n_trims = 0 THEN 'no_trim'
      WHEN n_coolant = 0 THEN 'no_coolant'
      WHEN coolant_max < 75 THEN 'not_warm'
      WHEN n < 60 THEN 'too_few_samples'
      WHEN short_min = short_max OR rpm_min = rpm_max THEN 'stuck'
      WHEN n_idle < 30 OR n_cruise < 30 THEN 'too_few_bins'
    END AS invalid_reason,
    CASE WHEN n_idle >= 30 THEN idle_mean END AS idle,
    CASE WHEN n_cruise >= 30 THEN cruise_mean END AS cruise
  FROM weekly AS w
  LEFT JOIN trip AS t ON t.vehicle_ref = w.vehicle_ref AND t.week_us = w.week_us
  LEFT JOIN rolled AS r ON r.vehicle_ref = w.vehicle_ref AND r.week_us = w.week_us
  LEFT JOIN arrived AS a ON a.vehicle_ref = w.vehicle_ref AND a.week_us = w.week_us
),
known AS (
  SELECT
    j.*,
    invalid_reason IS NULL AS valid,
    CASE WHEN coalesce(invalid_reason, '') NOT IN ('wrong_unit', 'stuck') THEN 1 END AS is_given,
    (idle + cruise) / 2 AS level,
    -- Where the week ends on the vehicle's own scale of distance; only differences are used.
    CASE
      WHEN distance_source = 'odometer' THEN odometer_last
      ELSE sum(distance_km) OVER (
        PARTITION BY vehicle_ref, distance_source ORDER BY week_us
        ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
      )
    END AS at_km
  FROM judged AS j
),
behind AS (
  SELECT
    k.vehicle_ref, k.week_us, o.week_us AS other_us, o.received_at, o.level,
    CASE WHEN o.distance_source = k.distance_source THEN o.at_km END AS at_km
  FROM known AS k
  JOIN known AS o
    ON o.vehicle_ref = k.vehicle_ref AND o.week_us <= k.week_us
    AND o.week_us > k.week_us - 8 * 604800000000
  WHERE k.valid AND o.valid
),
looked_back AS (
  SELECT
    vehicle_ref, week_us,
    count(*) AS n_weeks,
    count(at_km) AS n_km,
    max(at_km) - min(at_km) AS span_km,
    max(received_at) AS received_at
  FROM behind
  GROUP BY vehicle_ref, week_us
),
sloped AS (
  SELECT
    a.vehicle_ref, a.week_us,
    percentile_cont(0.5) WITHIN GROUP (
      ORDER BY (b.level - a.level) / ((b.other_us - a.other_us) / 6.048e11)
    ) AS per_week,
    percentile_cont(0.5) WITHIN GROUP (
      ORDER BY (b.level - a.level) * 1e3 / nullif(b.at_km - a.at_km, 0)
    ) AS per_1000_km
  FROM behind AS a
  JOIN behind AS b
    ON b.vehicle_ref = a.vehicle_ref AND b.week_us = a.week_us AND b.other_us > a.other_us
  GROUP BY a.vehicle_ref, a.week_us
)
SELECT
  k.vehicle_ref, k.week AS window_start, k.window_end, k.valid, k.invalid_reason, k.completeness,
  greatest(k.received_at, coalesce(t.received_at, k.received_at)) AS received_at,
  k.release, k.contract_version,
  CASE WHEN is_given = 1 THEN k.level END AS ft_percent,
  CASE WHEN is_given = 1 THEN k.idle END AS ft_idle,
  CASE WHEN is_given = 1 THEN k.cruise END AS ft_cruise,
  CASE WHEN is_given = 1 THEN k.idle - k.cruise END AS idle_minus_cruise,
  CASE WHEN is_given = 1 THEN k.ft_median END AS ft_median,
  CASE WHEN is_given = 1 THEN k.bank_difference END AS bank_difference,
  k.n, k.n_idle, k.n_cruise, k.n_running, k.span_s,
  1 - CAST(k.n AS DOUBLE) / nullif(k.n_loop, 0) AS share_missing,
  CAST(k.n_loop AS DOUBLE) / nullif(k.n_running, 0) AS share_warm,
  k.distance_km, k.distance_source,
  CASE WHEN t.n_weeks >= 3 THEN s.per_week END AS drift_per_week,
  CASE WHEN t.n_km >= 3 AND t.span_km >= 100 THEN s.per_1000_km END AS drift_per_1000_km,
  t.n_weeks, t.span_km
FROM known AS k
LEFT JOIN looked_back AS t ON t.vehicle_ref = k.vehicle_ref AND t.week_us = k.week_us
LEFT JOIN sloped AS s ON s.vehicle_ref = k.vehicle_ref AND s.week_us = k.week_us
