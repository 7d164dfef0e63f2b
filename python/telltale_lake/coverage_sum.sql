-- Table coverage holds what each hand-off counted; this is what it adds up to, per field and
-- firmware.
CREATE VIEW coverage_sum AS
SELECT firmware,
       field,
       arg_max(field_name, contract_version) AS field_name,
       arg_max(columns, contract_version) AS columns,
       sum(reports)::BIGINT AS reports,
       sum(present)::BIGINT AS present,
       sum(null_out_of_range)::BIGINT AS null_out_of_range,
       sum(wrong_type)::BIGINT AS wrong_type,
       sum(conversion_failed)::BIGINT AS conversion_failed,
       min(first_seen) AS first_seen,
       max(last_seen) AS last_seen,
       sum(value_count)::BIGINT AS value_count,
       min(value_min) AS value_min,
       max(value_max) AS value_max,
       sum(value_sum) AS value_sum
FROM coverage
GROUP BY firmware, field;
