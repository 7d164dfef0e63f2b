-- Table arrivals holds changes; this is what they add up to, per boot and event hour.
CREATE VIEW arrivals_sum AS
SELECT vehicle_ref,
       boot_counter,
       boot_random,
       hour,
       sum(received)::BIGINT AS received,
       sum(missing)::BIGINT AS missing,
       sum(late)::BIGINT AS late,
       sum(duplicate)::BIGINT AS duplicate,
       max(received_at) AS received_at
FROM arrivals
GROUP BY vehicle_ref, boot_counter, boot_random, hour;
