-- Statements for days whose computation fails. psycopg's placeholders; a percent sign is doubled.

-- name: name_of_usage_point
SELECT usage_point_id FROM imbalance.usage_points WHERE usage_point = %s

-- name: name_of_group
SELECT group_id FROM imbalance.groups WHERE balance_group = %s

-- name: first_days_of_groups
SELECT balance_group, first_day FROM imbalance.groups WHERE balance_group = ANY (%(groups)s)
